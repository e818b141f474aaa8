"""What is remembered of very many proofs: a bounded number, and never less than what a workload stands by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lazarus_tui.engine import proof_entries
from lazarus_tui.engine.proof_entries import Entries
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.proof_policies import Entry, ProofPolicy, Selector, State, Subject, standing
from lazarus_tui.model.verdict import Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHOP = Subject("shop")
POLICY = ProofPolicy(
    name="p", workloads=(Selector(namespace="shop"),), points=("on-completion", "oldest"), schedule="0 3 * * *"
)


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> Entries:
    monkeypatch.setattr(proof_entries, "KEPT", 3)
    return Entries()


def ended(entries: Entries, n: int, verdict: Verdict = Verdict.PASSED, asked: str = "", **fields: Any) -> Entry:
    """One that was queued and came to its end in minute ``n``: of a backup that completed, or by a rule."""
    at, point = rfc3339(NOW + timedelta(minutes=n)), f"b{n}"
    given = {"uid": "" if asked or "control" in fields else f"uid-{n}", "subject": SHOP, "policy": "p", **fields}
    one = Entry(
        id=f"{n}", context="c", point=point, params={"point": asked or point}, why="", queued=at, ended=at,
        state=State.DONE, verdict=verdict, words=f"found {verdict}", **given,
    )  # fmt: skip
    entries.add(one)
    return one


def stands(entries: Entries) -> tuple[Verdict, bool, str]:
    found = standing(POLICY, SHOP, entries.of("c", "p"), NOW + timedelta(days=1))
    return found.verdict, found.green, found.control


def test_a_red_proof_of_another_choice_outlives_any_number_of_good_ones(entries: Entries) -> None:
    ended(entries, 0, Verdict.FAILED, asked="oldest")
    for n in range(1, 20):
        ended(entries, n)
    assert stands(entries) == (Verdict.FAILED, False, "")
    ended(entries, 20, asked="oldest")
    assert stands(entries) == (Verdict.PASSED, True, "")
    for n in range(21, 30):
        ended(entries, n)
    assert [one.id for one in entries.of("c", "p")] == ["20", "27", "28", "29"], "what was made up for may go"


def test_a_control_that_was_not_noticed_outlives_them_too_and_so_does_a_refusal(entries: Entries) -> None:
    ended(entries, 0, Verdict.FAILED, control="withhold")
    ended(entries, 1, Verdict.PASSED, control="flip")
    for n in range(2, 20):
        ended(entries, n)
    assert stands(entries) == (Verdict.PASSED, False, "failed")
    ended(entries, 20, Verdict.PASSED, control="withhold")
    assert stands(entries) == (Verdict.PASSED, True, "red")


def test_of_each_workload_the_newest_are_kept_and_all_that_is_open(entries: Entries) -> None:
    mail = Subject("mail")
    waits = Entry(id="w", context="c", policy="p", subject=SHOP, point="b", params={}, why="", queued=rfc3339(NOW))
    entries.add(waits)
    ended(entries, 100, subject=mail)
    for n in range(1, 60):
        ended(entries, n)
    assert [one.id for one in entries.of("c", "p")] == ["w", "100", "57", "58", "59"]
    assert ([one.id for one in entries.open()], entries.of("c", "q"), entries.get("1")) == (["w"], [], None)
    assert len(entries._of) == 3, "a policy, and each of its workloads"
    single = [ended(entries, 200 + n, policy="") for n in range(9)]
    assert [one.id for one in entries.of("c", "")] == [one.id for one in single[-3:]], "of single tests nothing stands"


def test_one_that_is_judged_anew_does_not_take_the_place_of_what_ended_after_it(entries: Entries) -> None:
    early = ended(entries, 0, asked="oldest")
    ended(entries, 1, Verdict.FAILED, asked="oldest")
    entries.put(early)
    for n in range(2, 20):
        ended(entries, n)
    assert stands(entries)[0] is Verdict.FAILED
