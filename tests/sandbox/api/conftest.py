"""A small cluster in memory: virtual time, seeded names and UIDs, no sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import pytest

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.resources import CRDS
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.server import ApiServer
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import VirtualClock

from .scripted_kubelet import PODS, Kubelet

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))


@dataclass
class Client:
    """Requests in one line."""

    transport: MemoryTransport

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        type: str = "application/json",
        accept: str = "application/json",
        headers: Mapping[str, str] | None = None,
        timeout: float = 15.0,
        **query: str,
    ) -> Reply:
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"accept": accept, **({} if body is None else {"content-type": type}), **(headers or {})}
        answer: HttpResponse = await self.transport.send(
            HttpRequest(method, path, tuple(query.items()), sent, raw, timeout)
        )
        return Reply(answer.status, answer.headers, answer.body)


@dataclass
class Watching:
    """A watch that runs in the background and collects its lines."""

    task: asyncio.Task[None]
    events: list[dict[str, Any]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)

    @property
    def seen(self) -> list[tuple[str, str]]:
        return [(one["type"], one["object"].get("metadata", {}).get("name", "")) for one in self.events]


async def quiet() -> None:
    """Let everything that can run, run."""
    for _ in range(30):
        await asyncio.sleep(0)


class World:
    def __init__(self, *, history: int = 8192, watcher_cap: int = 10_000, token: str = "") -> None:
        self.clock = VirtualClock()
        self.store = Store(history=history, watcher_cap=watcher_cap)
        self.registry = Registry()
        ids = count(1)
        make: Callable[[], str] = lambda: f"00000000-0000-4000-8000-{next(ids):012d}"  # noqa: E731
        self.api = LocalApi(self.store, self.registry, self.clock, ids=make, rng=Random(7))
        self.api.bootstrap()
        self.server = ApiServer(self.store, self.registry, self.clock, token=token, ids=make, rng=Random(7))
        self.transport = MemoryTransport(self.server)
        self.call = Client(self.transport)
        self._watches: list[Watching] = []

    async def watch(self, path: str, **query: str) -> Watching:
        """Begin to watch and wait until it is registered."""

        async def run() -> None:
            request = HttpRequest("GET", path, (("watch", "true"), *query.items()), timeout=1e6)
            async with self.transport.stream(request) as stream:
                async for chunk in stream.chunks():
                    watching.chunks.append(chunk)
                    watching.events += [json.loads(line) for line in chunk.splitlines()]

        watching = Watching(asyncio.ensure_future(run()))
        self._watches.append(watching)
        await quiet()
        return watching

    async def close(self) -> None:
        for one in self._watches:
            one.task.cancel()
        await asyncio.gather(*(one.task for one in self._watches), return_exceptions=True)
        await self.transport.close()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.close()


@pytest.fixture
async def worlds() -> AsyncIterator[Callable[..., World]]:
    """Makes worlds with other settings."""
    made: list[World] = []

    def make(**settings: Any) -> World:
        made.append(World(**settings))
        return made[-1]

    yield make
    for one in made:
        await one.close()


Settle = Callable[[], Awaitable[None]]


def config_map(name: str, data: Mapping[str, str] | None = None, **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **meta}, "data": dict(data or {})}


def pod(name: str, *, node: str = "", **meta: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "main", "image": "lazarus.dev/pause:1"}]}
    return {"metadata": {"name": name, **meta}, "spec": spec | ({"nodeName": node} if node else {})}


@pytest.fixture
async def kubelet(world: World) -> Kubelet:
    """It runs pod ``a``."""
    made = Kubelet()
    world.server.runtime = made
    await world.call("POST", PODS, pod("a", node="n1"))
    return made


def workload(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": pod(name)["spec"]}
    return {
        "kind": kind,
        "apiVersion": "apps/v1",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


WIDGET_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "colour": {"type": "string", "default": "grey", "enum": ["grey", "green"]},
                "code": {"type": "string", "pattern": "^[a-z]+$"},
                "when": {"type": "string", "format": "date-time"},
                "tags": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "limits": {"type": "object", "additionalProperties": {"x-kubernetes-int-or-string": True}},
                "replicas": {"type": "integer"},
                "note": {"type": "string", "nullable": True},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["id"],
                    "items": {"type": "object", "properties": {"id": {"type": "string"}}},
                },
            },
        },
        "status": {
            "type": "object",
            "properties": {"phase": {"type": "string"}, "replicas": {"type": "integer"}},
        },
    },
}


def widget_definition(*, subresources: Mapping[str, Any] | None = None, **version: Any) -> dict[str, Any]:
    made = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": WIDGET_SCHEMA}} | version
    if subresources is not None:
        made["subresources"] = dict(subresources)
    return {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [made],
        },
    }


WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"


@pytest.fixture
def widgets(world: World) -> World:
    """A world that serves widgets with status and scale."""
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    world.api.create(CRDS, widget_definition(subresources={"status": {}, "scale": scale}))
    return world
