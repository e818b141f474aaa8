"""Whoever asks goes away while the journal keeps what was asked for: what it has and what the engine does stay one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from itertools import pairwise
from typing import Any

import pytest

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.ledger import Ledger
from lazarus_tui.journal import JournalError
from lazarus_tui.journal.records import Transaction
from lazarus_tui.kube.errors import NotSent
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.steps import Observation, Seen, StepContext
from tests.engine.world import Broken, Engine, Make, laboratory, plan_for, simple


async def asked_and_left(engine: Engine, work: Coroutine[Any, Any, Any], kind: str) -> None:
    """Cancelled, as the link does it, while the event ``kind`` is on its way into the journal."""
    asking, event = asyncio.create_task(work), Transaction.event

    async def kept(transaction: Transaction, op: str, found: str, body: Mapping[str, Any]) -> int:
        if found == kind:
            asking.cancel()
        return await event(transaction, op, found, body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transaction, "event", kept)
        with pytest.raises(asyncio.CancelledError):
            await engine.passing(asking)


async def test_what_the_journal_has_begun_runs_and_holds_its_target() -> None:
    async with laboratory() as (world, engine):
        plan = plan_for(world)
        await asked_and_left(engine, engine.runner.start(plan, plan.digest()), "op.begun")
        [begun] = engine.runner.open
        with pytest.raises(Refused, match="works on shop"):
            await engine.passing(engine.runner.start(plan, plan.digest()))
        assert (await engine.finish(begun.id)).state is OpState.DONE
        [known] = await engine.journal.operations()
        assert (known.id, known.state) == (begun.id, OpState.DONE)


async def test_an_undo_that_the_journal_has_takes_place_and_frees_the_target() -> None:
    async with laboratory() as (world, engine):
        done = await engine.run(plan_for(world, undo="the object goes"))
        assert done.can_undo
        await asked_and_left(engine, engine.runner.undo(done.id, done.target), "op.undoing")
        ended = await engine.finish(done.id)
        assert (ended.state, world.config("thing-00000000")) == (OpState.UNDONE, None)
        assert (await engine.run(plan_for(world))).state is OpState.DONE


async def test_an_operation_that_was_closed_in_the_journal_is_closed() -> None:
    kind = simple("ask", steps=(Make, Broken))
    async with laboratory(kind) as (world, engine):
        parked = await engine.run(plan_for(world, kind))
        closing = engine.runner.close_operation(parked.id, parked.target)
        await asked_and_left(engine, closing, "op.closed")
        closed = await engine.runner.get(parked.id)
        assert (closed.state, engine.runner.open, engine.published[-1]) == (OpState.LEFT_CHANGED, (), closed)
        assert (await engine.run(plan_for(world, kind))).state is OpState.FAILED, "the target is free: it begins"


async def test_an_undo_that_the_journal_does_not_take_leaves_the_target_free(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any, **__: Any) -> None:
        raise JournalError("the disk is full")

    async with laboratory() as (world, engine):
        done = await engine.run(plan_for(world, undo="the object goes"))
        with monkeypatch.context() as patch:
            patch.setattr(engine.journal, "save", full)
            with pytest.raises(Refused, match="the disk is full"):
                await engine.passing(engine.runner.undo(done.id, done.target))
        assert (await engine.run(plan_for(world))).state is OpState.DONE


async def test_an_undo_that_is_asked_for_while_the_end_is_kept_takes_place(monkeypatch: pytest.MonkeyPatch) -> None:
    conclude, asked = Ledger.conclude, list[asyncio.Task[Operation]]()

    async def slowly(ledger: Ledger, *entry: Any, **fields: Any) -> None:
        if not asked:
            asked.append(asyncio.create_task(engine.runner.undo(ledger.operation.id, "shop")))
            await engine.settle()
        await conclude(ledger, *entry, **fields)

    monkeypatch.setattr(Ledger, "conclude", slowly)
    async with laboratory() as (world, engine):
        plan = plan_for(world, undo="the object goes")
        begun = await engine.passing(engine.runner.start(plan, plan.digest()))
        assert (await engine.finish(begun.id)).state is not OpState.RUNNING
        assert (await engine.passing(asked[0])).state is OpState.UNDOING
        ended = await engine.finish(begun.id)
        assert (ended.state, world.config("thing-00000000")) == (OpState.UNDONE, None)


async def test_an_undo_that_was_asked_for_waits_for_a_silent_api_ever_longer() -> None:
    """And is not stopped by asking for it once more."""
    tries: list[float] = []

    class Silent(Make):
        async def undo(self, context: StepContext) -> None:
            tries.append(context.clock.monotonic())
            if len(tries) == 1:
                await engine.runner.undo(context.op)
            if len(tries) < 4:
                raise NotSent("connection refused")
            await super().undo(context)

    class Last(Make):
        name, mutates = "last", False

        async def observe(self, context: StepContext) -> Observation:
            await engine.runner.undo(context.op)
            return Observation(Seen.DONE)

    kind = simple(steps=(Silent, Last))
    async with laboratory(kind) as (world, engine):
        ended = await engine.run(plan_for(world, kind))
        assert ended.state is OpState.UNDONE, ended.message
        assert [round(after - before) for before, after in pairwise(tries)] == [1, 2, 4]


async def test_an_undo_that_is_asked_for_while_a_step_fails_takes_place() -> None:
    class Fails(Make):
        name = "fails"

        async def observe(self, context: StepContext) -> Observation:
            await engine.runner.undo(context.op)
            return Observation(Seen.FAILED, "it broke")

    kind = simple("ask", steps=(Make, Fails))
    async with laboratory(kind) as (world, engine):
        ended = await engine.run(plan_for(world, kind))
        assert (ended.state, ended.message, world.config("thing-00000000")) == (
            OpState.UNDONE,
            "undone on request",
            None,
        )


async def test_an_engine_that_closes_begins_nothing_and_the_next_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    async with laboratory() as (world, engine):
        plan = plan_for(world)
        monkeypatch.setattr(engine.runner, "_closing", False)
        begin = engine.journal.begin

        async def begun(*args: Any, **more: Any) -> Any:
            engine.runner._closing = True
            return await begin(*args, **more)

        monkeypatch.setattr(engine.journal, "begin", begun)
        await engine.passing(engine.runner.start(plan, plan.digest()))
        await engine.settle()
        assert world.config("thing-00000000") is None, "nothing was begun"
        [known] = await engine.journal.operations()
        assert known.state is OpState.RUNNING, "which the next engine takes up"
