"""Clocks of the sandbox: real time with its waits made shorter, and a virtual time that only moves when told to."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from lazarus_tui.model.clock import Clock, SystemClock

# Rounds of the event loop granted to tasks that a wake-up made runnable; a chain of awaits needs one round per link.
_ROUNDS = 20

# Any fixed moment does; a round one makes expected stamps in tests easy to read.
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class ScaledClock:
    """Real stamps, but a wait of s seconds takes s / ``factor``: Velero's periods pass faster, times stay true."""

    def __init__(self, factor: float = 10.0, base: Clock | None = None) -> None:
        if factor <= 0:
            raise ValueError(f"the factor must be above zero, not {factor}")
        self.factor = factor
        self._base = base or SystemClock()

    def now(self) -> datetime:
        return self._base.now()

    def monotonic(self) -> float:
        return self._base.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._base.sleep(max(0.0, seconds) / self.factor)


class VirtualClock:
    """Time that stands still until ``advance``; sleepers wake in the order of their moments, then of their calls."""

    def __init__(self, start: datetime = _EPOCH) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    @property
    def sleepers(self) -> int:
        """How many sleeps are open."""
        return sum(1 for _, _, future in self._sleepers if not future.done())

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float, *, between: Callable[[], Awaitable[None]] | None = None) -> None:
        """Moves time on; after every wake-up tasks run, then ``between`` (a loop's ``settle``) is awaited."""
        target = self._elapsed + seconds
        await self._let_run(between)
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, future = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, due)
            if not future.done():
                future.set_result(None)
                await self._let_run(between)
        self._elapsed = target
        await self._let_run(between)

    @staticmethod
    async def _let_run(between: Callable[[], Awaitable[None]] | None) -> None:
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        if between is not None:
            await between()
