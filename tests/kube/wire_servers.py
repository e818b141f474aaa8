"""Loopback servers for the tests of the real transport, and a cluster connected to one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from kube_fakes import ManualClock

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.contexts import Context
from lazarus_tui.kube.kubeconfig import ClusterEntry, UserEntry
from lazarus_tui.kube.retry import ONCE
from lazarus_tui.kube.transport import ClientTransport
from lazarus_tui.model.clock import SystemClock

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server below HTTP: it gets the sockets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def connected(
    server: str, user: UserEntry | None = None, clock: ManualClock | None = None, **cluster: Any
) -> AsyncIterator[Cluster]:
    context = Context("test", ClusterEntry("c", server, **cluster), user or UserEntry("u", token="CANARY"))
    transport = await ClientTransport.open(context, clock=clock or SystemClock())
    async with Cluster(transport, "test", clock or ManualClock(), policy=ONCE) as found:
        yield found


async def drained(chunks: AsyncIterator[bytes], into: bytearray | None = None) -> bytes:
    found = bytearray() if into is None else into
    async for chunk in chunks:
        found += chunk
    return bytes(found)


def reply(body: Any, status: int = 200, **headers: str) -> web.Response:
    return web.json_response(body, status=status, headers=headers)
