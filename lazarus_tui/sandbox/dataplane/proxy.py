"""Service addresses that answer: a small TCP proxy for each port of each service, to its ready endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lazarus_tui.model.clock import Clock, listened
from lazarus_tui.model.resources import ENDPOINTS, SERVICES, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key
from lazarus_tui.sandbox.dataplane.addresses import Addresses
from lazarus_tui.sandbox.dataplane.atlas import ready
from lazarus_tui.sandbox.dataplane.network import PodNetwork
from lazarus_tui.sandbox.dataplane.relay import Streams, relay

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

log = logging.getLogger(__name__)

# Connects to an address and port as the node does.
Dial = Callable[[str, int], Coroutine[Any, Any, Streams]]

# Seconds to listen for a pod to accept before the next endpoint is tried.
_CONNECT_SECONDS = 2.0


class ServiceProxy(Controller):
    """Listens where services are, and writes to the file ``hosts`` where that is: ``{"orders.shop:8080": "ip:port"}``.

    A service's own address is used when it can be had; if another sandbox on this machine listens there, or there is
    only one loopback address, a free port of 127.0.0.1 stands in for it. Who connects here is on the node, outside all
    pods: those with a network of their own have services there (``PodNetwork``).
    """

    name = "service-proxy"
    watches: ClassVar[Sequence[Resource]] = (SERVICES, ENDPOINTS)

    def __init__(
        self, api: LocalApi, clock: Clock, *, hosts: Path, addresses: Addresses, network: PodNetwork | None = None
    ) -> None:
        super().__init__(api, clock)
        self._dial: Dial = network.dial if network else asyncio.open_connection
        self._hosts, self._addresses = hosts, addresses
        self._listening: dict[tuple[str, str, int], tuple[str, asyncio.Server]] = {}
        self._open: set[asyncio.Task[None]] = set()
        self._turn = itertools.count()

    async def start(self) -> None:
        self._hosts.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._write_hosts()

    async def stop(self) -> None:
        for _, server in self._listening.values():
            server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._listening.clear()
        self._hosts.unlink(missing_ok=True)

    def where(self, namespace: str, service: str, port: int) -> str:
        """``ip:port`` at which a service answers; ``""`` when it does not listen."""
        entry = self._listening.get((namespace, service, port))
        return _name(entry[1]) if entry else ""

    async def reconcile(self, key: Key) -> float | None:
        service = self.api.get(SERVICES, key[1], key[0])
        spec = service["spec"] if service else {}
        address = spec.get("clusterIP") or ""
        ports = {port["port"] for port in spec.get("ports") or () if port.get("protocol", "TCP") == "TCP"}
        wanted = ports if address not in ("", "None") else set()
        changed = False
        for entry in [entry for entry in self._listening if entry[:2] == key]:
            if entry[2] not in wanted or self._listening[entry][0] != address:
                self._listening.pop(entry)[1].close()
                changed = True
        for port in wanted:
            if (*key, port) not in self._listening:
                self._listening[*key, port] = (address, await self._listen(key, address, port))
                changed = True
        if changed:
            self._write_hosts()
        return None

    async def _listen(self, key: Key, address: str, port: int) -> asyncio.Server:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._open.add(task)
            try:
                await self._relay(key, port, reader, writer)
            except (OSError, asyncio.CancelledError):
                writer.transport.abort()
            finally:
                self._open.discard(task)

        if not self._addresses.mapped:
            try:
                return await _started(asyncio.start_server(accept, address, port))
            except OSError as fault:
                log.info("%s:%d cannot be listened on (%s): %s answers elsewhere", address, port, fault, "/".join(key))
        return await _started(asyncio.start_server(accept, "127.0.0.1", 0))

    async def _relay(self, key: Key, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await self._connect(key, port)
        if upstream is None:
            writer.transport.abort()
            return
        await relay((reader, writer), upstream)

    async def _connect(self, key: Key, port: int) -> Streams | None:
        """A connection to one of the ready endpoints, in turn; None when none accepts."""
        targets = self._targets(key, port)
        first = next(self._turn)
        for step in range(len(targets)):
            with contextlib.suppress(OSError):
                return await listened(_CONNECT_SECONDS, self._dial(*targets[(first + step) % len(targets)]))
        return None

    def _targets(self, key: Key, port: int) -> list[tuple[str, int]]:
        service, endpoints = self.api.get(SERVICES, key[1], key[0]), self.api.get(ENDPOINTS, key[1], key[0])
        if service is None or endpoints is None:
            return []
        index = next((i for i, one in enumerate(service["spec"].get("ports") or ()) if one["port"] == port), None)
        if index is None:
            return []
        return list(ready(endpoints, index))

    def _write_hosts(self) -> None:
        names = {
            f"{service}.{namespace}:{port}": _name(server)
            for (namespace, service, port), (_, server) in self._listening.items()
        }
        partial = self._hosts.with_suffix(".partial")
        partial.write_text(json.dumps(names, indent=1, sort_keys=True))
        os.replace(partial, self._hosts)


def read_hosts(path: Path) -> dict[str, str]:
    """What ``ServiceProxy`` has written; empty where there is none."""
    try:
        found: dict[str, str] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _name(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"{host}:{port}"


async def _started(starting: Coroutine[Any, Any, asyncio.Server]) -> asyncio.Server:
    """The server; when this is cancelled meanwhile, it is closed instead of left listening with nobody to close it."""
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            (await task).close()
        raise
