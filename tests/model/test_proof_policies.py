"""Which proofs are queued, held up, left out; and what keeps a policy green. Properties over many cases, all pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.policies import MOST_RUNS, Blackout, owed
from lazarus_tui.model.proof_controls import control_due
from lazarus_tui.model.proof_policies import (
    Entry,
    ProofPolicy,
    Selector,
    State,
    Subject,
    catch_up,
    entry_id,
    may_begin,
    open_seconds,
    proven_already,
    standing,
)
from lazarus_tui.model.verdict import Verdict

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHOP = Subject("shop")
VERDICTS = st.sampled_from(list(Verdict))


def policy(**fields: object) -> ProofPolicy:
    given = {"name": "p", "workloads": (Selector(namespace="shop"),), "points": ("latest",), **fields}
    return ProofPolicy(**given)  # type: ignore[arg-type]


def entry(n: int, verdict: Verdict = Verdict.PASSED, ago: float = 0.0, **fields: object) -> Entry:
    at = rfc3339(NOW - timedelta(seconds=ago), micro=True)
    base = {"id": f"{n:016x}", "context": "c", "subject": SHOP, "point": "b", "params": {}, "why": "", "queued": at,
            "policy": "p", "state": State.DONE, "verdict": verdict, "ended": at, "words": "said"}  # fmt: skip
    return Entry(**{**base, **fields})  # type: ignore[arg-type]


@given(
    st.lists(st.text(min_size=1, max_size=4), unique=True, max_size=12),
    st.sampled_from(["skip", "run_once", "run_all"]),
)
def test_of_what_was_missed_the_newest_are_made_up_for_and_all_the_rest_is_accounted_for(
    late: list[str], how: str
) -> None:
    kept, left = catch_up(policy(catch_up=how), late)
    assert [*left, *kept] == late
    assert len(kept) == min(len(late), {"skip": 0, "run_once": 1, "run_all": MOST_RUNS}[how])


@given(st.lists(st.tuples(VERDICTS, st.integers(1, 30)), max_size=8), st.integers(0, 20))
def test_a_point_with_a_verdict_is_proven_again_only_after_the_time_the_policy_says(
    history: list[tuple[Verdict, int]], within: int
) -> None:
    entries = [entry(n, verdict, days * 86400) for n, (verdict, days) in enumerate(history)]
    new = entry(99, state=State.WAITING, ended="")
    why = proven_already(policy(again_seconds=within * 86400.0), entries, new, "b", NOW)
    clear = [days for verdict, days in history if verdict in (Verdict.PASSED, Verdict.FAILED)]
    assert bool(why) == any(not within or days < within for days in clear)
    assert not proven_already(policy(), entries, new, "another point", NOW)


def test_a_point_that_is_proven_now_is_not_begun_a_second_time() -> None:
    running = entry(1, state=State.RUNNING, ended="", operation="abcdef0123456789")
    assert "abcdef01" in proven_already(policy(), [running], entry(2, state=State.WAITING), "b", NOW)
    assert not proven_already(policy(), [running], running, "b", NOW)


ASKED = {"checks": {"checks": [{"kind": "tcp", "port": 5432}]}, "require": ["healthy"], "limits": {"pods": "3"}}
MORE = {"checks": "checks", "require": "rungs", "targets": "targets", "stabilise_seconds": "stability"}


@pytest.mark.parametrize("changed", [*MORE, "limits"])
def test_what_a_policy_asks_for_now_was_not_shown_by_proofs_from_before(changed: str) -> None:
    before, now = policy(prove=ASKED), policy(prove={**ASKED, changed: {"other": 1}})
    done = entry(1, params=before.wants(SHOP, "latest"))
    again = entry(2, state=State.WAITING, ended="", params=now.wants(SHOP, "latest"))
    assert (standing(before, SHOP, [done], NOW).green, standing(before, SHOP, [done], NOW).words) == (True, "said")
    assert "b was proven at" in proven_already(before, [done], again, "b", NOW)
    found = standing(now, SHOP, [done], NOW)
    if changed == "limits":
        assert (found.green, found.words) == (True, "said"), "how much a copy gets says nothing of what is shown"
        return
    words = f"proven before the policy asked for other {MORE[changed]}: the next proof tells"
    assert (found.verdict, found.green, found.words) == (Verdict.PASSED, False, words)
    assert proven_already(now, [done], again, "b", NOW) == "", "it is proven again"
    red = entry(3, Verdict.FAILED, params=before.wants(SHOP, "latest"))
    assert (standing(now, SHOP, [red], NOW).verdict, standing(now, SHOP, [red], NOW).words) == (Verdict.FAILED, "said")


def test_another_backup_of_the_same_name_was_not_proven() -> None:
    done, new = entry(1, uid="first"), entry(2, state=State.WAITING, ended="", uid="second")
    assert not proven_already(policy(), [done], new, "b", NOW)
    assert proven_already(policy(), [done], msgspec.structs.replace(new, uid="first"), "b", NOW)
    first, second = "2026-05-01T03:00:00Z", "2026-05-02T03:00:00Z"
    by_clock = entry(3, state=State.WAITING, ended="")
    dated = msgspec.structs.replace(done, uid="", point_start=first)
    assert not proven_already(policy(), [dated], by_clock, "b", NOW, second), "a scheduled proof knows no uid"
    assert proven_already(policy(), [dated], by_clock, "b", NOW, first)
    assert proven_already(policy(), [dated], by_clock, "b", NOW), "when it began is not known"


@settings(max_examples=60)
@given(st.integers(0, 366 * 24 * 4))
def test_inside_a_window_of_local_time_a_proof_begins_and_outside_it_waits(quarters: int) -> None:
    """Also in the nights of the clock changes: from 01:00 on for two real hours, in New York."""
    found = policy(time_zone="America/New_York", windows=(Blackout("0 1 * * *", 2 * 3600.0),))
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * quarters)
    local = moment.astimezone(ZoneInfo("America/New_York"))
    opened = local.replace(hour=1, minute=0, fold=0).astimezone(UTC)
    inside = opened <= moment < opened + timedelta(hours=2)
    assert (may_begin(found, moment) == "") == inside


def test_a_blackout_wins_over_a_window() -> None:
    found = policy(windows=(Blackout("0 0 * * *", 86400.0),), blackout=(Blackout("0 12 * * *", 3600.0),))
    assert "ends at 2026-06-01 13:00" in may_begin(found, NOW)
    assert may_begin(found, NOW + timedelta(hours=1)) == ""


@settings(max_examples=40)
@given(st.integers(0, 200), st.integers(1, 200))
def test_each_nominal_time_is_owed_once_whenever_it_is_looked_at(first: int, second: int) -> None:
    """Across the change of clocks: in Berlin a night at 02:30 comes once, whether it is skipped or repeated."""
    found = policy(schedule="30 2 * * *", time_zone="Europe/Berlin", catch_up="run_all")
    since = datetime(2026, 3, 26, tzinfo=UTC)
    runs: list[datetime] = []
    for hours in sorted({first, first + second}):
        now = datetime(2026, 3, 26, tzinfo=UTC) + timedelta(hours=hours)
        due = owed(found, since, now)
        runs += due.runs
        since = due.newest or since
    assert len(runs) == len(set(runs))
    assert len({run.astimezone(ZoneInfo("Europe/Berlin")).date() for run in runs}) == len(runs)


@given(st.lists(st.text(max_size=3), min_size=2, max_size=4), st.lists(st.text(max_size=3), min_size=2, max_size=4))
def test_ids_are_the_same_for_the_same_reason_and_for_nothing_else(one: list[str], other: list[str]) -> None:
    assert (entry_id(*one) == entry_id(*other)) == (one == other or "\x00".join(one) == "\x00".join(other))


# --- green


@given(st.lists(st.tuples(VERDICTS, st.booleans(), st.integers(0, 40)), max_size=8))
def test_green_needs_a_passed_proof_and_never_stands_over_a_control_that_did_not_go_red(
    history: list[tuple[Verdict, bool, int]],
) -> None:
    found = policy(control="withhold", control_seconds=7 * 86400.0)
    entries = [
        entry(n, verdict, days * 86400 + n, control="withhold" if control else "")
        for n, (verdict, control, days) in enumerate(history)
    ]
    stands = standing(found, SHOP, entries, NOW)
    proofs = sorted((one for one in entries if not one.control), key=lambda one: one.ended)
    controls = sorted((one for one in entries if one.control), key=lambda one: one.ended)
    passed = bool(proofs) and proofs[-1].verdict is Verdict.PASSED
    red = not controls or controls[-1].verdict is Verdict.PASSED
    fresh = not controls or NOW - timedelta(days=14) <= datetime.fromisoformat(controls[-1].ended)
    assert stands.green == (passed and red and fresh)
    assert stands.verdict == (proofs[-1].verdict if proofs else Verdict.NOT_TESTED)


def test_a_control_that_was_not_noticed_stands_until_one_of_its_kind_is() -> None:
    found = policy(control="withhold", control_seconds=7 * 86400.0)
    good = entry(1, Verdict.PASSED, 900)
    history = [
        good,
        entry(2, Verdict.FAILED, 600, control="drop-table"),
        entry(3, Verdict.PASSED, 60, control="withhold"),
    ]
    stands = standing(found, SHOP, history, NOW)
    assert (stands.control, stands.green) == ("failed", False)
    stands = standing(found, SHOP, [*history, entry(4, Verdict.PASSED, 30, control="drop-table")], NOW)
    assert (stands.control, stands.green) == ("red", True)


def test_that_an_old_point_is_good_does_not_make_up_for_the_newest_one() -> None:
    found = policy(points=("latest", "oldest"))
    bad = entry(1, Verdict.FAILED, 600, params={"point": "latest"}, point="new")
    good = entry(2, Verdict.PASSED, 60, params={"point": "oldest"}, point="old")
    stands = standing(found, SHOP, [bad, good], NOW)
    assert (stands.verdict, stands.point, stands.green) == (Verdict.FAILED, "new", False)
    again = entry(3, Verdict.PASSED, 30, params={"point": "latest"}, point="newer")
    stands = standing(found, SHOP, [bad, good, again], NOW)
    assert (stands.verdict, stands.point, stands.green) == (Verdict.PASSED, "newer", True)


@pytest.mark.parametrize("choice", ["oldest", "latest-proven", "random:30d"])
@pytest.mark.parametrize("points", [("latest",), ("on-completion",)])
def test_an_older_point_that_the_policy_chose_once_is_no_ground_for_green(choice: str, points: tuple[str, ...]) -> None:
    good = entry(1, Verdict.PASSED, 600, params={"point": choice}, point="old")
    assert standing(policy(points=(choice,)), SHOP, [good], NOW).green
    stands = standing(policy(points=points), SHOP, [good], NOW)
    assert (stands.verdict, stands.green, stands.words) == (Verdict.NOT_TESTED, False, "never proven")
    bad = structs.replace(good, verdict=Verdict.FAILED)
    assert standing(policy(points=points), SHOP, [bad], NOW).verdict is Verdict.FAILED
    newest = entry(2, Verdict.PASSED, 60, point="new", uid="u")
    assert standing(policy(points=points), SHOP, [good, newest], NOW).point == "new"


def test_an_older_point_whose_proof_ends_later_does_not_hide_the_newest_one() -> None:
    newest = entry(1, Verdict.FAILED, 600, point="new", point_start="2026-05-02T00:00:00Z")
    older = entry(2, Verdict.PASSED, 60, point="old", point_start="2026-05-01T00:00:00Z")
    for entries in ([newest, older], [older, newest]):
        assert standing(policy(), SHOP, entries, NOW).point == "new"
        assert not standing(policy(), SHOP, entries, NOW).green
    drawn = policy(points=("random:30d",))
    lots = [structs.replace(one, params={"point": "random:30d"}) for one in (newest, older)]
    assert standing(drawn, SHOP, lots, NOW).point == "old", "of points drawn by lot the last one counts"
    again = entry(3, Verdict.PASSED, 30, point="new", point_start="2026-05-02T00:00:00Z")
    assert standing(policy(), SHOP, [newest, older, again], NOW).green


@pytest.mark.parametrize(
    ("fields", "pending"),
    [
        ({}, "b2"),
        ({"state": State.RUNNING}, "b2"),
        ({"state": State.SKIPPED}, ""),
        ({"control": "flip"}, ""),
        ({"params": {"point": "oldest"}}, ""),
        ({"params": {"point": "latest"}}, "b2"),
        ({"subject": Subject("bank")}, ""),
    ],
)
def test_a_newest_point_whose_proof_has_not_ended_is_said(fields: dict[str, object], pending: str) -> None:
    found = policy(points=("on-completion", "latest", "oldest"))
    waits = entry(2, Verdict.NOT_TESTED, **{"point": "b2", "state": State.WAITING, "ended": "", **fields})  # type: ignore[arg-type]
    assert standing(found, SHOP, [entry(1), waits], NOW).pending == pending
    assert standing(found, SHOP, [waits], NOW).pending == pending


@pytest.mark.parametrize(
    ("later", "refused"),
    [
        ((), "b2"),
        ((entry(3, Verdict.NOT_TESTED, 30, point="b2", state=State.SKIPPED),), "b2"),
        ((entry(3, Verdict.PASSED, 30, point="b1", attempt=1),), "b2"),
        ((entry(3, Verdict.PASSED, 30, point="b2", control="flip"),), "b2"),
        ((entry(3, Verdict.PASSED, 30, point="b2", attempt=1),), ""),
        ((entry(3, Verdict.FAILED, 30, point="b3"),), ""),
        ((entry(3, Verdict.PASSED, 30, point="b1", subject=Subject("bank")),), "b2"),
    ],
)
def test_a_newest_point_whose_proof_could_not_be_planned_is_said_until_a_later_one_was(
    later: tuple[Entry, ...], refused: str
) -> None:
    good = entry(1, Verdict.PASSED, 600, point="b1")
    never = entry(2, Verdict.NOT_TESTED, 60, point="b2", state=State.REFUSED)
    assert standing(policy(), SHOP, [good, never, *later], NOW).refused == refused


@given(st.lists(st.tuples(VERDICTS, st.booleans(), st.integers(0, 40)), max_size=8))
def test_a_control_is_due_on_the_newest_green_point_and_never_beside_another_one(
    history: list[tuple[Verdict, bool, int]],
) -> None:
    found = policy(control="flip", control_seconds=7 * 86400.0)
    entries = [
        entry(n, verdict, days * 86400 + n, control="flip" if control else "")
        for n, (verdict, control, days) in enumerate(history)
    ]
    due = control_due(found, SHOP, entries, NOW)
    passed = sorted(one.ended for one in entries if not one.control and one.verdict is Verdict.PASSED)
    if due is not None:
        assert due.ended == passed[-1]
        again = entry(77, state=State.WAITING, ended="", control="flip")
        assert control_due(found, SHOP, [*entries, again], NOW) is None
    elif passed and not any(one.control for one in entries):
        raise AssertionError("the first control was not due")
    assert control_due(policy(), SHOP, entries, NOW) is None


HOURS = st.tuples(st.integers(0, 23), st.integers(1, 20 * 60)).map(
    lambda one: Blackout(f"0 {one[0]} * * *", one[1] * 60.0)
)


@settings(max_examples=30)
@given(
    st.lists(HOURS, max_size=2),
    st.lists(HOURS, max_size=2),
    st.integers(0, 300 * 1440),
    st.integers(1, 600),
    st.sampled_from(["UTC", "Europe/Berlin"]),
)
def test_the_time_that_counts_for_overdue_is_that_in_which_something_may_begin_minute_by_minute(
    windows: list[Blackout], dark: list[Blackout], start: int, long: int, zone: str
) -> None:
    one = policy(windows=tuple(windows), blackout=tuple(dark), time_zone=zone)
    since = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=start)
    until = since + timedelta(minutes=long)
    minutes = sum(not may_begin(one, since + timedelta(minutes=n, seconds=30)) for n in range(long))
    assert open_seconds(one, since, until) == minutes * 60.0
    assert open_seconds(one, since, until, 0.0) <= minutes * 60.0


def test_a_window_each_day_is_followed_for_months() -> None:
    one = policy(windows=(Blackout("0 2 * * *", 3600.0),))
    assert open_seconds(one, NOW, NOW + timedelta(days=90)) == 90 * 3600.0


def test_what_is_never_open_is_never_late() -> None:
    one = policy(windows=(Blackout("0 2 30 2 *", 3600.0),))
    assert open_seconds(one, NOW, NOW + timedelta(days=90)) == 0.0
