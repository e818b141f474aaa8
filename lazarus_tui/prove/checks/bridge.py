"""A port on 127.0.0.1 that leads to one port of one pod, for a driver that has to be given an address.

It is there as long as one check, takes few connections, and every one of them is forwarded by the API server. Another
user of this machine could open it meanwhile; what guards the database is its own password.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.streams import Writing
from lazarus_tui.prove.checks.outcome import Attempt
from lazarus_tui.prove.checks.place import Place

LOOPBACK = "127.0.0.1"
CONNECTIONS = 8
_CHUNK = 64 * 1024


class Bridge:
    """``port`` is the local one. ``broken`` is what a forwarded connection ended with, where that was an error."""

    def __init__(self, reader: Reader, place: Place, attempt: Attempt) -> None:
        self._reader, self._place, self._attempt = reader, place, attempt
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.broken: KubeError | OSError | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if len(self._tasks) <= CONNECTIONS:
                await self._carry(reader, writer)
        except asyncio.CancelledError:
            pass  # by ``close`` alone: the server's own callback of a cancelled task would log an error
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = self._place
        try:
            async with self._reader.forward(place.namespace, place.pod, place.port) as (there, to_there):
                self._attempt.reached = True
                inward = asyncio.create_task(_pour(reader, to_there))
                try:
                    while data := await there.read(_CHUNK):
                        writer.write(data)
                        await writer.drain()
                finally:
                    inward.cancel()
                    await asyncio.gather(inward, return_exceptions=True)
        except (KubeError, OSError) as error:
            self.broken = self.broken or error

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pour(reader: asyncio.StreamReader, writer: Writing) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def bridge(reader: Reader, place: Place, attempt: Attempt) -> AsyncIterator[Bridge]:
    """Open while the block runs; nothing listens and no connection is left behind it."""
    found = Bridge(reader, place, attempt)
    server = await asyncio.start_server(found.serve, LOOPBACK, 0)
    try:
        found.port = server.sockets[0].getsockname()[1]
        yield found
    finally:
        server.close()
        await found.close()
        await server.wait_closed()
        for _ in range(2):  # what a driver closed last is closed by the loop's next turns
            await asyncio.sleep(0)
