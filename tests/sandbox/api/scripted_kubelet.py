"""A kubelet that follows a script, for what goes through the API server to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.model.http import HttpRequest, WebSocket
from lazarus_tui.sandbox.runtime import ExecSession, RuntimeRefused

PODS = "/api/v1/namespaces/default/pods"
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"


class Cat:
    """An exec that repeats its input and then ends with ``code``."""

    def __init__(self, code: int, *, lines: Sequence[tuple[int, bytes]] = ()) -> None:
        self.code, self.lines = code, lines
        self.input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.killed = False
        self.sizes: list[tuple[int, int]] = []

    async def resize(self, columns: int, rows: int) -> None:
        self.sizes.append((columns, rows))

    async def write_stdin(self, data: bytes) -> None:
        self.input.put_nowait(data)

    async def close_stdin(self) -> None:
        self.input.put_nowait(None)

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        for line in self.lines:
            yield line
        while not self.lines and (data := await self.input.get()) is not None:
            yield 1, data

    async def wait(self) -> int:
        return self.code

    async def kill(self) -> None:
        self.killed = True


@dataclass
class Kubelet:
    """``gate`` holds followed logs open; ``asked`` remembers the calls."""

    session: Cat = field(default_factory=lambda: Cat(0))
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Any] = field(default_factory=list)
    refusal: RuntimeRefused | None = None
    port: int = 0
    closed: bool = False

    async def logs(self, namespace: str, pod: str, container: str, **options: Any) -> AsyncIterator[bytes]:
        self.asked.append((namespace, pod, container, options))
        if self.refusal:
            raise self.refusal
        try:
            if options["follow"]:
                await self.gate.wait()
            yield b"one\n"
            yield b"two\n"
        finally:
            self.closed = True

    async def exec(
        self, namespace: str, pod: str, container: str, argv: Sequence[str], *, stdin: bool, tty: bool
    ) -> ExecSession:
        self.asked.append((container, list(argv), stdin, tty))
        if self.refusal:
            raise self.refusal
        return self.session

    async def attach(self, namespace: str, pod: str, container: str, *, stdin: bool, tty: bool) -> ExecSession:
        self.asked.append(("attach", container, stdin, tty))
        if self.refusal:
            raise self.refusal
        return self.session

    async def connect(
        self, namespace: str, pod: str, port: int, *, outside: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.asked.append((pod, port))
        if self.refusal:
            raise self.refusal
        return await asyncio.open_connection("127.0.0.1", self.port)


def request(path: str, *query: tuple[str, str]) -> HttpRequest:
    return HttpRequest("GET", path, query)


async def frames(socket: WebSocket) -> list[bytes]:
    found = []
    while (frame := await socket.receive()) is not None:
        found.append(frame)
    return found
