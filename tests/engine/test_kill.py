"""Real processes, real SIGKILL: at every named point of every step the next engine brings the operation to its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from lazarus_tui.model.operation import OpState
from lazarus_tui.model.resources import CONFIGMAPS
from tests.engine.killed import serve
from tests.engine.world import World, fast_folder

ROOT = Path(__file__).parents[2]

# Two writes, three steps, one end.
GATE = ("before_intent", "after_intent", "after_reply", "after_result")
POINTS = [
    *(f"gate.{point}=kill9@{n}" for n in (1, 2) for point in GATE),
    *(f"runner.{point}=kill9@{n}" for n in (1, 2, 3) for point in ("before_step_done", "after_step_done")),
    "runner.before_end=kill9",
    "runner.after_end=kill9",
]  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
async def test_kill_9(point: str) -> None:
    with fast_folder() as folder:
        world = World(folder)
        server = await serve(world, str(folder / "s"))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.engine.killed", str(folder), str(folder / "s"), world.uid,
                env={**os.environ, "LAZARUS_FP": point}, cwd=ROOT,
            )  # fmt: skip
            assert await process.wait() == -signal.SIGKILL, "the point was reached"
        finally:
            server.close()
            await server.wait_closed()
        await _next_engine_finishes(world)


async def _next_engine_finishes(world: World) -> None:
    engine = await world.boot()
    try:
        assert engine.journal.findings == ()
        for operation in await engine.runner.recover():
            await engine.finish(operation.id)
        (done,) = await engine.journal.operations()
        assert (done.state, done.exit_code) == (OpState.DONE, 0)
        (thing,) = world.api.list(CONFIGMAPS, "shop", labels={"lazarus.io/op": done.id[:8]})
        assert thing["data"] == {"n": "1"}
        assert thing["metadata"]["uid"] == done.facts["uid"]
    finally:
        await engine.close()
