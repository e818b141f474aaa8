"""Time that passes for several processes alike, and faster: leases of 30 s expire in two, figures stay consistent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from lazarus_tui.model.clock import SystemClock


class FastClock:
    """Real time times ``factor`` since ``zero``, a reading of the system's monotonic clock that all processes share."""

    def __init__(self, factor: float, zero: float) -> None:
        self.factor, self.zero = factor, zero
        self._system = SystemClock()
        self._epoch = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self._epoch + timedelta(seconds=self._passed())

    def monotonic(self) -> float:
        return self.zero + self._passed()

    def _passed(self) -> float:
        return (self._system.monotonic() - self.zero) * self.factor

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.factor)
