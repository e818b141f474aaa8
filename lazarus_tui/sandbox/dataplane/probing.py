"""The probes of one run of a container, and what follows from their answers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from lazarus_tui.model.clock import Clock
from lazarus_tui.sandbox.dataplane.containers import Record
from lazarus_tui.sandbox.dataplane.launcher import Running
from lazarus_tui.sandbox.dataplane.probes import Probe, Verdict


class Prober:
    """Asks until cancelled: the startup probe first, then readiness and liveness side by side.

    ``attempt`` answers what is wrong, or ``""``. Answers that came while the pod was ``frozen`` do not count.
    """

    def __init__(
        self,
        container: dict[str, Any],
        record: Record,
        running: Running,
        clock: Clock,
        attempt: Callable[[Probe], Awaitable[str]],
        *,
        frozen: Callable[[], bool],
        changed: Callable[[], None],
        happened: Callable[[str, str, str], None],
        grace: float,
    ) -> None:
        self._container, self._record, self._running, self._clock = container, record, running, clock
        self._attempt, self._frozen, self._changed, self._happened = attempt, frozen, changed, happened
        self._grace = grace

    async def run(self) -> None:
        startup = Probe.of(self._container.get("startupProbe"))
        if startup and not await self._probe("Startup", startup, self._started):
            await self._restart("startup")
            return
        readiness, liveness = (Probe.of(self._container.get(f"{kind}Probe")) for kind in ("readiness", "liveness"))
        async with asyncio.TaskGroup() as group:
            if readiness:
                group.create_task(self._probe("Readiness", readiness, self._ready))
            if liveness and not await self._probe("Liveness", liveness, lambda good: None):
                await self._restart("liveness")

    def _started(self, good: bool) -> None:
        self._record.started = good
        self._record.ready = good and not self._container.get("readinessProbe")

    def _ready(self, good: bool) -> None:
        self._record.ready = good

    async def _probe(self, kind: str, probe: Probe, tell: Callable[[bool], None]) -> bool:
        """A startup probe ends with True once it is good; it and a liveness probe end with False when it is bad."""
        verdict = Verdict(probe, good=kind == "Liveness")
        await self._clock.sleep(probe.delay)
        while True:
            wrong = await self._attempt(probe)
            if self._frozen():
                continue
            eager = verdict.eager
            if verdict.heard(wrong):
                tell(verdict.good)
                self._changed()
            if wrong and not eager:
                self._happened("Warning", "Unhealthy", f"{kind} probe failed: {wrong}")
            if kind == "Startup" and verdict.good:
                return True
            if kind != "Readiness" and verdict.exhausted:
                return False
            await self._clock.sleep(verdict.pause)

    async def _restart(self, kind: str) -> None:
        self._happened("Normal", "Killing", f"Container {self._record.name} failed {kind} probe, will be restarted")
        self._running.signal(signal.SIGTERM)
        await self._clock.sleep(self._grace)
        self._running.signal(signal.SIGKILL)
