"""What a proof costs beyond Velero's restore, the start of the copy and its checks; and how well many share a cluster.

On the in-process sandbox: waits are counted by its virtual clock, and the time that this process computes is added, so
that nothing of ours is free. Volumes come back as slowly as those of a small application.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from bench.rows import Row, at_most, below
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.sandbox.dataplane.copy import tree_bytes
from tests.prove.liars.orders import CHECKS, Shop
from tests.prove.proof.trial import trial

# Seconds that the volume of one takes to come back: 15 GB at 50 MB/s. Of the many: once Velero is what they wait for,
# once their number.
ONE, EACH_OF_MANY = 300.0, (60.0, 2.0)
MANY, PARALLEL = 20, 4
# Phases of the recovery time that are Velero's, the cluster's, and the checks' own.
THEIRS = ("queue", "again", "objects", "volumes", "finish", "scheduling", "pull", "start", "checks")
PARAMS: dict[str, Any] = {"checks": dict(CHECKS)}


def rows() -> list[Row]:
    return asyncio.run(_rows())


async def _rows() -> list[Row]:
    with pytest.MonkeyPatch.context() as patch:
        async with trial(patch, Shop) as ground:
            for number in range(MANY):
                await ground.backup(f"many-{number}")
            _slow(ground, ONE)
            began, computed = ground.clock.monotonic(), time.process_time()
            done = await ground.proven(**PARAMS)
            _passed(done)
            whole = ground.clock.monotonic() - began + time.process_time() - computed
            ours = whole - sum(phase.seconds for phase in _phases(done) if phase.name in THEIRS)
            schedules = []
            for seconds in EACH_OF_MANY:
                _slow(ground, seconds)
                single = await ground.proven(**PARAMS)
                schedules.append((seconds, await _many(ground), _ideal(single)))
    return [
        below("proof of a restore of 5 minutes, our share", 100 * ours / whole, 10, "%"),
        below("proof, our seconds beyond restore, start and checks", ours, 60, "s"),
        *(
            at_most(f"{MANY} proofs, {PARALLEL} at once, volumes of {each:g} s", took, ideal, 1.15, "s",
                    "the ideal schedule")
            for each, took, ideal in schedules
        ),
    ]  # fmt: skip


def _slow(ground: Shop, seconds: float) -> None:
    ground.cluster.velero.disk.speed = tree_bytes(ground.file("prod").parent) / seconds


def _phases(done: Operation) -> Any:
    return done.figures.rta_phases if done.figures else ()


def _passed(done: Operation) -> None:
    if done.verdict is not Verdict.PASSED:
        raise RuntimeError(f"{done.title} ended {done.verdict}: {done.message}")


async def _many(ground: Shop) -> float:
    """Seconds for all of them, at most ``PARALLEL`` under way."""
    engine = ground.engine
    assert engine is not None
    plans = [await ground.planned(point=f"many-{number}", **PARAMS) for number in range(MANY)]
    room, began = asyncio.Semaphore(PARALLEL), ground.clock.monotonic()

    async def prove(plan: Any) -> None:
        async with room:
            started = await engine.runner.start(plan, plan.digest(), plan.target)
            _passed(await engine.runner.wait(started.id))

    await engine.passing(asyncio.gather(*(prove(plan) for plan in plans)))
    return ground.clock.monotonic() - began


def _ideal(single: Operation) -> float:
    """No schedule is shorter: Velero restores one at a time, and ``PARALLEL`` proofs are under way at most."""
    begin, end = parse_rfc3339(single.started), parse_rfc3339(str(single.ended))
    asked, over = (parse_rfc3339(str(single.facts[key])) for key in ("restore.t4", "restore.t8"))
    restores = (over - asked).total_seconds()
    alone = (end - begin).total_seconds()
    return max(alone - restores + MANY * restores, alone * MANY / PARALLEL)
