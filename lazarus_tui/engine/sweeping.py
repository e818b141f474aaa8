"""The janitor at work: what proofs left standing goes when its time is over, in contexts that may be written to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.runner import Runner
from lazarus_tui.journal import Journal, JournalError
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.model.clock import Clock, within
from lazarus_tui.model.plan import Plan, PlanRefused
from lazarus_tui.prove.quarantine import removal
from lazarus_tui.prove.quarantine.janitor import Standing, State, standing

log = logging.getLogger(__name__)

# Seconds between two looks, at most and at least; after how long what did not go is tried again.
LOOK_AGAIN, SOONEST, TRY_AGAIN = 3600.0, 60.0, 4 * 3600.0

Planning = Callable[[str, str, Mapping[str, Any]], Awaitable[Plan]]  # kind, context, params


class Sweeping:
    """``writable``: whether a context may be changed now; ``plan`` plans on a context that is connected."""

    def __init__(
        self, runner: Runner, journal: Journal, clock: Clock, *, writable: Callable[[str], bool], plan: Planning
    ) -> None:
        self._runner, self._journal, self._clock = runner, journal, clock
        self._writable, self._plan = writable, plan
        self._tried: dict[tuple[str, str], float] = {}
        self._wakes: set[asyncio.Event] = set()

    def wake(self) -> None:
        """A proof has ended: what it left has a time of its own."""
        for one in self._wakes:
            one.set()

    async def run(self, cluster: Cluster, context: str) -> None:
        """For ever, for one connected context: when a proof ends, when something's time is over, every hour."""
        woken = asyncio.Event()
        self._wakes.add(woken)
        try:
            while True:
                woken.clear()
                pause = await self._next_look(cluster, context)
                with contextlib.suppress(TimeoutError):
                    await within(self._clock, pause, woken.wait())
        finally:
            self._wakes.discard(woken)

    async def _next_look(self, cluster: Cluster, context: str) -> float:
        """Look; the seconds until the next time."""
        try:
            found = await self.look(cluster, context)
        except (KubeError, JournalError) as error:
            log.info("quarantines in %s: %s", context, error)
            return LOOK_AGAIN
        now = self._clock.now()
        ends = [(one.until - now).total_seconds() for one in found if one.state is State.KEPT and one.until]
        return max(SOONEST, min([LOOK_AGAIN, *ends]))

    async def look(self, cluster: Cluster, context: str) -> list[Standing]:
        """What stands; the removal of what may go is begun. Raises ``KubeError`` and ``JournalError``."""
        found = await standing(cluster, self._clock.now(), self._journal.find)
        for op in sorted({one.op for one in found if one.state is State.DUE}):
            if self._writable(context) and self._in_turn(context, op):
                await self._begin(context, op)
        return found

    def _in_turn(self, context: str, op: str) -> bool:
        before, now = self._tried.get((context, op)), self._clock.monotonic()
        if before is not None and now - before < TRY_AGAIN:
            return False
        self._tried[context, op] = now
        return True

    async def _begin(self, context: str, op: str) -> None:
        proof = await self._journal.plan(op)
        if proof is None or proof.context != context:
            return
        try:
            plan = await self._plan(removal.KIND, context, {"proof": proof.params})
            await self._runner.start(plan, plan.digest(), plan.target)
            log.info("removing what proof %s left in %s", op[:8], context)
        except (PlanRefused, Refused) as error:
            log.info("what proof %s left in %s stays: %s", op[:8], context, error.what)
        except LinkFault as error:
            log.info("what proof %s left in %s stays: %s", op[:8], context, error.fault.what)
