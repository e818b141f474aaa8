"""A sandbox API server without controllers, with a runtime that only pretends, and a cluster connected to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.retry import ONCE
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.objects import Meta, Wire
from lazarus_tui.model.resources import NAMESPACES, PODS
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.server import ApiServer
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.runtime import RuntimeRefused


class Config(Wire, frozen=True):
    metadata: Meta
    data: dict[str, str] | None = None


class FakeExec:
    """``cat``: what comes in goes out, the exit code is the number of arguments."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv, self.stdin, self.ended = argv, bytearray(), asyncio.Event()

    async def write_stdin(self, data: bytes) -> None:
        self.stdin += data

    async def close_stdin(self) -> None:
        self.ended.set()

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        if self.argv[0] == "cat":
            await self.ended.wait()
            yield 1, bytes(self.stdin)
        yield 2, b"done"

    async def wait(self) -> int:
        return len(self.argv) - 1

    async def kill(self) -> None:
        self.ended.set()


class FakeRuntime:
    """Logs, exec and an echoing port 7; port 9 is refused."""

    def __init__(self) -> None:
        self.server: asyncio.Server | None = None

    async def logs(
        self, namespace: str, pod: str, container: str, *, tail: int | None, **options: Any
    ) -> AsyncIterator[bytes]:
        for line in [b"one\n", b"two\n", b"three\n"][-tail if tail else 0 :]:
            yield line

    async def exec(
        self, namespace: str, pod: str, container: str, argv: Sequence[str], *, stdin: bool, tty: bool
    ) -> FakeExec:
        if argv[0] == "bash":
            raise RuntimeRefused(403, "Forbidden", "bash is not in the catalogue")
        return FakeExec(argv)

    async def connect(
        self, namespace: str, pod: str, port: int, *, outside: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if port != 7 or self.server is None:
            raise RuntimeRefused(500, "InternalError", f"connection refused on port {port}")
        return await asyncio.open_connection(*self.server.sockets[0].getsockname())

    async def listen(self) -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

        self.server = await asyncio.start_server(echo, "127.0.0.1", 0)


class World:
    """An API server without controllers, and a cluster on it; ``fault`` answers or breaks the next requests."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.runtime = FakeRuntime()
        store, registry = Store(), Registry()
        registry.attach(store)
        self.api = LocalApi(store, registry, self.clock)
        self.api.bootstrap()
        self.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
        self.faults: list[HttpResponse | OSError] = []
        self.requests: list[HttpRequest] = []
        self.server = ApiServer(
            store, registry, self.clock, token="secret", runtime=self.runtime, interceptor=self._intercept
        )
        self.cluster = Cluster(MemoryTransport(self.server), "sandbox", self.clock, policy=ONCE, rng=lambda: 0.0)

    async def _intercept(self, request: HttpRequest) -> HttpResponse | None:
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, OSError):
            raise fault
        return fault

    async def close(self) -> None:
        self.server.stop()
        await self.cluster.close()
        if self.runtime.server is not None:
            self.runtime.server.close()

    def running_pod(self, name: str) -> None:
        spec = {"nodeName": "node", "containers": [{"name": "app", "image": "lazarus.dev/web:1"}]}
        pod = self.api.create(PODS, {"metadata": {"name": name}, "spec": spec}, "shop")
        self.api.update_status(PODS, {**pod, "status": {"phase": "Running"}})


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
