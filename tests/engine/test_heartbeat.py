"""The figure behind "nothing stalls the engine" must see a stall."""

from __future__ import annotations

import asyncio
import time

import pytest

from lazarus_tui.engine import heartbeat
from lazarus_tui.engine.heartbeat import Heartbeat


async def test_a_blocked_loop_is_seen_and_forgotten_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "PERIOD", 0.001)
    beat = Heartbeat()
    task = asyncio.create_task(beat.run())
    while beat.beats < 3:
        await asyncio.sleep(0.001)
    end = time.perf_counter() + 0.03
    while time.perf_counter() < end:
        pass
    before = beat.beats
    while beat.beats == before:
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert beat.worst >= 0.025
    assert beat.recent == beat.worst
    beat.reset()
    assert beat.worst == beat.recent == 0.0
