"""What a person decides meanwhile: park, resume, undo, disarm, stop the engine."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.engine.errors import Refused
from lazarus_tui.journal.records import Transaction
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import StepContext, StepStopped
from tests.engine.world import CONTEXT, Broken, Change, Engine, Make, Wait, laboratory, plan_for, simple


async def test_park_stops_at_a_safe_point_and_resume_goes_on() -> None:
    async with laboratory() as (world, engine):
        begun = await engine.runner.start(plan_for(world), plan_for(world).digest())
        for _ in range(3):
            await engine.settle()
        await engine.runner.park(begun.id)
        parked = await engine.finish(begun.id)
        assert parked.state is OpState.PARKED
        assert engine.runner.open == (parked,)
        await engine.runner.resume(begun.id)
        assert (await engine.finish(begun.id)).state is OpState.DONE


async def test_undo_of_a_running_operation() -> None:
    async with laboratory() as (world, engine):
        begun = await engine.runner.start(plan_for(world), plan_for(world).digest())
        while world.config("thing-00000000") is None:
            await engine.settle()
        await engine.runner.undo(begun.id)
        undone = await engine.finish(begun.id)
        assert (undone.state, undone.message) == (OpState.UNDONE, "undone on request")
        assert world.config("thing-00000000") is None


async def test_disarming_parks_at_the_next_write() -> None:
    async with laboratory() as (world, engine):
        begun = await engine.runner.start(plan_for(world), plan_for(world).digest())
        while world.config("thing-00000000") is None:
            await engine.settle()
        engine.runner.revoke(CONTEXT)
        parked = await engine.finish(begun.id)
        assert parked.state is OpState.PARKED
        assert "read-only" in parked.message
        assert [sent.method for sent in world.sent] == ["POST"]


async def test_arming_again_before_the_next_write_goes_on() -> None:
    async with laboratory() as (world, engine):
        begun = await engine.runner.start(plan_for(world), plan_for(world).digest())
        while world.config("thing-00000000") is None:
            await engine.settle()
        engine.runner.revoke(CONTEXT)
        engine.runner.permit(CONTEXT)
        assert (await engine.finish(begun.id)).state is OpState.DONE


async def test_stopping_the_engine_with_park_leaves_a_parked_operation() -> None:
    async with laboratory() as (world, engine):
        begun = await engine.runner.start(plan_for(world), plan_for(world).digest())
        while world.config("thing-00000000") is None:
            await engine.settle()
        await engine.passing(engine.runner.close(park=True))
        assert (await engine.journal.operations())[0].state is OpState.PARKED
        with pytest.raises(Refused, match="stopping"):
            await engine.runner.start(plan_for(world, target="x"), plan_for(world, target="x").digest())
        await engine.journal.close()
        again = await world.boot()
        assert [found.state for found in await again.runner.recover()] == [OpState.PARKED]
        await again.runner.resume(begun.id)
        assert (await again.finish(begun.id)).state is OpState.DONE


async def test_stopping_the_engine_without_park_goes_on_with_the_next() -> None:
    async with laboratory() as (world, engine):
        begun = await engine.runner.start(plan_for(world), plan_for(world).digest())
        while world.config("thing-00000000") is None:
            await engine.settle()
        await engine.close()
        again = await world.boot()
        (recovered,) = await again.runner.recover()
        assert (recovered.id, recovered.recoveries) == (begun.id, 1)
        assert (await again.finish(begun.id)).state is OpState.DONE
        assert sum(sent.method == "POST" for sent in world.sent) == 1


async def test_an_undo_that_was_parked_goes_on_undoing() -> None:
    class Guarded(Make):
        async def undo(self, context: StepContext) -> None:
            if guarded:
                raise StepStopped("not now", park=True)
            await super().undo(context)

    guarded, kind = True, simple("auto", steps=(Guarded, Broken))
    async with laboratory(kind) as (world, engine):
        parked = await engine.run(plan_for(world, kind))
        assert (parked.state, parked.message) == (OpState.PARKED, "not now")
        guarded = False
        await engine.runner.resume(parked.id)
        undone = await engine.finish(parked.id)
        assert undone.state is OpState.UNDONE
        assert world.config("thing-00000000") is None


async def test_what_is_done_can_be_taken_back_by_name_where_the_plan_promised_it() -> None:
    async with laboratory(simple("ask")) as (world, engine):
        plain = await engine.run(plan_for(world))
        assert not plain.can_undo
        with pytest.raises(Refused, match="nothing to undo"):
            await engine.runner.undo(plain.id, plain.target)
        promise = msgspec.structs.replace(plan_for(world), undo="the thing goes again")
        idle = await engine.run(promise)
        assert (idle.state, idle.can_undo) == (OpState.DONE, False), "it found the thing made, and changed nothing"
        world.api.delete(CONFIGMAPS, "thing-00000000", "shop")
        done = await engine.run(promise)
        assert (done.state, done.can_undo) == (OpState.DONE, True)
        with pytest.raises(Refused, match=r"the thing goes again.*needs the name") as refused:
            await engine.runner.undo(done.id)
        assert f"--confirm {done.target}" in refused.value.hint
        await engine.runner.undo(done.id, done.target)
        assert (await engine.finish(done.id)).state is OpState.UNDONE


async def test_an_undo_that_is_refused_leaves_what_is_done_as_done() -> None:
    shared = True

    class Shared(Make):
        async def undo(self, context: StepContext) -> None:
            if shared:
                raise StepStopped("somebody else uses it", hint="move it away")
            await super().undo(context)

    kind = simple("ask", steps=(Shared,))
    async with laboratory(kind) as (world, engine):
        done = await engine.run(plan_for(world, kind, undo="the thing goes again"))
        await engine.runner.undo(done.id, done.target)
        refused = await engine.finish(done.id)
        assert (refused.state, refused.exit_code, refused.can_undo) == (OpState.DONE, 0, True)
        assert (refused.message, refused.hint) == ("not taken back: somebody else uses it", "move it away")
        assert world.config("thing-00000000") is not None
        shared = False
        await engine.runner.undo(done.id, done.target)
        assert (await engine.finish(done.id)).state is OpState.UNDONE
        assert world.config("thing-00000000") is None


async def _pages(engine: Engine, extra: int) -> None:
    """Let the journal's file grow by at most ``extra`` pages from now on."""

    async def cap(transaction: Transaction) -> None:
        pages = next(iter(await transaction.db.execute_fetchall("PRAGMA page_count")))[0]
        await transaction.db.execute(f"PRAGMA max_page_count={pages + extra}")

    await engine.journal.run(cap)


async def test_a_full_disk_in_the_middle_parks_without_a_further_write_and_resumes() -> None:
    class Verbose(Wait):
        async def act(self, context: StepContext) -> None:
            await context.remember(began=context.clock.monotonic(), long="x" * 50_000)

    kind = simple(steps=(Make, Verbose, Change))
    async with laboratory(kind) as (world, engine):
        begun = await engine.runner.start(plan_for(world, kind), plan_for(world, kind).digest())
        while world.config("thing-00000000") is None:
            await engine.settle()
        await _pages(engine, 6)
        parked = await engine.finish(begun.id)
        live = engine.runner.open[0]
        assert live.state is OpState.PARKED
        assert "full" in live.message
        assert [sent.method for sent in world.sent] == ["POST"], "no row, no write"
        await _pages(engine, 1_000_000)
        await engine.runner.resume(parked.id)
        assert (await engine.finish(parked.id)).state is OpState.DONE
