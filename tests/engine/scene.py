"""A whole engine on the sandbox's own cluster in memory, asked over its real socket: what its tests share."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from lazarus_tui.engine.house import House
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.link.client import Client, Topics
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.http import ByteStream, HttpRequest, HttpResponse
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.topics import ContextRow
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.clock import ScaledClock
from lazarus_tui.sandbox.cluster import SandboxCluster

SANDBOX = "lazarus-sandbox"
# Where the cluster in memory says it is; nothing listens there.
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: {name}
contexts: [{{name: {name}, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "https://127.0.0.1:1"}}}}]
users: [{{name: u, user: {{token: sesame}}}}]
"""


class Cut:
    """A stream that breaks when its line does."""

    def __init__(self, inner: ByteStream, down: asyncio.Event) -> None:
        self.inner, self._down = inner, down
        self.status, self.headers = inner.status, inner.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        source = aiter(self.inner.chunks())
        broken = asyncio.create_task(self._down.wait())
        following: asyncio.Task[bytes | None] | None = None
        try:
            while True:
                following = asyncio.create_task(_next(source))
                await asyncio.wait({following, broken}, return_when=asyncio.FIRST_COMPLETED)
                if broken.done():
                    raise ConnectionResetError(104, "Connection reset by peer")
                chunk = following.result()
                if chunk is None:
                    return
                yield chunk
        finally:
            tasks = [task for task in (following, broken) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _next(source: AsyncIterator[bytes]) -> bytes | None:
    return await anext(source, None)


class Line:
    """The way to a cluster, which can be cut: requests are refused and open streams break."""

    def __init__(self, inner: MemoryTransport, down: asyncio.Event) -> None:
        self._inner, self._down = inner, down

    def _check(self) -> None:
        if self._down.is_set():
            raise ConnectionRefusedError(111, "Connection refused")

    async def send(self, request: HttpRequest) -> HttpResponse:
        self._check()
        return await self._inner.send(request)

    @contextlib.asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[Cut]:
        self._check()
        async with self._inner.stream(request) as found:
            yield Cut(found, self._down)

    @contextlib.asynccontextmanager
    async def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> AsyncIterator[Any]:
        self._check()
        async with self._inner.websocket(request, subprotocols) as found:
            yield found

    async def close(self) -> None:
        await self._inner.close()


class Scene:
    """One engine and one cluster; ``client`` is a console's link."""

    def __init__(self, folder: Path, cluster: SandboxCluster, sandbox: bool) -> None:
        self.folder, self.cluster, self.sandbox = folder, cluster, sandbox
        self.context = SANDBOX if sandbox else "prod"
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(KUBECONFIG.format(name=self.context))
        self.kubeconfig.chmod(0o600)
        self.ended, self.down = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Scene:
        root = StateRoot(self.sandbox, env={"LAZARUS_STATE": str(self.folder / "state")}).ensure()
        options = argparse.Namespace(
            root=root, sandbox=self.sandbox, kubeconfig=str(self.kubeconfig), context=None, stay=False
        )
        self.socket = root.socket
        self.house = await House.open(options, self.ended.set, connect=self.connect)
        await self.house.start()
        self.client = await Client.connect(root.socket, kubeconfig=str(self.kubeconfig))
        return self

    async def connect(self, context: Any) -> Cluster:
        line: Any = Line(self.cluster.transport(), self.down)
        return Cluster(line, context.name, SystemClock(), rng=lambda: 0.0)

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self.house.close()

    async def call(self, method: str, **params: Any) -> Any:
        return await self.client.call(method, params, Any)

    async def use(self) -> ContextRow:
        return await self.client.call("context.use", {"context": None}, ContextRow)

    async def follow(self, *topics: str, until: Any) -> Topics:
        """Pull until ``until(topics)``; the follower has its own connection."""
        found = Topics(
            lambda: Client.connect(self.socket, kubeconfig=str(self.kubeconfig)),
            on_change=lambda names: None,
            interval=0.02,
        )
        found.want(topics)
        task = asyncio.create_task(found.run())
        try:
            async with asyncio.timeout(60):
                while not until(found):
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return found

    async def backup(self) -> Operation:
        params = {"kind": "velero.backup", "context": self.context, "params": {"namespaces": ["shop"], "name": "mine"}}
        plan = await self.client.call("plan.make", params, Plan)
        consent = {"plan": msgspec.to_builtins(plan), "digest": plan.digest(), "confirm": ""}
        return await self.client.call("operation.start", consent, Operation)


@contextlib.asynccontextmanager
async def running_cluster(folder: Path) -> AsyncIterator[SandboxCluster]:
    clock = SystemClock()
    cluster = SandboxCluster(folder, clock, velero_clock=ScaledClock(20), history=False)
    await cluster.start()
    try:
        await cluster.settle()
        yield cluster
    finally:
        await cluster.stop()
