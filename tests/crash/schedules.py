"""kill -9 at every commit and every request of a scheduled run: one set per nominal time, and no run is forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.model.http import HttpRequest
from tests.crash.onethread import one_thread
from tests.engine.test_scheduler import CONTEXT, Desk, desk, policy
from tests.engine.world import step_on

NEVER = 10**9
# Looks of the next engine, ten seconds apart, after which a run that is not settled counts as forgotten.
LOOKS = 40
# Shares of a sweep, so that every core has one.
PARTS = 4


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


async def _part(part: int, stride: int) -> dict[str, Any]:
    whole = await life(NEVER, lose=False)
    cases = []
    for k in range(1 + part * stride, whole.points + 1, PARTS * stride):
        for lose in (False, True):
            found = await life(k, lose=lose)
            if not found.cut:
                found.breaches.append("it was not killed")
            who = "its commit lost" if lose else "its commit kept"
            cases.append({"at": k, "who": who, "state": "taken", "breaches": found.breaches})
    told = {"points": whole.points} if part == 0 else {}
    return {"name": "a policy's run", "breaches": whole.breaches, "cases": cases, **told}


def sweep(part: str, stride: int = 1) -> dict[str, Any]:
    """Both kinds of kill at every moment of one ``part`` of ``PARTS``; the first one also tells how many there are."""
    with one_thread():
        return asyncio.run(_part(int(part), stride))
