"""A connection into a pod, as whoever asked for it sees it."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Writing(Protocol):
    """The writing half: what a client needs of ``asyncio.StreamWriter``."""

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None:
        """Wait until all of it is on its way; raises ``OSError`` when it cannot be."""
        ...

    def close(self) -> None: ...

    def is_closing(self) -> bool: ...

    async def wait_closed(self) -> None: ...


Streams = tuple[asyncio.StreamReader, Writing]
