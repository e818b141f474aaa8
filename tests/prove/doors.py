"""Servers of this process behind the lab's forwarded connections: real bytes, real TLS, and every way to misbehave."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

from lazarus_tui.kube.errors import PortRefused
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.steps import Outcome, Write
from lazarus_tui.model.streams import Streams
from lazarus_tui.prove.checks.looking import look_of
from lazarus_tui.prove.checks.outcome import judged
from lazarus_tui.prove.definitions import parse
from tests.velero.lab import OP, World

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
NAMESPACE = "lazarus-q-1"
SOURCE = "shop"


class Doors(World):
    """Pods by name, each a server on loopback; ``secrets`` by (name, key). A pod without a server refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: dict[str, int] = {}
        self.secrets: dict[tuple[str, str], str] = {}
        self.opened: list[tuple[str, int]] = []
        self.announced: list[Write] = []
        self.runs: dict[tuple[str, ...], Any] = {}

    def service(self, name: str) -> None:
        self.services[(NAMESPACE, name, "")] = None

    def forward(
        self, namespace: str, pod: str, port: int, *, timeout: float = 10.0
    ) -> AbstractAsyncContextManager[Streams]:
        assert namespace == NAMESPACE, "a check went elsewhere"
        self.opened.append((pod, port))
        return self._forward(pod)

    @asynccontextmanager
    async def _forward(self, pod: str) -> AsyncIterator[Streams]:
        if pod not in self.ports:
            reader = asyncio.StreamReader()
            reader.set_exception(PortRefused("dial tcp4 127.0.0.1: connect: connection refused"))
            yield reader, _Nowhere()
            return
        reader, stream = await asyncio.open_connection("127.0.0.1", self.ports[pod])
        try:
            yield reader, stream
        finally:
            stream.transport.abort()
            await asyncio.sleep(0)

    async def credential(self, namespace: str, name: str, key: str) -> str | None:
        assert namespace == NAMESPACE, "a Secret of another namespace was asked for"
        return self.secrets.get((name, key))

    async def exec(self, namespace: str, pod: str, container: str, argv: Any, **options: Any) -> Any:
        found = self.runs[tuple(argv)]
        if isinstance(found, Exception):
            raise found
        return await found() if callable(found) else found

    async def announce(self, write: Write) -> int:
        self.announced.append(write)
        return len(self.announced)

    async def settled(self, intent: int, outcome: Outcome, reason: str = "") -> None:
        self.outcomes.append(outcome)

    @asynccontextmanager
    async def serving(
        self, name: str, handler: Handler, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[asyncio.Server]:
        self.service(name)
        tasks: set[asyncio.Task[Any]] = set()
        writers: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            writers.append(writer)
            with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handler(reader, writer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        self.ports[name] = server.sockets[0].getsockname()[1]
        try:
            yield server
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for writer in writers:
                writer.transport.abort()
            await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)
            await asyncio.sleep(0)  # the other end of each is closed by then, or by the loop's next turn


class _Nowhere:
    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def close(self) -> None: ...

    def is_closing(self) -> bool:
        return False

    async def wait_closed(self) -> None: ...


class Context:
    """The least of a running operation that a check needs."""

    op = OP

    def __init__(self, doors: Doors) -> None:
        self.reader, self.gate, self.clock = doors, doors, SystemClock()


def answering(*lines: bytes, then: bytes = b"") -> Handler:
    """An HTTP server that says the same to everybody."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + then)
        await writer.drain()

    return handler


def page(body: bytes, status: bytes = b"200 OK", *headers: bytes) -> Handler:
    return answering(b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, then=body)


async def said(doors: Doors, **check: Any) -> CheckResult:
    """What one check says, once; it is written as a person writes it."""
    wanted = parse({"sources": {NAMESPACE: SOURCE}, "checks": {"checks": [check]}}, "lab")
    (one,) = wanted.checks
    context: Any = Context(doors)
    return await judged(one, context.clock, look_of(context, one, wanted))
