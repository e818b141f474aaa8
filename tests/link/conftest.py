"""A link server with a small service of its own on a socket in a short temporary folder."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.engine.hub import Hub
from lazarus_tui.link.codec import LinkFault, encode
from lazarus_tui.link.protocol import PROTOCOL, Fault, Hello
from lazarus_tui.link.server import LinkServer, Peer
from lazarus_tui.model.clock import SystemClock


class PlainService:
    """hello, pull, echo, big, stuck and boom: enough to see what the link itself does."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.stuck = 0
        self.released = 0

    async def answer(self, peer: Peer, method: str, params: dict[str, Any]) -> bytes:
        if method == "hello":
            if params.get("protocol") != PROTOCOL:
                raise LinkFault(Fault("version", "the engine speaks another protocol"))
            peer.greeted = True
            return encode(Hello(protocol=PROTOCOL, version="0", pid=1, started="", state_root="", sandbox=False))
        if method == "pull":
            return await self.hub.pull(params["known"], params["wait"])
        if method == "echo":
            return encode(params)
        if method == "big":
            return encode("x" * params["size"])
        if method == "stuck":
            self.stuck += 1
            try:
                await asyncio.Event().wait()
            finally:
                self.released += 1
        if method == "boom":
            raise RuntimeError("token=sesame")
        raise LinkFault(Fault("usage", f"no method {method}"))


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder whose path leaves room for a Unix socket's name."""
    with tempfile.TemporaryDirectory(prefix="lz") as name:
        yield Path(name)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub(SystemClock(), interval=0.0)
    yield hub
    await hub.stop()


@pytest.fixture
def service(hub: Hub) -> PlainService:
    return PlainService(hub)


@pytest.fixture
async def server(short_dir: Path, service: PlainService) -> AsyncIterator[LinkServer]:
    server = LinkServer(short_dir / "e.sock", service)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def socket_path(short_dir: Path, server: LinkServer) -> Path:
    return short_dir / "e.sock"
