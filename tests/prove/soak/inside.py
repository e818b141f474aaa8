"""The cheap part, in this process and in virtual time: many proofs on one engine, then some at once."""

from __future__ import annotations

import asyncio
import gc
import os
from typing import Any

import pytest

from lazarus_tui.model.verdict import Verdict
from tests.prove.liars.hostile import changes, outside
from tests.prove.liars.orders import CHECKS, Shop
from tests.prove.proof.trial import trial
from tests.prove.soak.flat import descriptors

# Objects in memory that a proof may leave for good: its record among the engine's operations, some lines of logs.
KEPT_OBJECTS = 4000
# Seconds after which no controller of the sandbox waits for something of an earlier proof.
TIMERS = 900.0


async def soak(rows: int, at_once: int) -> dict[str, Any]:
    """Counts, and ``breaches`` in words."""
    breaches: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        async with trial(patch, Shop) as ground:
            params = {"checks": dict(CHECKS)}
            _ended(await ground.proven(**params), breaches)  # what is made once is made
            before, first = outside(ground), await _sizes(ground)
            for _ in range(rows):
                _ended(await ground.proven(**params), breaches)
            await _together(ground, at_once, params, breaches)
            last = await _sizes(ground)
            breaches += [*ground.remains(), *changes(before, outside(ground))]
    for what, was, now in zip(("tasks", "descriptors"), first, last, strict=False):
        if now > was:
            breaches.append(f"{what} grew from {was} to {now}")
    grown = (last[2] - first[2]) / (rows + at_once)
    if grown > KEPT_OBJECTS:
        breaches.append(f"{grown:.0f} objects stay in memory of each proof")
    return {"proofs": rows + 1, "at_once": at_once, "tasks": [first[0], last[0]], "descriptors": [first[1], last[1]],
            "objects_kept_of_each": round(grown), "breaches": breaches}  # fmt: skip


async def _sizes(ground: Shop) -> tuple[int, int, int]:
    """Tasks, descriptors and objects in memory, when the timers of controllers have run out."""
    engine = ground.engine
    assert engine is not None
    await engine.passing(ground.clock.sleep(TIMERS))
    await ground.quiet()
    gc.collect()
    return len(asyncio.all_tasks()), descriptors(os.getpid()), len(gc.get_objects())


async def _together(ground: Shop, count: int, params: dict[str, Any], breaches: list[str]) -> None:
    engine = ground.engine
    assert engine is not None
    plans = [await ground.planned(**params) for _ in range(count)]
    started = [await engine.passing(engine.runner.start(plan, plan.digest(), plan.target)) for plan in plans]
    for one in started:
        _ended(await engine.finish(one.id), breaches)


def _ended(done: Any, breaches: list[str]) -> None:
    if done.verdict is not Verdict.PASSED or done.exit_code:
        breaches.append(f"{done.target} ended {done.verdict} with {done.exit_code}: {done.message}")
