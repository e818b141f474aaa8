"""An engine in a process of its own, to be killed; its cluster is reached through a Unix socket of the test."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from lazarus_tui.model.http import HttpRequest, HttpResponse
from tests.engine.world import Engine, World, plan_for, simple


class SocketTransport:
    """One JSON line a request, one an answer."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def send(self, request: HttpRequest) -> HttpResponse:
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            writer.write(msgspec.json.encode(request) + b"\n")
            return msgspec.json.decode(await reader.readline(), type=HttpResponse)
        finally:
            writer.close()
            await writer.wait_closed()

    async def close(self) -> None:
        return None


async def serve(world: World, path: str) -> asyncio.AbstractServer:
    """The test's end: the cluster in memory behind a socket."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = msgspec.json.decode(await reader.readline(), type=HttpRequest)
            response: Any = await world.server.handle(request)
            writer.write(msgspec.json.encode(response) + b"\n")
            await writer.drain()
        except (OSError, msgspec.DecodeError):
            pass
        finally:
            writer.close()

    return await asyncio.start_unix_server(answer, path)


async def main(folder: str, socket: str, uid: str) -> None:
    world = World(Path(folder))
    engine = await Engine.start(world, (simple(),), SocketTransport(socket))
    await engine.run(plan_for(world, cluster_uid=uid))
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
