"""kill -9 at every commit and every request of a scheduled run: one set per nominal time, and the run is not forgotten.

``python -m tests.crash.schedules`` goes through all of them; its last line is one JSON object of counts.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field

from lazarus_tui.model.http import HttpRequest
from tests.engine.test_scheduler import CONTEXT, Desk, desk, policy
from tests.engine.world import step_on

NEVER = 10**9
# Looks of the next engine, ten seconds apart, after which a run that is not settled counts as forgotten.
LOOKS = 40


@dataclass
class Kill:
    """Severs the engine at the ``k``-th commit or request; ``lose``: that commit does not reach the disk."""

    it: Desk
    k: int
    lose: bool
    points: int = 0
    dead: bool = False

    def arm(self) -> None:
        journal, wire = self.it.engine.journal, self.it.engine.wire
        commit = journal.run

        async def run(fn: object) -> object:
            self._tick()
            return await commit(fn)  # type: ignore[arg-type]

        async def before(request: HttpRequest) -> None:
            self._tick()
            if wire.cut:
                raise ConnectionResetError("severed")

        journal.run, wire.before = run, before  # type: ignore[method-assign, assignment]

    def _tick(self) -> None:
        self.points += 1
        if self.points == self.k:
            self.dead = True
            self.it.engine.sever(lose=self.lose)


@dataclass
class Life:
    points: int
    cut: bool
    sets: list[str]
    breaches: list[str] = field(default_factory=list)


async def life(k: int, *, lose: bool) -> Life:
    """A policy whose retention is agreed to took two sets; its third run is killed, and the next engine goes on."""
    async with desk() as it:
        await it.store(policy(retention={"keep_last": 1}))
        await it.after(4.5)
        held = await it.after(5)
        await it.policies.accept(held, held.dry_run)
        await it.stage.clock.advance(5 * 60)
        kill = Kill(it, k, lose)
        kill.arm()
        await it.engine.passing(it.scheduler.look())
        while not kill.dead and it.scheduler.working():
            await it.engine.settle()
            await step_on(it.stage.clock)
        await it.scheduler.close()
        again = await it.reborn()
        for operation in again.engine.runner.open:
            await again.engine.finish(operation.id)
        held = await again.look()
        for _ in range(LOOKS):
            if held.pending is None:
                break
            await it.stage.clock.advance(10)
            held = await again.look()
        found = Life(kill.points, kill.dead, it.ids())
        if held.outcome != "taken":
            found.breaches.append(f"the run is {held.outcome or 'forgotten'}: {held.why or held.waiting}")
        if len(found.sets) not in (1, 3):  # pruned whole, or not yet
            found.breaches.append(f"sets: {found.sets}")
        if not all(one.usable for one in it.stage.sets()):
            found.breaches.append("a set is not whole")
        assert again.policies.get(CONTEXT, "often") is held
        return found


async def sweep() -> int:
    began, total, cuts, breaches = time.monotonic(), (await life(NEVER, lose=False)).points, 0, 0
    for k in range(1, total + 1):
        for lose in (False, True):
            found = await life(k, lose=lose)
            cuts, breaches = cuts + found.cut, breaches + len(found.breaches)
            for line in found.breaches:
                sys.stderr.write(f"killed at {k}, lose={lose}: {line}\n")
    counts = {"points": total, "cases": 2 * total, "cut": cuts, "breaches": breaches}
    sys.stdout.write(json.dumps({**counts, "seconds": round(time.monotonic() - began, 1)}) + "\n")
    return int(breaches > 0 or cuts < total)


if __name__ == "__main__":
    sys.exit(asyncio.run(sweep()))
