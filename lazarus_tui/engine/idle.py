"""When an engine may end by itself: unwatched for a while, and never with an operation open."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from lazarus_tui.config import Settings
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.paths import StateRoot

# Seconds without a client before the engine of a passing sandbox ends; the sandbox then needs some of the ten that
# both have (design.md §11, make run). For others the settings say.
SANDBOX = 3.0
# Nobody may have connected yet: the one who started the engine gets this long.
GRACE = 30.0


class IdleWatch:
    """``run`` returns when nobody has been connected for ``seconds`` and ``busy()`` is false."""

    def __init__(self, clock: Clock, seconds: float, busy: Callable[[], bool], *, grace: float = GRACE) -> None:
        self._clock, self._seconds, self._busy = clock, seconds, busy
        self._peers = 0
        self._since = clock.monotonic() + max(0.0, grace - seconds)
        self._left = asyncio.Event()

    def peers(self, number: int) -> None:
        """The number of clients is now ``number``."""
        if number == 0 and self._peers > 0:
            self._since = self._clock.monotonic()
        self._peers = number
        self._left.set()

    async def run(self) -> None:
        while True:
            self._left.clear()
            if self._peers > 0:
                await self._left.wait()
                continue
            rest = self._since + self._seconds - self._clock.monotonic()
            if rest <= 0 and not self._busy():
                return
            # Clients may come and go and operations end meanwhile: look again every second.
            await self._clock.sleep(min(max(rest, 0.05), 1.0) if rest > 0 else 1.0)


def idle_seconds(settings: Settings, root: StateRoot) -> float:
    """After how long an unwatched engine ends: ``LAZARUS_ENGINE_IDLE``, else the settings.

    The engine of a sandbox that was only started for a console goes first, so that the sandbox can follow.
    """
    with contextlib.suppress(KeyError, ValueError):
        return max(0.0, float(os.environ["LAZARUS_ENGINE_IDLE"]))
    return settings.engine.idle_seconds if not root.sandbox or (root.cluster / "keep").exists() else SANDBOX
