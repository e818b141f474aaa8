"""An undo that was asked for takes place: at the last moment of an operation, and after a defect of our own."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.journal import JournalError
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.steps import Observation, Seen, StepContext
from tests.engine.world import Broken, Make, laboratory, plan_for, simple


async def test_an_undo_that_is_asked_for_during_the_last_step_is_not_lost() -> None:
    class Last(Make):
        name, mutates = "last", False

        async def observe(self, context: StepContext) -> Observation:
            await engine.runner.undo(context.op)
            return Observation(Seen.DONE)

    kind = simple(steps=(Make, Last))
    async with laboratory(kind) as (world, engine):
        ended = await engine.run(plan_for(world, kind))
        assert (ended.state, ended.message) == (OpState.UNDONE, "undone on request")
        assert world.config("thing-00000000") is None


async def test_an_undo_in_which_the_engine_failed_is_resumed_as_an_undo() -> None:
    failing = True

    class Buggy(Make):
        async def undo(self, context: StepContext) -> None:
            if failing:
                raise KeyError("a defect")
            await super().undo(context)

    class Mended(Broken):
        async def observe(self, context: StepContext) -> Observation:
            return await super().observe(context) if failing else Observation(Seen.DONE)

    kind = simple("auto", steps=(Buggy, Mended))
    async with laboratory(kind) as (world, engine):
        parked = await engine.run(plan_for(world, kind))
        assert (parked.state, parked.message) == (OpState.PARKED, "unexpected KeyError in the engine")
        failing = False
        await engine.runner.resume(parked.id)
        ended = await engine.finish(parked.id)
        assert (ended.state, world.config("thing-00000000")) == (OpState.UNDONE, None)


async def test_an_end_that_the_journal_does_not_have_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full just when an undo ends, and has room again right after: it is resumed as an undo."""
    kind = simple("ask", steps=(Make, Broken))
    async with laboratory(kind) as (world, engine):
        parked = await engine.run(plan_for(world, kind))
        save, full = engine.journal.save, True

        async def filled(operation: Operation, *entries: tuple[str, Any], **more: Any) -> Any:
            nonlocal full
            if full and any(kind == "op.ended" for kind, _ in entries):
                full = False
                raise JournalError("the disk is full")
            return await save(operation, *entries, **more)

        monkeypatch.setattr(engine.journal, "save", filled)
        await engine.runner.undo(parked.id, parked.target)
        again = await engine.finish(parked.id)
        assert (again.state, again.message) == (OpState.PARKED, "the disk is full")
        assert OpState.UNDONE not in {seen.state for seen in engine.published}
        await engine.runner.resume(parked.id)
        ended = await engine.finish(parked.id)
        assert (ended.state, world.config("thing-00000000")) == (OpState.UNDONE, None)
