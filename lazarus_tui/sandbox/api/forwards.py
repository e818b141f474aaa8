"""Port-forward: kubectl's SPDY in a WebSocket, and the plain channels other clients use."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lazarus_tui.model.http import HttpRequest, WebSocket
from lazarus_tui.sandbox.api.answers import SocketAnswer
from lazarus_tui.sandbox.api.errors import ApiError, bad_request
from lazarus_tui.sandbox.api.spdy_relay import Dial, SpdyRelay, pour
from lazarus_tui.sandbox.runtime import PodRuntime, RuntimeRefused

SPDY = "SPDY/3.1+portforward.k8s.io"
CHANNELS = "v4.channel.k8s.io"
_FRAME = 32 * 1024


def subprotocol(request: HttpRequest, supported: Sequence[str]) -> str:
    """The first offered subprotocol that is served; ``ApiError`` for any other kind of request."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    upgrade = headers.get("upgrade", "").lower()
    if upgrade.startswith("spdy/"):
        raise bad_request("the sandbox streams over WebSockets only, not over bare SPDY: use kubectl 1.31 or newer")
    if upgrade != "websocket":
        raise bad_request("Upgrade request required")
    offered = [one.strip() for one in headers.get("sec-websocket-protocol", "").split(",")]
    chosen = next((one for one in offered if one in supported), "")
    if not chosen:
        raise ApiError(403, "Forbidden", f"unable to upgrade: none of {offered} is served, only {list(supported)}")
    return chosen


def forward_answer(runtime: PodRuntime, request: HttpRequest, pod: dict[str, Any]) -> SocketAnswer:
    """kubectl names the ports stream by stream; with channels they are in the query."""
    meta = pod["metadata"]

    async def dial(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await runtime.connect(meta["namespace"], meta["name"], port)

    chosen = subprotocol(request, (SPDY, CHANNELS))
    what = f"{meta['name']}, uid {meta['uid']}"
    if chosen == SPDY:
        return SocketAnswer(chosen, SpdyRelay(dial, what).run)
    return SocketAnswer(chosen, _Channels(dial, what, _ports(request)).run)


def _ports(request: HttpRequest) -> list[int]:
    ports = [
        int(port) for name, value in request.query if name == "ports" for port in value.split(",") if port.isdigit()
    ]
    if not ports or not all(0 < port < 65536 for port in ports):
        raise bad_request('query parameter "ports" is required and holds ports between 1 and 65535')
    return ports


@dataclass(frozen=True, slots=True)
class _Channels:
    """Per port a data channel 2i and an error channel 2i+1; the first frame of each is the port, little endian."""

    dial: Dial
    what: str
    ports: list[int]

    async def run(self, socket: WebSocket) -> None:
        inward: list[asyncio.Queue[bytes | None]] = [asyncio.Queue(maxsize=64) for _ in self.ports]
        for index, port in enumerate(self.ports):
            for channel in (2 * index, 2 * index + 1):
                await socket.send(bytes([channel]) + struct.pack("<H", port))
        reading = asyncio.create_task(self._read(socket, inward))
        relays = asyncio.create_task(self._relay_all(socket, inward))
        try:
            await asyncio.wait({reading, relays}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
            relays.cancel()
            await asyncio.gather(reading, relays, return_exceptions=True)
            await socket.close()

    async def _relay_all(self, socket: WebSocket, inward: list[asyncio.Queue[bytes | None]]) -> None:
        async with asyncio.TaskGroup() as group:
            for index, queue in enumerate(inward):
                group.create_task(self._relay(socket, index, queue))

    async def _read(self, socket: WebSocket, inward: list[asyncio.Queue[bytes | None]]) -> None:
        while (frame := await socket.receive()) is not None:
            if frame and frame[0] % 2 == 0 and frame[0] // 2 < len(inward):
                await inward[frame[0] // 2].put(frame[1:])

    async def _relay(self, socket: WebSocket, index: int, inward: asyncio.Queue[bytes | None]) -> None:
        port = self.ports[index]
        try:
            reader, writer = await self.dial(port)
        except (OSError, RuntimeRefused) as error:
            text = f"error forwarding port {port} to pod {self.what}: {error}"
            await socket.send(bytes([2 * index + 1]) + text.encode())
            return
        sending = asyncio.create_task(pour(inward, writer))
        try:
            with suppress(OSError):
                while data := await reader.read(_FRAME):
                    await socket.send(bytes([2 * index]) + data)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
