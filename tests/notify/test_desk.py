"""Told at least once, under one id, in order, to whom it concerns; given up only with a reason; crashes included."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.late_evidence import WRITTEN
from lazarus_tui.journal import Journal
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.proofs import RUNGS, Ladder, ProofRecord, Rung
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.notify import desk as desks
from lazarus_tui.notify.notice import Action, Notice, Severity
from lazarus_tui.notify.reading import Source
from tests.engine.world import fast_folder
from tests.notify.office import DELIVERED, LATER, Office, notice, operation, sink

RESOLVE = Action.RESOLVE


def proof(verdict: Verdict, n: int = 1, **fields: Any) -> Any:
    ladder = Ladder("shop", tuple(Rung(name, verdict) for name in RUNGS[:5]))
    record = ProofRecord(
        operation=f"{n:016x}", source="velero", point="nightly-1", namespace="shop", verdict=verdict, ladders=(ladder,)
    )
    facts = {"prove.record": msgspec.to_builtins(msgspec.structs.replace(record, **fields))}
    return operation(n, OpState.DONE, verdict=verdict, facts=facts, ended="2026-01-01T00:01:00Z")


ENDED = {"state": "done", "message": "", "exit_code": 2}


async def test_a_failed_proof_is_told_and_one_that_passes_resolves_it(office: Office) -> None:
    await office.boot()
    await office.happens(proof(Verdict.FAILED), "op.ended", ENDED)
    await office.happens(proof(Verdict.PASSED, 2), "op.ended", {**ENDED, "exit_code": 0})
    await office.happens(proof(Verdict.PASSED, 3), "op.ended", {**ENDED, "exit_code": 0})
    told = [(one.told, one.action) for one in office.post.notices]
    assert told == [("proof-failed", "trigger"), ("proof-passed", "resolve")], "the third has nothing to resolve"
    assert {one.key for one in office.post.notices} == {"proof/c@u/shop"}
    assert office.desk.outbox.waiting == ()


async def test_a_verdict_is_told_at_the_first_end_whichever_that_is(office: Office) -> None:
    """One proof is taken back before it ended; of another one the copy that was kept is, in front of another engine."""
    undone = {"state": "undone", "message": "undone on request", "exit_code": 2}
    await office.boot()
    await office.happens(proof(Verdict.FAILED), "op.ended", undone)
    assert [one.told for one in office.post.notices] == ["proof-failed"]
    await office.happens(proof(Verdict.FAILED, 2), "op.ended", ENDED)
    await office.kill()
    await office.boot()
    await office.happens(proof(Verdict.FAILED, 2), "op.ended", undone)
    assert [one.operation for one in office.post.notices] == [f"{1:016x}", f"{2:016x}"]


def of(point: str, day: int, verdict: Verdict, n: int) -> Any:
    return proof(verdict, n, point=point, point_start=f"2025-12-{day:02}T01:00:00Z")


async def test_an_older_point_that_passes_does_not_end_the_alarm_of_the_newest_one(office: Office) -> None:
    """Across a restart, and whichever of two failures was told last: what is newest has to be answered."""
    await office.boot()
    await office.happens(of("b9", 9, Verdict.FAILED, 1), "op.ended", ENDED)
    await office.happens(of("b3", 3, Verdict.FAILED, 2), "op.ended", ENDED)
    await office.happens(of("b3", 3, Verdict.PASSED, 3), "op.ended", ENDED)
    await office.kill()
    await office.boot()
    await office.happens(of("b8", 8, Verdict.PASSED, 4), "op.ended", ENDED)
    assert [(one.action, one.point) for one in office.post.notices] == [("trigger", "b9"), ("trigger", "b3")]
    assert list(office.desk.outbox.standing) == ["proof/c@u/shop"]
    await office.happens(of("b10", 10, Verdict.PASSED, 5), "op.ended", ENDED)
    assert [(one.action, one.point) for one in office.post.notices][2:] == [("resolve", "b10")]
    assert not office.desk.outbox.standing


async def test_a_proof_of_less_does_not_end_the_alarm_of_one_that_had_to_show_more(office: Office) -> None:
    await office.boot()
    await office.happens(of("b1", 1, Verdict.FAILED, 1), "op.ended", ENDED)
    exists = (Ladder("shop", (Rung("exists", Verdict.PASSED),)),)
    easy = proof(
        Verdict.PASSED, 2, point="b2", point_start="2025-12-02T01:00:00Z", ladders=exists, required=("exists",)
    )
    await office.happens(easy, "op.ended", ENDED)
    assert [one.action for one in office.post.notices] == ["trigger"]
    await office.happens(of("b3", 3, Verdict.PASSED, 3), "op.ended", ENDED)
    assert [one.action for one in office.post.notices] == ["trigger", "resolve"]


async def test_a_record_that_cannot_be_read_keeps_no_other_news_back(office: Office) -> None:
    await office.boot()
    find = office.journal.find

    async def spoiled(prefix: str) -> Any:
        if prefix.endswith("1"):
            raise ValueError("an operation's record was changed")
        return await find(prefix)

    office.desk._journal.find = spoiled  # type: ignore[method-assign]
    await office.journal.append(f"{1:016x}", ("op.ended", ENDED))
    await office.happens(proof(Verdict.FAILED, 2), "op.ended", ENDED)
    assert [one.operation for one in office.post.notices] == [f"{2:016x}"]


async def test_what_happened_before_there_was_a_sink_is_no_news(office: Office) -> None:
    office.sinks = ()
    await office.boot()
    await office.happens(proof(Verdict.FAILED), "op.ended", ENDED)
    await office.close()
    office.sinks = (sink(),)
    await office.boot()
    assert office.post.handed == []
    await office.happens(proof(Verdict.FAILED, 2), "op.ended", ENDED)
    assert len(office.post.handed) == 1


async def test_what_happened_while_nobody_told_is_told_by_the_next_engine(office: Office) -> None:
    """The engine dies after the journal has the end of a proof and before anything was queued of it."""
    await office.boot()
    office.desk.wake = lambda: None  # type: ignore[method-assign]
    await office.happens(proof(Verdict.FAILED), "op.ended", ENDED)
    assert office.post.handed == []
    await office.kill()
    await office.boot()
    assert [one.told for one in office.post.notices] == ["proof-failed"]


@pytest.mark.parametrize("lose", [False, True])
async def test_a_crash_between_sending_and_marking_sends_the_same_again(office: Office, lose: bool) -> None:
    """Receivers see it at least once, and always under one id."""
    arrived = asyncio.Event()
    office.post.script["siem"] = [arrived, DELIVERED]
    await office.boot()
    await office.happens(proof(Verdict.FAILED), "op.ended", ENDED)
    assert len(office.post.handed) == 1
    office.journal.lose, office.journal.severed = lose, True
    arrived.set()
    await office.kill(lose=lose)
    await office.boot()
    assert len(office.post.handed) == 2
    assert len({id for _, id in office.post.handed}) == 1
    await office.kill()
    await office.boot()
    assert len(office.post.handed) == 2, "what was taken and marked is never sent again"


async def test_a_crash_at_every_transaction_loses_nothing_and_changes_no_id(office: Office) -> None:
    """Cut before and after each of the journal's transactions, from the end of a proof until all is told."""
    await office.boot()
    await office.happens(proof(Verdict.FAILED), "op.ended", ENDED)
    whole = set(office.post.handed)
    await office.close()
    for cut in range(4):
        with fast_folder() as folder:
            other = Office(folder, sink(), sink("ops"))
            await other.boot()
            seen, run = [0], other.journal.run

            async def cutting(
                fn: Any, other: Office = other, seen: list[int] = seen, cut: int = cut, run: Any = run
            ) -> Any:
                other.journal.severed = other.journal.severed or seen[0] == cut + 1
                seen[0] += 1
                return await run(fn)

            other.journal.run = cutting  # type: ignore[method-assign]
            await other.happens(proof(Verdict.FAILED), "op.ended", ENDED)
            await other.kill()
            await other.boot()
            assert {id for _, id in other.post.handed} == {id for _, id in whole}, f"cut {cut}"
            assert {name for name, _ in other.post.handed} == {"siem", "ops"}, f"cut {cut}"
            assert other.desk.outbox.waiting == ()
            await other.close()


async def test_the_same_notice_is_queued_once(office: Office) -> None:
    await office.boot()
    await office.desk.tell([notice()])
    await office.desk.tell([notice()])
    await office.settle()
    await office.kill()
    await office.boot()
    await office.desk.tell([notice()])
    await office.settle()
    assert len(office.post.handed) == 1


async def test_who_is_told_is_what_the_settings_say(office: Office) -> None:
    office.sinks = (
        sink("all"), sink("grave", severities=("critical",)), sink("prod", contexts=("prod",)),
        sink("nightly", policies=("nightly",)),
    )  # fmt: skip
    await office.boot()
    await office.desk.tell([notice("a"), notice("b", severity=Severity.CRITICAL, context="prod", policy="nightly")])
    await office.settle()
    assert sorted(office.post.handed) == sorted(
        [("all", notice("a").id), *((name, notice("b").id) for name in ("all", "grave", "prod", "nightly"))]
    )


async def test_a_resolve_goes_to_those_who_were_told_and_to_nobody_else(office: Office) -> None:
    """The trouble was told as an error, then as a warning: who hears errors alone still hears that it is over."""
    office.sinks = (
        sink("errors", severities=("error",)),
        sink("warnings", severities=("warning",)),
        sink("x", contexts=("x",)),
    )
    await office.boot()
    await office.desk.tell([notice()])
    await office.desk.tell([notice(n=2, severity=Severity.WARNING)])
    await office.kill()
    await office.boot()
    await office.desk.tell([notice(action=RESOLVE, severity=Severity.INFO)])
    await office.settle()
    resolved = [name for name, id in office.post.handed if id == notice(action=RESOLVE).id]
    assert sorted(resolved) == ["errors", "warnings"]


async def test_a_day_old_trouble_is_not_news_but_its_end_is(office: Office) -> None:
    await office.boot()
    await office.desk.tell([notice("proof/c@u/shop", point="nightly-1")])
    await office.settle()
    office.desk.wake = lambda: None  # type: ignore[method-assign]
    await office.happens(proof(Verdict.PASSED, 1), "op.ended", {**ENDED, "exit_code": 0})
    await office.happens(proof(Verdict.FAILED, 2, workload="StatefulSet/db"), "op.ended", ENDED)
    await office.kill()
    office.clock._elapsed += 25 * 3600
    await office.boot()
    assert [one.told for one in office.post.notices] == ["proof-failed", "proof-passed"]


async def test_a_sink_that_left_the_settings_gives_its_notices_up(office: Office) -> None:
    office.sinks = (sink(), sink("ops"))
    office.post.script["ops"] = [LATER]
    await office.boot()
    await office.desk.tell([notice()])
    await office.settle()
    await office.kill()
    office.sinks = (sink(),)
    await office.boot()
    lost = [one for one in office.desk.outbox.parcels() if one.sink == "ops"]
    assert [(one.state, one.words) for one in lost] == [("given up", "the sink is no longer in the settings")]


async def test_an_error_of_our_own_in_sending_is_a_later_and_not_the_end(office: Office) -> None:
    office.post.script["siem"] = [RuntimeError("a bug"), DELIVERED]
    await office.boot()
    await office.desk.tell([notice()])
    await office.settle()
    assert [one.words for one in office.desk.outbox.waiting] == ["unexpected RuntimeError"]
    await office.pass_(desks.FIRST)
    assert [one.state for one in office.desk.outbox.parcels()] == ["sent"]


async def test_a_record_that_cannot_be_read_keeps_nothing_else_from_being_told(office: Office) -> None:
    await office.boot()
    broken = operation(1, OpState.DONE, facts={"prove.record": {"verdict": 7}})
    await office.happens(broken, "op.ended", ENDED)
    await office.happens(proof(Verdict.FAILED, 2), "op.ended", ENDED)
    assert [one.told for one in office.post.notices] == ["proof-inconclusive", "proof-failed"]


async def test_evidence_that_is_written_later_ends_what_its_lack_was_told_as(office: Office) -> None:
    await office.boot()
    begun = {"point_start": "2026-01-01T00:00:00Z"}
    await office.happens(proof(Verdict.INCONCLUSIVE, 1, **begun), "op.ended", ENDED)
    await office.happens(proof(Verdict.FAILED, 2, namespace="bank"), "op.ended", ENDED)
    await office.happens(proof(Verdict.PASSED, 1, **begun), WRITTEN, {"by": "me"})
    await office.happens(proof(Verdict.FAILED, 2, namespace="bank"), WRITTEN, {"by": "me"})
    assert [one.told for one in office.post.notices] == ["proof-inconclusive", "proof-failed", "proof-passed"]
    assert list(office.desk.outbox.standing) == ["proof/c@u/bank"]


async def test_an_error_of_our_own_in_reading_keeps_nothing_else_from_being_told(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.boot()
    real = desks.reading.read

    def read(source: Source) -> list[Notice]:
        if source.operation is not None and source.operation.id.endswith("1"):
            raise RuntimeError("a bug")
        return real(source)

    monkeypatch.setattr(desks.reading, "read", read)
    await office.happens(proof(Verdict.FAILED, 1), "op.ended", ENDED)
    await office.happens(proof(Verdict.FAILED, 2), "op.ended", ENDED)
    assert [one.operation[-1] for one in office.post.notices] == ["2"]


async def test_a_journal_that_cannot_be_written_sends_again_rather_than_not(office: Office) -> None:
    """Delivered, and the mark is refused: it waits, and is sent again when the journal can be written."""
    gate = asyncio.Event()
    office.post.script["siem"] = [gate, DELIVERED]
    await office.boot()
    await office.desk.tell([notice()])
    await office.settle()
    office.journal.severed = True
    gate.set()
    await office.settle()
    assert len(office.desk.outbox.waiting) == 1
    office.journal.severed = False
    await office.pass_(desks.LOOK)
    assert (len(office.post.handed), len(office.desk.outbox.waiting)) == (2, 0)


async def test_a_beat_goes_to_webhooks_that_were_told_and_is_not_kept(office: Office) -> None:
    slack = sink("ops", kind="slack", url="env:URL", secret="")
    office.sinks = (sink(), slack, sink("quiet", severities=("warning",)))
    await office.boot()
    await office.desk.beat(notice())
    assert office.post.handed == []
    await office.desk.tell([notice()])
    await office.settle()
    before = office.journal.newest
    await office.desk.beat(notice())
    assert office.post.handed[2:] == [("siem", notice().id)]
    assert office.journal.newest == before


async def test_what_is_kept_has_no_secrets_and_an_old_engine_can_open_it(office: Office) -> None:
    from lazarus_tui.notify.notice import Told, made

    await office.boot()
    text = "pull failed: Authorization: Bearer c4n4ryc4n4ryc4n4ry at https://x.example/y?sig=c4n4ryc4n4ry"
    given = made(Told.PARKED, Action.TRIGGER, Severity.ERROR, "k", "2026-01-01T00:00:00Z", text, text, context="c")
    await office.desk.tell([given])
    await office.settle()
    await office.close()
    assert b"c4n4ry" not in (office.folder / "engine.db").read_bytes()
    assert "c4n4ry" not in repr(office.post.notices)
    journal = await Journal.open(office.folder / "engine.db", clock=office.clock)
    assert journal.findings == (), "events alone: the tables are what they were"
    await journal.close()


async def test_how_far_the_journal_was_read_is_marked_now_and_then(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that had nothing to tell for years does not read the years again at each start."""
    monkeypatch.setattr(desks, "UNMARKED", 20)
    await office.boot()
    for n in range(30):
        await office.journal.append("", ("facts", {"n": n}))
    await office.desk.read_on()
    await office.kill()
    await office.boot()
    assert office.desk._read >= 30
    await office.happens(proof(Verdict.FAILED), "op.ended", ENDED)
    assert [one.told for one in office.post.notices] == ["proof-failed"]
