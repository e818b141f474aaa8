"""The old volumes go only when they are released, and after that no undo begins that could not end."""

from __future__ import annotations

import pytest

from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import CONFIGMAPS, VOLUMES
from tests.engine.world import Engine
from tests.snapshots.stage import Stage, staged
from tests.snapshots.test_inplace import all_say, prepared, undo, volumes


async def release(stage: Stage, engine: Engine, op: str) -> Operation:
    work = engine.registry.plan("snapshots.release", engine.cluster, {"operation": op}, stage.clock)
    plan = await engine.passing(work)
    assert len(plan.losses) == 2
    return await engine.run(plan, plan.target)


async def test_released_volumes_are_gone_and_the_restored_data_is_not() -> None:
    async with staged(replicas=2) as (stage, engine):
        old = await prepared(stage)
        done = await stage.restore(engine)
        released = await release(stage, engine, done.id[:8])
        assert (released.state, released.message) == (OpState.DONE, "")
        assert all(stage.get(VOLUMES, name) is None for name in old.values())
        assert stage.get(CONFIGMAPS, f"lazarus-capsule-{done.id[:8]}") is None
        assert all_say(stage, "before")
        assert stage.ready() == 2


async def test_an_undo_after_the_release_touches_nothing() -> None:
    async with staged(replicas=2) as (stage, engine):
        await prepared(stage)
        done = await stage.restore(engine)
        await release(stage, engine, done.id)
        now, sent = volumes(stage), len(stage.sent)
        ended = await undo(engine, done)
        assert ended.state is OpState.DONE
        assert "there is nothing to go back to" in ended.message
        assert volumes(stage) == now
        assert len(stage.sent) == sent
        assert all_say(stage, "before")


async def test_what_was_undone_or_is_not_finished_is_not_released() -> None:
    async with staged(replicas=2) as (stage, engine):
        old = await prepared(stage)
        done = await stage.restore(engine)
        await undo(engine, done)
        with pytest.raises(PlanRefused, match="no capsule tells of an operation"):
            await release(stage, engine, done.id)
        assert volumes(stage) == old
