"""When an engine may end by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lazarus_tui.config import Settings
from lazarus_tui.engine.idle import GRACE, IdleWatch, idle_seconds
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.sandbox.clock import VirtualClock


class Scene:
    def __init__(self, seconds: float) -> None:
        self.clock = VirtualClock()
        self.busy = False
        self.watch = IdleWatch(self.clock, seconds, lambda: self.busy)
        self.task = asyncio.create_task(self.watch.run())

    async def over_after(self, seconds: float) -> bool:
        await self.clock.advance(seconds)
        return self.task.done()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene(10)
    yield scene
    scene.task.cancel()
    await asyncio.gather(scene.task, return_exceptions=True)


async def test_whoever_started_it_gets_time_to_connect(scene: Scene) -> None:
    assert not await scene.over_after(GRACE - 1)
    assert await scene.over_after(2)


async def test_it_ends_ten_seconds_after_the_last_client_left(scene: Scene) -> None:
    await scene.clock.advance(1)
    scene.watch.peers(2)
    assert not await scene.over_after(3600)
    scene.watch.peers(1)
    assert not await scene.over_after(3600)
    scene.watch.peers(0)
    assert not await scene.over_after(9.5)
    assert await scene.over_after(1.5)


async def test_a_client_that_comes_back_in_time_keeps_it(scene: Scene) -> None:
    scene.watch.peers(1)
    scene.watch.peers(0)
    await scene.clock.advance(9)
    scene.watch.peers(1)
    assert not await scene.over_after(60)


async def test_it_never_ends_with_an_operation_open(scene: Scene) -> None:
    scene.busy = True
    scene.watch.peers(1)
    scene.watch.peers(0)
    assert not await scene.over_after(7200)
    scene.busy = False
    assert await scene.over_after(2)


def test_how_long_an_unwatched_engine_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LAZARUS_ENGINE_IDLE", raising=False)
    ordinary, sandbox = (StateRoot(kind, env={"LAZARUS_STATE": str(tmp_path)}) for kind in (False, True))
    assert idle_seconds(Settings(), ordinary) == 60
    # Engine and sandbox together have ten seconds.
    assert idle_seconds(Settings(), sandbox) <= 5
    sandbox.cluster.mkdir(parents=True)
    (sandbox.cluster / "keep").touch()
    assert idle_seconds(Settings(), sandbox) == 60
    monkeypatch.setenv("LAZARUS_ENGINE_IDLE", "3")
    assert idle_seconds(Settings(), ordinary) == 3
    monkeypatch.setenv("LAZARUS_ENGINE_IDLE", "soon")
    assert idle_seconds(Settings(), ordinary) == 60
