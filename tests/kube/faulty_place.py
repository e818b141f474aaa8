"""A server with the sandbox's faults, and Lazarus' connection to it, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.server import ApiServer
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.faults.effects import BrokenWatches, Compaction
from lazarus_tui.sandbox.faults.faults import Faults
from lazarus_tui.sandbox.faults.model import VERBS, Match, Wanted
from lazarus_tui.sandbox.faults.requests import Interference

T = TypeVar("T")


class Counting:
    """A transport that remembers when what was asked."""

    def __init__(self, inner: MemoryTransport, clock: VirtualClock) -> None:
        self._inner, self._clock = inner, clock
        self.sent: list[tuple[float, HttpRequest]] = []

    def _noted(self, request: HttpRequest) -> HttpRequest:
        self.sent.append((self._clock.monotonic(), request))
        return request

    async def send(self, request: HttpRequest) -> HttpResponse:
        return await self._inner.send(self._noted(request))

    def stream(self, request: HttpRequest) -> Any:
        return self._inner.stream(self._noted(request))

    def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> Any:
        return self._inner.websocket(self._noted(request), subprotocols)

    async def close(self) -> None:
        await self._inner.close()


class Place:
    """A server with faults, and Lazarus' connection to it; ``rng`` is the worst case of every jitter."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store, registry = Store(), Registry()
        registry.attach(self.store)
        self.api = LocalApi(self.store, registry, self.clock)
        self.api.bootstrap()
        self.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
        self.server = ApiServer(self.store, registry, self.clock, token="secret")
        effects = {"gone": Compaction(self.store), "reset": BrokenWatches(self.store)}
        self.faults = Faults(self.clock, effects)
        self.server.around = Interference(self.faults, self.server)
        self.wire = Counting(MemoryTransport(self.server), self.clock)
        self.cluster = Cluster(self.wire, "sandbox", self.clock, rng=lambda: 1.0)

    async def add(self, kind: str, verbs: tuple[str, ...] = VERBS, *, lasts: float | None = None, **more: Any) -> None:
        known = {name: more.pop(name) for name in ("times", "probability", "seed") if name in more}
        parameters = {name.replace("_", "-"): value for name, value in more.items()}
        await self.faults.add(Wanted(kind, parameters, Match(verbs=verbs), seconds=lasts, **known))

    async def passing(self, work: Awaitable[T], most: float = 600.0) -> T:
        """What ``work`` gives; virtual time passes in small steps meanwhile."""
        task = asyncio.ensure_future(work)
        while not task.done():
            assert self.clock.monotonic() < most, "it does not end"
            await self.clock.advance(0.25)
        return task.result()

    def names(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.api.list(CONFIGMAPS, "shop")]

    async def close(self) -> None:
        await self.faults.close()
        self.server.stop()
        await self.cluster.close()


async def assert_rests(place: Place) -> None:
    """While time stands still, no request follows another for ever."""
    before = len(place.wire.sent)
    for _ in range(400):
        await asyncio.sleep(0)
    assert len(place.wire.sent) - before <= 3


def assert_no_hot_loop(place: Place, most: int = 20) -> None:
    """Never more than ``most`` requests in any second."""
    times = [at for at, _ in place.wire.sent]
    for at in times:
        assert len([one for one in times if at <= one < at + 1]) <= most
