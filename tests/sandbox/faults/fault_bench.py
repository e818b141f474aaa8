"""An API server in memory with faults put into it: virtual time, no controllers, no sockets."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.server import ApiServer
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.faults.effects import BrokenWatches, Compaction, Expiry
from lazarus_tui.sandbox.faults.endpoint import Endpoint
from lazarus_tui.sandbox.faults.faults import Faults
from lazarus_tui.sandbox.faults.model import PATH, Fault, Match, Wanted
from lazarus_tui.sandbox.faults.requests import Interference

MAPS = "/api/v1/namespaces/shop/configmaps"
MERGE = "application/merge-patch+json"


@dataclass
class Watching:
    """A watch in the background: the bytes that came, and how it ended."""

    task: asyncio.Task[None] | None = None
    data: bytearray = field(default_factory=bytearray)
    end: str = ""

    @property
    def events(self) -> list[dict[str, Any]]:
        whole, _, _ = bytes(self.data).rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]


class Bench:
    """The server, a client and the faults."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store, registry = Store(), Registry()
        registry.attach(self.store)
        self.api = LocalApi(self.store, registry, self.clock)
        self.api.bootstrap()
        self.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
        self.server = ApiServer(self.store, registry, self.clock, token="first")
        self.tokens: list[str] = []
        self.faults = Faults(
            self.clock,
            {
                "gone": Compaction(self.store),
                "reset": BrokenWatches(self.store),
                "token-expired": Expiry(self.server, self._renew),
            },
        )
        self.server.around = Interference(self.faults, self.server)
        self.server.private[PATH] = Endpoint(self.faults)
        self.transport = MemoryTransport(self.server)
        self._watches: list[Watching] = []

    def _renew(self) -> None:
        self.tokens.append(f"token-{len(self.tokens)}")
        self.server.renew(self.tokens[-1])

    async def add(self, kind: str, *, match: Match | None = None, **more: Any) -> Fault:
        """Underscores of parameters stand for hyphens."""
        known = {name: more.pop(name) for name in ("probability", "times", "seconds_long", "seed") if name in more}
        if "seconds_long" in known:
            known["seconds"] = known.pop("seconds_long")
        parameters = {name.replace("_", "-"): value for name, value in more.items()}
        return await self.faults.add(Wanted(kind, parameters, match or Match(), **known))

    def map(self, name: str, **data: str) -> dict[str, Any]:
        return self.api.create(CONFIGMAPS, {"metadata": {"name": name}, "data": data}, "shop")

    async def ask(
        self, method: str, path: str, body: Any = None, *, type: str = "application/json", timeout: float = 15.0,
        headers: dict[str, str] | None = None, **query: str,
    ) -> HttpResponse:  # fmt: skip
        raw = b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": type, **(headers or {})} if body is not None else dict(headers or {})
        return await self.transport.send(HttpRequest(method, path, tuple(query.items()), sent, raw, timeout))

    async def status(self, method: str, path: str, body: Any = None, **more: Any) -> int | str:
        """The answer's status, or what broke."""
        try:
            return (await self.ask(method, path, body, **more)).status
        except OSError as error:
            return type(error).__name__

    async def watch(self, path: str = MAPS, **query: str) -> Watching:
        watching = Watching()
        request = HttpRequest("GET", path, (("watch", "1"), *query.items()), timeout=1e6)

        async def follow() -> None:
            try:
                async with self.transport.stream(request) as stream:
                    async for chunk in stream.chunks():
                        watching.data += chunk
                watching.end = "closed"
            except OSError as error:
                watching.end = type(error).__name__

        watching.task = asyncio.create_task(follow())
        self._watches.append(watching)
        await self.let_run()
        return watching

    async def let_run(self) -> None:
        await self.clock.advance(0)

    async def close(self) -> None:
        await self.faults.close()
        self.server.stop()
        for watching in self._watches:
            assert watching.task is not None
            watching.task.cancel()
            await asyncio.gather(watching.task, return_exceptions=True)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
