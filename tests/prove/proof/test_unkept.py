"""A proof whose evidence cannot be kept is not green until it is, and everybody is told what to do."""

from __future__ import annotations

import errno
from typing import Any

import msgspec
import pytest

from lazarus_tui.cli.prove_report import junit
from lazarus_tui.engine import late_evidence
from lazarus_tui.engine.errors import Refused
from lazarus_tui.journal import Event, JournalFull
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.proofs import ProofRecord, record_of, view
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Seen, StepStopped
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.notify.notice import Told
from lazarus_tui.notify.reading import Source, read
from lazarus_tui.prove.proof.unkept import Kept, as_judged, without_evidence
from tests.prove.proof.trial import trial


def told(done: Operation) -> list[Told]:
    event = Event(1, done.id, done.ended, 0, "engine", "op.ended", {"state": done.state, "message": done.message})
    return [one.told for one in read(Source(event, done))]


async def full(op: str, record: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_keeps_a_proof_from_green_until_its_evidence_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trial(monkeypatch) as ground:
        plan = await ground.planned()
        assert ground.engine is not None
        store, write, full = ground.engine.around.evidence, ground.engine.around.evidence.write, [True]

        async def writing(op: str, record: Any) -> Any:
            if full[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            return await write(op, record)

        monkeypatch.setattr(store, "write", writing)
        done = await ground.engine.run(plan, plan.target)
        record = record_of(done.facts)
        assert record is not None
        assert (done.verdict, record.verdict, done.exit_code) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, 4)
        assert record.words.startswith("evidence missing: No space left on device; it was PASSED: proven up to")
        command = f"lazarus evidence write {done.id[:8]}"
        assert done.message == f"evidence missing: No space left on device; next: {command}"
        assert told(done)[-1] is Told.PROOF_INCONCLUSIVE
        assert await store.list() == []

        with pytest.raises(Refused, match="No space left") as refused:
            await late_evidence.write(ground.engine.around, done.id[:8])
        assert refused.value.hint == f"make room, then: {command}"
        (again,) = await ground.engine.around.journal.find(done.id)
        assert (again.verdict, again.facts.get("evidence")) == (Verdict.INCONCLUSIVE, None)

        full[0] = False
        kept = await late_evidence.write(ground.engine.around, done.id[:8])
        (row,) = await store.list()
        assert (kept.verdict, kept.exit_code, kept.message) == (Verdict.PASSED, 0, "")
        assert (kept.seconds, kept.ended) == (done.seconds, done.ended)
        assert (row.operation, row.verdict, await store.verify()) == (done.id, "PASSED", [])
        written = msgspec.json.decode(store.read(row))
        assert written["proof"]["verdict"] == "PASSED"
        assert not [one for one in written["proof"]["deviations"] if "evidence" in one]
        (known,) = await ground.engine.around.journal.find(done.id)
        assert known == kept
        with pytest.raises(Refused, match="nothing is missing"):
            await late_evidence.write(ground.engine.around, done.id)
        with pytest.raises(Refused, match="no proof"):
            await late_evidence.write(ground.engine.around, "ffff")


async def test_evidence_that_was_written_when_the_journal_gave_up_is_told_when_it_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trial(monkeypatch) as ground:
        plan = await ground.planned()
        assert ground.engine is not None
        journal, store = ground.engine.around.journal, ground.engine.around.evidence
        with monkeypatch.context() as patch:
            patch.setattr(store, "write", full)
            done = await ground.engine.run(plan, plan.target)
        save = journal.save

        async def saving(operation: Operation, *entries: tuple[str, Any], **more: Any) -> None:
            if any(kind == late_evidence.WRITTEN for kind, _ in entries):
                raise JournalFull("the disk is full")
            await save(operation, *entries, **more)

        with monkeypatch.context() as patch:
            patch.setattr(journal, "save", saving)
            with pytest.raises(Refused, match="the disk is full"):
                await late_evidence.write(ground.engine.around, done.id)
        kept = await late_evidence.write(ground.engine.around, done.id)
        assert (kept.verdict, kept.exit_code, kept.message) == (Verdict.PASSED, 0, "")
        assert len(await journal.events(done.id, late_evidence.WRITTEN)) == 1
        assert [row.operation for row in await store.list()] == [done.id]
        with pytest.raises(Refused, match="nothing is missing"):
            await late_evidence.write(ground.engine.around, done.id)


async def test_an_engine_that_ends_between_record_and_fact_is_followed_by_one_that_writes_no_second_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def not_yet(context: Any) -> None:
        """It was killed before."""

    async with trial(monkeypatch) as ground:
        with monkeypatch.context() as patch:
            patch.setattr("lazarus_tui.prove.proof.restore_log.forget", not_yet)
            done = await ground.proven()
        assert ground.engine is not None
        store, journal = ground.engine.around.evidence, ground.engine.around.journal
        (row,) = await store.list()
        facts = {key: value for key, value in done.facts.items() if key != "evidence"}
        unsaid = msgspec.structs.replace(done, facts={**facts, "prove.unkept": {"why": "it was killed"}})
        await journal.save(unsaid)
        kept = await late_evidence.write(ground.engine.around, done.id)
        assert kept.facts["evidence"] == done.facts["evidence"]
        assert await store.list() == [row]
        assert await store.verify() == []


def test_what_was_red_stays_red_and_says_that_its_evidence_is_missing() -> None:
    red = ProofRecord(operation="1", source="velero", point="b", namespace="shop", verdict=Verdict.FAILED, words="no")
    said = without_evidence(red, "no room")
    assert (said.verdict, said.words, said.deviations) == (Verdict.FAILED, "no", ("evidence missing: no room",))
    facts = {
        "prove.record": msgspec.to_builtins(said),
        "prove.unkept": {"why": "w", "record": msgspec.to_builtins(red)},
    }
    assert as_judged(facts) == red
    assert as_judged({**facts, "prove.unkept": {}}) == said


async def test_one_that_is_parked_before_its_evidence_and_taken_back_then_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def no_room(op: str, record: Any) -> Any:
        raise JournalFull("the disk is full")

    async with trial(monkeypatch) as ground:
        plan = await ground.planned()
        assert ground.engine is not None
        monkeypatch.setattr(ground.engine.around.evidence, "write", no_room)
        parked = await ground.engine.run(plan, plan.target)
        assert (parked.state, parked.verdict) == (OpState.PARKED, Verdict.PASSED)
        await ground.engine.runner.undo(parked.id, plan.target)
        undone = await ground.engine.runner.wait(parked.id)
        assert (undone.state, undone.verdict) == (OpState.UNDONE, Verdict.INCONCLUSIVE)
        seen = view(undone)
        assert seen is not None
        assert seen.record is not None
        assert seen.record.verdict is Verdict.INCONCLUSIVE
        assert junit(undone).count("<error ") == 3, "its verdict, what it left, and its evidence"


class Broken(BaseStep):
    name, title = "prove.evidence", "Write the evidence"

    async def observe(self, context: Any) -> Observation:
        return Observation(Seen.ABSENT)

    async def act(self, context: Any) -> None:
        raise TypeError("nobody thought of that")


class Facts:
    """Of a context what a kept proof needs."""

    op, checks = "00000000000000aa", ()

    def __init__(self) -> None:
        green = ProofRecord(operation="1", source="velero", point="b", namespace="shop", verdict=Verdict.PASSED)
        self.facts: dict[str, Any] = {"prove.record": msgspec.to_builtins(green)}
        self.verdict = Verdict.PASSED

    async def judged(self, verdict: Verdict) -> None:
        self.verdict = verdict

    async def remember(self, **facts: Any) -> None:
        self.facts |= facts


async def test_whatever_keeps_evidence_from_being_written_keeps_a_proof_from_green() -> None:
    context: Any = Facts()
    with pytest.raises(StepStopped, match="nobody thought of that"):
        await Kept(Broken()).act(context)
    assert context.verdict is Verdict.INCONCLUSIVE
    assert context.facts["prove.unkept"]["why"] == "nobody thought of that"
    found = record_of(context.facts)
    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE
