"""A TCP connection into a pod through the API server (one port, ``v4.channel.k8s.io``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lazarus_tui.kube.channels import V4, open_channels
from lazarus_tui.kube.errors import PortRefused, Unreachable, line
from lazarus_tui.model.http import HttpRequest, WebSocket

if TYPE_CHECKING:
    from lazarus_tui.kube.cluster import Cluster

DATA, ERROR = 0, 1
OPEN_TIMEOUT = 10.0
_FRAME = 32 * 1024
_READ_LIMIT = 256 * 1024


class _Pause(asyncio.Transport):
    """What StreamReader pauses when nobody reads, so a fast pod cannot fill the memory."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()

    def pause_reading(self) -> None:
        self.open.clear()

    def resume_reading(self) -> None:
        self.open.set()


class ForwardWriter:
    """The writing half, with the methods of ``asyncio.StreamWriter`` that a client needs."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket, self._queue = socket, asyncio.Queue[bytes]()
        self._broken: OSError | None = None
        self._closing = False

    def write(self, data: bytes) -> None:
        if self._closing:
            raise ConnectionResetError("the forwarded connection is closed")
        for start in range(0, len(data), _FRAME):
            self._queue.put_nowait(bytes([DATA]) + data[start : start + _FRAME])

    async def drain(self) -> None:
        """Wait until all of it is on its way; raises ``OSError`` when it cannot be."""
        await self._queue.join()
        if self._broken:
            raise self._broken

    def close(self) -> None:
        self._closing = True

    def is_closing(self) -> bool:
        return self._closing

    async def wait_closed(self) -> None:
        await self._queue.join()

    async def pump(self) -> None:
        while True:
            frame = await self._queue.get()
            try:
                if self._broken is None:
                    await self._socket.send(frame)
            except OSError as error:
                self._broken = error
            finally:
                self._queue.task_done()


async def _receive(request: HttpRequest, socket: WebSocket, reader: asyncio.StreamReader, pause: _Pause) -> None:
    seen: set[int] = set()
    try:
        while (frame := await socket.receive()) is not None:
            channel, data = (frame[0], frame[1:]) if frame else (ERROR, b"")
            if channel not in seen:
                seen.add(channel)  # the first frame of a channel is the port number
                data = data[2:]
            if channel == DATA and data:
                reader.feed_data(data)
                await pause.open.wait()
            elif channel == ERROR and data:
                text = data.decode("utf-8", "replace")
                kind = PortRefused if "refused" in text else Unreachable
                reader.set_exception(kind(text, request=line(request), resource="pods/portforward"))
                return
        reader.feed_eof()
    except OSError as error:
        reader.set_exception(error)


@asynccontextmanager
async def port_forward(
    cluster: Cluster, namespace: str, pod: str, port: int, *, timeout: float = OPEN_TIMEOUT
) -> AsyncIterator[tuple[asyncio.StreamReader, ForwardWriter]]:
    """A reader and a writer to ``port`` of the pod. One half cannot be closed alone.

    A refused port shows on the first read: ``PortRefused``, or ``Unreachable``, with the kubelet's words.
    """
    query = (("ports", str(port)),)
    async with open_channels(cluster, namespace, pod, "portforward", query, (V4,), timeout) as (request, socket):
        reader, pause, writer = asyncio.StreamReader(limit=_READ_LIMIT), _Pause(), ForwardWriter(socket)
        reader.set_transport(pause)
        tasks = [asyncio.create_task(_receive(request, socket, reader, pause)), asyncio.create_task(writer.pump())]
        try:
            yield reader, writer
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await socket.close()
