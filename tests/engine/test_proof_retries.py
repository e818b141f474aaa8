"""Proofs that came to no verdict are tried again where their point was not what kept them: so often, so far apart."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.proof_book import OVERDUE
from lazarus_tui.model.operation import CheckResult, Operation, OpState
from lazarus_tui.model.policies import Blackout
from lazarus_tui.model.proof_policies import Selector, State, Subject
from lazarus_tui.model.proofs import Ladder, ProofRecord, Rung
from lazarus_tui.model.retrying import outside, spacing
from lazarus_tui.model.verdict import Verdict
from tests.engine.proofs import Proofs, policy, proofs

STOPPED = {
    "prove.stopped": {
        "step": "restore.wait", "title": "Wait for Velero", "words": "Velero was started anew",
        "verdict": "INCONCLUSIVE", "hint": "",
    }
}  # fmt: skip


def stumbling(it: Proofs) -> None:
    it.verdicts, it.facts = {"first": Verdict.INCONCLUSIVE}, STOPPED


async def over(it: Proofs, minutes: float, looks: int = 8) -> None:
    await it.world.clock.advance(minutes * 60)
    await it.look(looks)


async def test_what_was_broken_outside_of_the_point_is_tried_again_so_often_and_so_far_apart() -> None:
    async with proofs() as it:
        stumbling(it)
        await it.store(policy())
        it.completed("first")
        await it.look(8)
        [_, again] = it.entries()
        assert (again.state, again.why) == (
            State.WAITING,
            "tried again, 1 of 2: Wait for Velero: Velero was started anew",
        )
        assert again.waiting.startswith("it is tried again from 2026-01-01 00:0")
        await over(it, 3)
        assert it.ran == ["first"], "not before its time"
        await over(it, 2)
        assert it.ran == ["first"] * 2
        await over(it, 10)
        assert it.ran == ["first"] * 2, "the second one waits for longer"
        await over(it, 5)
        assert it.ran == ["first"] * 3
        await over(it, 600)
        assert it.ran == ["first"] * 3, "twice, and no more"
        assert [one.attempt for one in it.entries()] == [0, 1, 2]
        assert await it.events(OVERDUE) == [], "one that waits for its time is not overdue"


async def test_a_try_that_comes_to_a_verdict_is_the_last_and_decides() -> None:
    async with proofs() as it:
        stumbling(it)
        await it.store(policy())
        it.completed("first")
        await it.look(8)
        it.verdicts = {}
        await over(it, 6)
        await over(it, 600)
        assert (it.ran, it.row().standings[0].green) == (["first"] * 2, True)


@pytest.mark.parametrize("retries", [0, 3])
async def test_the_policy_says_how_often(retries: int) -> None:
    async with proofs() as it:
        stumbling(it)
        await it.store(policy(retries=retries))
        it.completed("first")
        await it.look(8)
        for n in range(4):
            await over(it, spacing(n + 1).total_seconds() / 60)
        assert len(it.ran) == 1 + retries


async def test_a_red_one_is_never_tried_again_nor_one_whose_point_holds_no_data() -> None:
    async with proofs() as it:
        it.verdicts, it.facts = {"first": Verdict.FAILED, "second": Verdict.INCONCLUSIVE}, STOPPED
        await it.store(policy())
        it.completed("first")
        await it.look(8)
        it.not_green = ("volume data was not captured",)
        it.completed("second")
        await it.look(8)
        await over(it, 600)
        assert it.ran == ["first", "second"]


async def test_killed_at_any_journal_entry_each_try_takes_place_once() -> None:
    for k in range(1, 30, 3):
        async with proofs() as it:
            stumbling(it)
            await it.store(policy(retries=1))
            it.completed("first")
            await it.look(8)
            it.verdicts = {}
            await it.world.clock.advance(240)
            came = await it.dies_after(k, lose=k % 2 == 0)
            await it.look(20)
            ended = [one for one in it.entries() if one.state is State.DONE]
            assert [one.verdict for one in ended] == [Verdict.INCONCLUSIVE, Verdict.PASSED]
            assert it.ran == ["first", "first"]
            if not came:
                return
    raise AssertionError("it never ran without being killed")


async def test_a_newer_point_that_came_to_a_verdict_makes_up_for_what_would_be_tried_again() -> None:
    async with proofs() as it:
        stumbling(it)
        await it.store(policy())
        it.completed("first")
        await it.look(8)
        it.completed("second")
        await it.look(8)
        await over(it, 10)
        assert it.ran == ["first", "second"]
        assert it.told()[1] == "first skipped: a later proof of it came to a verdict meanwhile"
        assert it.row().standings[0].green


async def test_a_control_that_could_not_run_is_tried_again_as_a_control() -> None:
    async with proofs() as it:
        it.verdicts, it.facts = {"control": Verdict.INCONCLUSIVE}, STOPPED
        await it.store(policy(control="withhold", control_seconds=86400.0))
        it.completed("first")
        await it.look(16)
        assert it.ran == ["first", "first!"]
        it.verdicts = {}
        await over(it, 6)
        assert it.ran == ["first", "first!", "first!"]
        assert it.row().standings[0].control == "red"


async def test_a_scheduled_choice_is_tried_again_with_the_point_it_chose_and_decides_for_that_choice() -> None:
    async with proofs() as it:
        it.completed("first")
        stumbling(it)
        await it.store(policy(points=("latest",), schedule="0 * * * *"))
        await it.world.clock.advance(3600)
        await it.look(8)
        it.completed("second")
        it.verdicts = {}
        await over(it, 6)
        assert it.ran == ["first", "first"]
        assert it.row().standings[0].green, "the try decides where the first one stood"


# --- what was outside of the point


def ended(**fields: Any) -> Operation:
    given = {"facts": {}, "checks": (), "verdict": Verdict.INCONCLUSIVE, "state": OpState.DONE, **fields}
    return Operation(
        id="0" * 16, kind="prove.run", context="lab", target="q", title="", plan_digest="", started="", **given
    )  # fmt: skip


def judged(*rungs: Rung, **fields: Any) -> dict[str, Any]:
    record = ProofRecord(
        operation="0" * 16, source="velero", point="b", namespace="shop", verdict=Verdict.INCONCLUSIVE,
        ladders=(Ladder("shop", rungs),), **fields,
    )  # fmt: skip
    return {"prove.record": msgspec.to_builtins(record)}


CLOSED_NOW = (Blackout("0 0 * * *", 23 * 3600.0),)
CLOSED = {"prove.isolation": {"closed": True}, "prove.isolation_after": {"closed": True}}
DOUBT = Verdict.INCONCLUSIVE


def check(**evidence: Any) -> CheckResult:
    return CheckResult("tcp", "tcp", DOUBT, 1.0, "could not be asked", evidence)


@pytest.mark.parametrize(
    ("operation", "again"),
    [
        (ended(facts={**judged(), **STOPPED}), True),
        (ended(facts={**judged(), **STOPPED, "prove.isolation": {"closed": None}}), True),
        (ended(facts={**judged(), **STOPPED, "prove.isolation": {"closed": False}}), False),
        (ended(facts={**judged(not_green=("no data",)), **STOPPED}), False),
        (ended(facts={**judged(), **STOPPED}, verdict=Verdict.FAILED), False),
        (ended(facts={**judged(), **STOPPED}, state=OpState.UNDONE), False),
        (ended(facts=judged(Rung("complete", DOUBT, "no one knows"))), False),
        (ended(facts={**judged(Rung("complete", DOUBT, "unread")), "restore.unread": "the list",
                      "prove.point": {"phase": "Completed"}}), True),
        (ended(facts={**judged(Rung("complete", DOUBT, "half")), "restore.unread": "the list",
                      "prove.point": {"phase": "PartiallyFailed"}}), False),
        (ended(facts=judged(Rung("intact", DOUBT, "short"))), False),
        (ended(facts=judged(Rung("restores", DOUBT, "the restore warned"))), False),
        (ended(facts={**judged(Rung("healthy", DOUBT, "tcp")), **CLOSED}, checks=(check(),)), True),
        (ended(facts={**judged(Rung("healthy", DOUBT, "tcp")), **CLOSED}, checks=(check(final=True),)), False),
        (ended(facts={**judged(Rung("intact", DOUBT, "short"), Rung("healthy", DOUBT, "tcp")), **CLOSED},
               checks=(check(),)), False),
        (ended(state=OpState.FAILED, verdict=Verdict.NOT_TESTED, message="the disk is full"), True),
        (ended(state=OpState.UNDONE, verdict=Verdict.NOT_TESTED), False),
    ],
)  # fmt: skip
def test_only_what_lies_outside_of_the_point_is_worth_another_try(operation: Operation, again: bool) -> None:
    assert bool(outside(operation)) is again


# --- a policy that changes while its proofs wait


async def test_what_waits_is_proven_as_its_policy_says_it_by_then() -> None:
    async with proofs() as it:
        await it.store(policy(prove={"stabilise_seconds": 1.0}, blackout=CLOSED_NOW, in_blackout="defer"))
        it.completed("first")
        await it.look(4)
        await it.store(policy(prove={"stabilise_seconds": 9.0}))
        await it.look(6)
        assert [one["stabilise_seconds"] for one in it.planned] == [9.0]
        assert it.planned[0]["policy_hash"] == policy(prove={"stabilise_seconds": 9.0}).wants(
            Subject("shop"), "first"
        )["policy_hash"]  # fmt: skip


async def test_what_waits_of_a_workload_that_is_no_longer_named_is_left_out() -> None:
    async with proofs() as it:
        await it.store(policy(blackout=CLOSED_NOW, in_blackout="defer"))
        it.completed("first")
        await it.look(4)
        await it.store(policy(workloads=(Selector(namespace="mail"),)))
        await it.look(4)
        assert it.told() == ["first skipped: its policy does not name the workload any more"]


async def test_a_policy_that_goes_while_its_proof_is_planned_starts_nothing() -> None:
    async with proofs() as it:
        stored = await it.store(policy())
        it.completed("first")
        plan = it._plan

        async def removing(*given: Any) -> Any:
            made = await plan(*given)
            await it.book.remove(stored)
            return made

        it.runs._plan = removing
        await it.look(8)
        assert (it.ran, it.told()) == ([], ["first skipped: its policy was removed"])
