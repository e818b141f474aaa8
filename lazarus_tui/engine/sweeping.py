"""The janitor at work: what proofs left standing goes when its time is over, in contexts that may be written to, and
where a policy had the consent to write; until then the engine stays."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from lazarus_tui.engine.beginning import DECISIONS, consent
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
# How long after its time something is waited for: until the next look has begun to remove it.
_SLACK = timedelta(seconds=2 * SOONEST)

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
        self._kept: dict[str, list[Standing]] = {}  # by context, as the last look found them
        self._owed: dict[str, float] = {}  # contexts where a proof has ended since the last look, and when

    def wake(self, context: str = "") -> None:
        """An operation has ended. ``context``: where a proof has, and what it left has a time of its own."""
        if context:
            self._owed[context] = self._clock.monotonic()
        for one in self._wakes:
            one.set()

    def stays_for(self) -> tuple[str, ...]:
        """What is kept and has to be removed when its time is over, in words: the engine does not end by itself
        before. Nothing keeps it that it could not remove, or that it tried to."""
        now = self._clock.now()
        found = [self._words(context, one) for context, all in self._kept.items() for one in all if _waits(one, now)]
        owed = [context for context, since in self._owed.items() if self._clock.monotonic() - since < LOOK_AGAIN]
        return (*found, *(f"{context}: what a proof left is looked for" for context in owed))

    def _words(self, context: str, one: Standing) -> str:
        until = f"{one.until:%Y-%m-%d %H:%M} UTC" if one.until else "its time is over"
        read_only = "" if self._writable(context) else "; it goes when that context may be written to"
        return f"{context}: {one.kind} {one.name} of proof {one.op[:8]} is kept until {until}{read_only}"

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
            return SOONEST if context in self._owed else LOOK_AGAIN
        now = self._clock.now()
        ends = [(one.until - now).total_seconds() for one in found if one.state is State.KEPT and one.until]
        return max(SOONEST, min([LOOK_AGAIN, *ends]))

    async def look(self, cluster: Cluster, context: str) -> list[Standing]:
        """What stands; the removal of what may go is begun. Raises ``KubeError`` and ``JournalError``."""
        began = self._clock.monotonic()
        found = await standing(cluster, self._clock.now(), self._journal.find)
        self._kept[context] = [one for one in found if one.state is State.KEPT]
        for op in sorted({one.op for one in found if one.state is State.DUE}):
            by = consent(await self._journal.events(op, *DECISIONS))
            if (by or self._writable(context)) and self._in_turn(context, op):
                await self._begin(context, op, by)
        if self._owed.get(context, began) <= began:
            self._owed.pop(context, None)
        return found

    def _in_turn(self, context: str, op: str) -> bool:
        now = self._clock.monotonic()
        self._tried = {key: tried for key, tried in self._tried.items() if now - tried < TRY_AGAIN}
        if (context, op) in self._tried:
            return False
        self._tried[context, op] = now
        return True

    async def _begin(self, context: str, op: str, by: str) -> None:
        """``by``: the policy that the proof ran for, whose consent was for all that the proof does."""
        proof = await self._journal.plan(op)
        if proof is None or proof.context != context:
            return
        try:
            plan = await self._plan(removal.KIND, context, {"proof": proof.params})
            await self._runner.start(plan, plan.digest(), plan.target, by=by)
            log.info("removing what proof %s left in %s", op[:8], context)
        except (PlanRefused, Refused) as error:
            log.info("what proof %s left in %s stays: %s", op[:8], context, error.what)
        except LinkFault as error:
            log.info("what proof %s left in %s stays: %s", op[:8], context, error.fault.what)


def _waits(one: Standing, now: datetime) -> bool:
    return one.until is not None and now < one.until + _SLACK
