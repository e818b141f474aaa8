"""The journal's disk is full from its N-th commit on, for every N: no row, no write; with room again it goes on.

``python -m tests.crash.disk``; its last line is one JSON object of counts. ``QUICK=1`` takes every 10th.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

from lazarus_tui.model.operation import Operation
from tests.crash.operations import SCENES
from tests.crash.ordeal import Hardship, Ordeal, Told
from tests.crash.tally import Case, tallied
from tests.engine.world import Engine
from tests.snapshots.stage import Stage, staged

NEVER = 0
SQLITE_FULL = 13


class FullDisk(Hardship):
    """Commits from the ``n``-th on fail as SQLite fails, until there is room."""

    def __init__(self, n: int) -> None:
        self.n, self.commits, self.room, self.sent = n, 0, False, 0

    def begin(self, engine: Engine, stage: Stage) -> None:
        run = engine.journal.run

        async def full(fn: Any) -> Any:
            self.commits += 1
            if self.room or not self.n or self.commits < self.n:
                return await run(fn)

            async def fails(transaction: Any) -> Any:
                await fn(transaction)
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = SQLITE_FULL
                raise error

            if not self.hits:
                self.sent = len(stage.sent)
            self.hits += 1
            return await run(fails)

        engine.journal.run = full  # type: ignore[method-assign]

    async def mend(self, stage: Stage) -> None:
        self.room = True

    def seen(self, parked: Operation, stage: Stage) -> Sequence[str]:
        found = []
        if "the journal cannot be written" not in parked.message or "df " not in parked.hint:
            found.append(f"it waits, and says {parked.message!r}, {parked.hint!r}")
        if len(stage.sent) != self.sent:
            found.append(f"sent on a full disk: {stage.sent[self.sent :]}")
        return found


async def case(name: str, n: int, *, reborn: bool) -> tuple[int, Told]:
    """One operation in a world of its own: its commits, and what came of it."""
    scene = SCENES[name]
    async with staged(replicas=scene.replicas) as (stage, engine):
        disk = FullDisk(n)
        told = await Ordeal(scene, stage, engine, disk, reborn=reborn).run()
        return disk.commits, told


def work(given: tuple[str, int, bool]) -> Case:
    name, n, reborn = given
    commits, told = asyncio.run(case(name, n, reborn=reborn))
    return Case(f"{name}, full at commit {n}, {'a new engine' if reborn else 'the same engine'}", told, commits)


def everything(stride: int) -> list[tuple[str, int, bool]]:
    """Every commit of every operation; every other one is taken up by a new engine."""
    found = []
    for name in SCENES:
        commits = work((name, NEVER, False)).size
        found += [(name, n, n % 2 == 1) for n in range(1, commits + 1, stride)]
    return found


if __name__ == "__main__":
    sys.exit(tallied("full disk", work, everything))
