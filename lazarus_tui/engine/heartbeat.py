"""How late the event loop runs: the figure behind "a frozen terminal cannot stall the engine"."""

from __future__ import annotations

import asyncio
from collections import deque

# Seconds between two beats, and how many beats the recent maximum looks back on (one minute).
PERIOD = 0.1
RECENT = 600


class Heartbeat:
    """Sleeps ``PERIOD`` again and again and keeps by how much it was late, in seconds."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=RECENT)
        self.worst = 0.0
        self.beats = 0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PERIOD
            await asyncio.sleep(PERIOD)
            late = max(0.0, loop.time() - due)
            self._recent.append(late)
            self.worst = max(self.worst, late)
            self.beats += 1

    @property
    def recent(self) -> float:
        """The worst lateness of the last minute, in seconds."""
        return max(self._recent, default=0.0)

    def reset(self) -> None:
        self._recent.clear()
        self.worst = 0.0
