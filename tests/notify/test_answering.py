"""Which good news ends which alarm: never that of an older point, nor of a proof that was asked for less."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.journal import Event
from lazarus_tui.model.proofs import RUNGS, Ladder, ProofRecord, Rung
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.notify.answering import answers, rungs, together
from lazarus_tui.notify.notice import Action, Notice, Severity, Told
from lazarus_tui.notify.reading import POLICY, Source, read
from tests.notify.office import notice

ALL = RUNGS[:5]
OLD, MIDDLE, NEW = "2026-01-01T01:00:00Z", "2026-01-02T01:00:00Z", "2026-01-03T01:00:00Z"
AFTER = "2026-01-09T00:00:00Z"  # when all of it was told


def bad(point: str = "b2", at: str = MIDDLE, *owed: str, **fields: Any) -> Notice:
    return notice(point=point, point_at=at, rungs=owed or ("healthy",), **{"at": AFTER, **fields})


def good(point: str = "b2", at: str = MIDDLE, shown: tuple[str, ...] = ALL, **fields: Any) -> Notice:
    return notice(action=Action.RESOLVE, point=point, point_at=at, rungs=shown, at=AFTER, **fields)


@pytest.mark.parametrize(
    ("news", "told", "ends"),
    [
        (good(), bad(), True),
        (good("b3", NEW), bad(), True),
        (good("b1", OLD), bad(), False),
        (good("b2", OLD), bad("b2", MIDDLE), False),  # another backup had the name before
        (good(at="2026-01-02T02:00:00+01:00"), bad(), True),  # the same moment, written otherwise
        (good("b3", NEW, ("exists",)), bad(), False),
        (good("b3", NEW), bad("b2", MIDDLE, "data right"), False),
        (good("b3", NEW, (*ALL, "data right")), bad("b2", MIDDLE, "data right"), True),
        (good("b2", ""), bad("b2", ""), True),
        (good("b3", ""), bad("b2", ""), False),
        (good("", ""), bad("", ""), False),
        (good("b2", ""), bad("b2", MIDDLE), True),
        (good("b1", OLD), notice(at="2026-01-01T02:00:00Z"), False),  # told by a version that named no point
        (good("b3", NEW), notice(at="2026-01-02T02:00:00Z"), True),
        (good("b1", OLD), bad(told=Told.PROOF_INCONCLUSIVE), False),
        (good("b1", OLD, told=Told.CONTROL_RED), bad(told=Told.CONTROL_NOT_RED), True),
        (notice("operation/c/1", Action.RESOLVE, told=Told.SETTLED), notice("operation/c/1", told=Told.PARKED), True),
    ],
)
def test_only_a_point_as_new_that_shows_what_was_missing_ends_an_alarm(news: Notice, told: Notice, ends: bool) -> None:
    assert answers(news, told) is ends


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ({"policy": "p", "policy_hash": "v2"}, True),
        ({"policy": "p", "policy_hash": "v1"}, False),
        ({"policy": "p"}, False),
        ({"policy": "q", "policy_hash": "v2"}, False),
        ({}, False),
    ],
)
def test_a_policy_that_was_changed_owes_no_more_what_it_does_not_ask_for(now: dict[str, str], ends: bool) -> None:
    told = bad("b2", MIDDLE, "data right", policy="p", policy_hash="v1")
    assert answers(good("b3", NEW, **now), told) is ends
    assert not answers(good("b1", OLD, **now), told), "an older point ends it in no case"


def test_of_a_changed_policy_the_newer_alarm_says_what_is_owed_and_of_two_policies_both() -> None:
    first = bad("b1", OLD, "data right", policy="p", policy_hash="v1")
    second = bad("b2", MIDDLE, "healthy", policy="p", policy_hash="v2")
    assert answers(good("b3", NEW, policy="p", policy_hash="v2"), together(first, second))
    other = bad("b2", MIDDLE, "healthy", policy="q", policy_hash="w1")
    both = together(first, other)
    assert set(both.rungs) == {"data right", "healthy"}
    for policy in ("p", "q"):
        assert not answers(good("b3", NEW, policy=policy, policy_hash="v3"), both)


@pytest.mark.parametrize("first_old", [True, False])
def test_of_two_alarms_the_newer_point_has_to_be_answered_and_what_both_owe(first_old: bool) -> None:
    older, newer = bad("b1", OLD, "data right"), bad("b2", MIDDLE, "healthy")
    both = together(older, newer) if first_old else together(newer, older)
    assert (both.point, set(both.rungs)) == ("b2", {"data right", "healthy"})
    assert not answers(good("b1", OLD, (*ALL, "data right")), both)
    assert not answers(good(), both)
    assert answers(good("b2", MIDDLE, (*ALL, "data right")), both)


def test_what_is_no_proof_stands_as_it_was_told_last() -> None:
    first = notice("at-zero/c/shop", told=Told.AT_ZERO, severity=Severity.WARNING)
    last = notice("at-zero/c/shop", told=Told.AT_ZERO, severity=Severity.CRITICAL, at="2025-01-01T00:00:00Z")
    assert together(first, last) is last


def record(verdict: Verdict, *ladders: dict[str, Verdict], **fields: Any) -> ProofRecord:
    made = tuple(
        Ladder(f"shop/Deployment/{n}", tuple(Rung(*one) for one in each.items())) for n, each in enumerate(ladders)
    )
    return ProofRecord(
        operation="1", source="velero", point="b", namespace="shop", verdict=verdict, ladders=made, **fields
    )


def test_a_proof_that_passed_has_shown_what_passed_everywhere_and_another_owes_the_rest_of_what_it_needed() -> None:
    passed = dict.fromkeys(ALL, Verdict.PASSED)
    assert rungs(record(Verdict.PASSED, {**passed, "data right": Verdict.NOT_TESTED})) == ALL
    assert rungs(record(Verdict.PASSED, passed, {**passed, "data right": Verdict.PASSED})) == (*ALL, "data right")
    assert rungs(record(Verdict.PASSED, passed, {**passed, "data right": Verdict.FAILED})) == ALL
    assert rungs(record(Verdict.FAILED, passed, {**passed, "healthy": Verdict.FAILED})) == ("healthy",)
    assert rungs(record(Verdict.INCONCLUSIVE)) == ALL, "what never came to a ladder owes all of it"
    asked = record(Verdict.FAILED, {"exists": Verdict.PASSED, "data right": Verdict.FAILED}, required=("data right",))
    assert rungs(asked) == ("data right",)


def test_the_end_of_a_policy_ends_its_alarm_and_is_not_told_as_a_run() -> None:
    def told(**body: Any) -> Notice:
        about = {"context": "c", "key": "shop/nightly", **body}
        (found,) = read(Source(Event(7, "1".zfill(16), AFTER, 0, "engine", POLICY, about)))
        return found

    late, taken, removed = told(what="missed", missed=1), told(what="settled", outcome="taken"), told(what="removed")
    assert late.key == taken.key == removed.key
    assert (late.action, removed.action) == (Action.TRIGGER, Action.RESOLVE)
    assert taken.title == "Runs again: shop/nightly"
    assert (removed.title, removed.text) == (f"Over: {late.title}", "the policy was removed")
