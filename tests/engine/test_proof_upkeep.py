"""What the queue of proofs keeps in order: nothing is proven twice, kept for ever, forgotten or left to an old word."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.late_evidence import WRITTEN
from lazarus_tui.engine.proof_book import CAUGHT_UP, KIND, OVERDUE
from lazarus_tui.engine.proof_calls import ApplyParams, NameParams
from lazarus_tui.model.cron import CronError
from lazarus_tui.model.objects import Meta, Workload
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.proof_policies import Entry, Selector, State, Subject
from lazarus_tui.model.verdict import Verdict
from tests.engine.proofs import Proofs, policy, proofs
from tests.engine.world import CONTEXT

NEVER = "0 0 29 2 *"  # a schedule whose time does not come while a test looks


async def test_of_two_that_are_planned_at_once_one_proves_the_point_that_they_share() -> None:
    async with proofs() as it:
        stored = await it.store(policy(points=("latest",), schedule=NEVER, at_once=2))
        it.completed("first")
        made = it.runs._watch._made
        await it.book.queue(
            stored,
            [
                made(stored, Subject("shop"), point, "why", id=id * 16)
                for id, point in (("a", "first"), ("b", "latest"))
            ],
        )
        await it.look(8)
        assert it.ran == ["first"]
        one, other = it.entries()
        assert (one.state, other.state) == (State.DONE, State.SKIPPED)
        assert other.words == f"operation {one.operation[:8]} proves first now"


async def test_since_when_a_proof_cannot_be_planned_is_forgotten_once_it_can() -> None:
    async with proofs() as it:
        await it.store(policy())
        it.completed("first")
        it.refusing = "its location is not valid"
        await it.look(20)
        it.refusing, start = "", it.engine.runner.start

        async def busy(*given: Any, **more: Any) -> Any:
            it.refusing, it.engine.runner.start = "its location is not valid", start  # type: ignore[method-assign]
            raise Refused("another operation works there")

        it.engine.runner.start = busy  # type: ignore[method-assign]
        await it.look(20)
        [one] = it.entries()
        assert (one.state, one.waiting) == (State.WAITING, "it cannot be planned: its location is not valid")
        assert list(it.runs._tried) == [one.id]
        await it.calls.methods["proof-policy.delete"][1](None, NameParams(CONTEXT, "shop"))
        await it.look()
        assert it.runs._tried == {}, "nothing is kept of what is gone"


async def test_what_was_seen_of_backups_that_are_gone_is_forgotten_and_they_are_not_proven_again() -> None:
    async with proofs() as it:
        await it.store(policy())
        await it.store(policy(name="other", workloads=(Selector(namespace="mail"),)))
        for n in range(12):
            it.backups.clear()
            it.completed(f"b{n}", ago=7200.0 if n % 2 else 0.0)
            await it.look(2)
        looked = it.runs._watch._looked[CONTEXT, "shop"]
        assert max(len(looked.seen), len(looked.late), len(looked.done)) <= 2
        await it.look(40)
        assert len(it.ran) == len(set(it.ran)) == 6, "what completed before the policy is none of its business"
        await it.calls.methods["proof-policy.delete"][1](None, NameParams(CONTEXT, "shop"))
        await it.look()
        assert (CONTEXT, "shop") not in it.runs._watch._looked


async def test_evidence_that_is_written_later_is_what_a_policy_stands_by_from_then_on() -> None:
    async with proofs() as it:
        it.verdicts, it.not_green = {"first": Verdict.INCONCLUSIVE}, ("evidence missing: no space",)
        await it.store(policy())
        it.completed("first")
        await it.look(8)
        assert [one.verdict for one in it.row().standings] == [Verdict.INCONCLUSIVE]
        await late(it, it.entries()[0], OpState.DONE)
        await it.runs.follow()
        await it.look()
        [stands] = it.row().standings
        assert (stands.verdict, stands.green, stands.words) == (Verdict.PASSED, True, "proven")
        ended = it.entries()[0].ended
        await it.dies()
        await it.look(2)
        assert (it.row().standings[0].green, it.entries()[0].ended) == (True, ended)
        assert [one["what"] for one in await it.events(KIND)].count("judged") == 1


async def test_evidence_that_is_written_as_the_engine_dies_is_found_and_a_proof_that_was_broken_off_stays_so() -> None:
    async with proofs() as it:
        it.verdicts = {"first": Verdict.INCONCLUSIVE, "second": Verdict.INCONCLUSIVE}
        it.not_green = ("evidence missing: no space",)
        await it.store(policy())
        for name in ("first", "second"):
            it.completed(name)
            await it.look(8)
        first, second = it.entries()
        await late(it, first, OpState.LEFT_CHANGED)
        await it.dies()
        assert [one.verdict for one in it.entries()] == [Verdict.INCONCLUSIVE] * 2
        await late(it, second, OpState.DONE)
        await it.dies()
        assert [one.verdict for one in it.entries()] == [Verdict.INCONCLUSIVE, Verdict.PASSED]


async def late(it: Proofs, entry: Entry, state: OpState) -> None:
    """What ``engine.late_evidence`` leaves in the journal."""
    [found] = await it.engine.journal.find(entry.operation)
    record = {**found.facts["prove.record"], "verdict": "PASSED", "words": "proven", "not_green": []}
    changed = {"state": state, "verdict": Verdict.PASSED, "facts": {**found.facts, "prove.record": record}}
    await it.engine.journal.save(msgspec.structs.replace(found, **changed), (WRITTEN, {"by": "me"}))


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lazarus_tui.engine.proof_watch.MOST_WAITING", 3)


@pytest.mark.usefixtures("three")
async def test_a_policy_of_very_many_workloads_proves_each_of_them() -> None:
    async with proofs() as it:
        for n in range(7):
            it.workloads.append(Workload(metadata=Meta(name=f"db{n}", namespace="shop", labels={"tier": "gold"})))
        it.completed("first")
        await it.store(policy(workloads=(Selector(labels={"tier": "gold"}),), points=("latest",), schedule="1 0 * * *"))
        await it.look(45)
        assert sorted(one.subject.workload for one in it.entries() if one.judged) == [
            f"StatefulSet/db{n}" for n in range(7)
        ]
        assert not [one for one in it.entries() if one.state is State.SKIPPED]


@pytest.mark.usefixtures("three")
async def test_of_too_many_points_of_one_workload_the_oldest_is_left_out() -> None:
    async with proofs() as it:
        it.seconds = 3000.0
        await it.store(policy())
        for n in range(6):
            it.completed(f"b{n}")
            await it.look(3)
        left = [one.point for one in it.entries() if one.state is State.SKIPPED]
        assert (it.ran, left) == (["b0"], ["b1", "b2"])


async def test_what_a_policy_owes_and_missed_stands_when_its_file_is_applied_again() -> None:
    """As a pipeline does it, over and over: a time that has just passed is not forgotten."""
    async with proofs() as it:
        it.completed("first")
        wanted = policy(points=("latest",), schedule="0 * * * *", jitter=3000.0, late_seconds=600.0)
        assert 300.0 < wanted.offset.total_seconds() < 3000.0
        await it.store(wanted)
        await it.world.clock.advance(3600.0 + 60.0)
        await it.look()
        assert (await it.store(wanted)).since < it.world.clock.now()
        await it.world.clock.advance(wanted.offset.total_seconds() - 60.0)
        await it.look(8)
        assert it.ran == ["first"]
        other = await it.store(policy(points=("latest",), schedule="30 * * * *"))
        assert (it.world.clock.now() - other.since).total_seconds() < 60.0, "its times are others"


async def test_what_was_missed_is_told_until_a_proof_takes_place_however_often_its_file_is_applied() -> None:
    async with proofs() as it:
        wanted = policy(points=("latest",), schedule="0 1 * * *", catch_up="skip")
        await it.store(wanted)
        await it.world.clock.advance(2 * 3600.0)
        await it.look(2)
        why = it.row().overdue
        assert why == "1 run was missed while nothing ran (catchUp: skip)"
        await it.store(wanted)
        await it.look(2)
        assert (it.row().overdue, await it.events(CAUGHT_UP)) == (why, [])


@pytest.mark.parametrize(
    ("elsewhere", "end"), [(True, "the policy is for another cluster now"), (False, "the policy was disabled")]
)
async def test_what_is_overdue_is_taken_back_when_a_policy_is_stored_that_does_not_owe_it(
    elsewhere: bool, end: str
) -> None:
    async with proofs() as it:
        wanted = policy(points=("latest",), schedule="0 1 * * *", catch_up="skip")
        await it.book.store(wanted, CONTEXT, "another cluster" if elsewhere else it.world.uid)
        await it.look()
        await it.world.clock.advance(2 * 3600.0)
        await it.look(2)
        assert len(await it.events(OVERDUE)) == 1
        writes = "schedules" if elsewhere else '""'
        text = (
            "{apiVersion: lazarus.io/v1alpha1, kind: ProofPolicy, name: shop, workloads: [{namespace: shop}],"
            f" points: [latest], schedule: '0 1 * * *', writes: {writes}}}"
        )
        await it.calls.methods["proof-policy.apply"][1](None, ApplyParams(CONTEXT, text))
        assert [one["why"] for one in await it.events(CAUGHT_UP)] == [end]


async def test_times_that_cannot_be_read_keep_no_other_policy_from_being_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with proofs() as it:
        await it.store(policy())
        await it.store(policy(name="other", windows=()))
        real = it.runs._held_up

        def unreadable(entry: Entry) -> str:
            if entry.policy == "shop":
                raise CronError("there is no time zone Mars/Olympus")
            return real(entry)

        monkeypatch.setattr(it.runs, "_held_up", unreadable)
        it.completed("first")
        await it.look(8)
        assert it.told() == [
            "first waiting: its times cannot be read: there is no time zone Mars/Olympus", "first done: found PASSED",
        ]  # fmt: skip
