"""The disk of the journal fills up: no intent kept, no write sent; with room again it goes on."""

from __future__ import annotations

import pytest

from lazarus_tui.engine.errors import Refused
from lazarus_tui.journal.records import Transaction
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.steps import StepContext
from tests.engine.world import Change, Engine, Make, laboratory, plan_for, simple


async def pages(engine: Engine, limit: int | None) -> None:
    """Let the journal's file hold ``limit`` pages more than now; None: as many as it likes."""

    async def cap(transaction: Transaction) -> None:
        used = next(iter(await transaction.db.execute_fetchall("PRAGMA page_count")))[0]
        wanted = 1_000_000 if limit is None else used + limit
        await transaction.db.execute(f"PRAGMA max_page_count={wanted}")

    await engine.journal.run(cap)


async def test_nothing_is_started_that_cannot_be_journalled() -> None:
    async with laboratory() as (world, engine):
        await pages(engine, 0)

        async def until_it_is_full() -> None:
            for _ in range(200):
                await engine.run(plan_for(world))

        with pytest.raises(Refused, match="nothing was started") as refused:
            await until_it_is_full()
        assert "df " in refused.value.hint
        sent = len(world.sent)
        with pytest.raises(Refused):
            await engine.runner.start(plan_for(world), plan_for(world).digest())
        assert len(world.sent) == sent
        await pages(engine, None)
        assert (await engine.run(plan_for(world))).state is OpState.DONE


async def test_a_disk_that_fills_up_in_the_middle_parks_and_later_it_goes_on() -> None:
    class Filling(Make):
        full = False

        async def act(self, context: StepContext) -> None:
            if not Filling.full:
                Filling.full = True
                await pages(engine, 0)
                await context.remember(filler="y" * 20_000)
            await super().act(context)

    kind = simple("ask", steps=(Filling, Change))
    async with laboratory(kind) as (world, engine):
        parked = await engine.run(plan_for(world, kind))
        assert parked.state is OpState.PARKED
        assert "the journal cannot be written" in parked.message
        assert "df " in parked.hint
        assert world.sent == [], "no intent, no write"
        await pages(engine, None)
        await engine.runner.resume(parked.id)
        assert (await engine.finish(parked.id)).state is OpState.DONE
        assert len([sent for sent in world.sent if sent.method == "POST"]) == 1
