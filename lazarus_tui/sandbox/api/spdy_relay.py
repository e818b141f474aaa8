"""kubectl's port-forward: many connections into one pod, each a pair of SPDY streams, all in one WebSocket.

Per connection the client opens an error stream and a data stream with the headers ``streamtype``, ``port`` and
``requestid``. Without flow control a pod that does not read holds up the whole WebSocket, as on a real node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from lazarus_tui.model.http import WebSocket
from lazarus_tui.sandbox.api.spdy import (
    GOAWAY_PROTOCOL_ERROR,
    INVALID_STREAM,
    REFUSED_STREAM,
    Data,
    Decoder,
    Encoder,
    Frame,
    GoAway,
    Ping,
    Reset,
    SpdyError,
    SynReply,
    SynStream,
)
from lazarus_tui.sandbox.runtime import RuntimeRefused

Dial = Callable[[int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

# Connections at once; more are refused one by one, the others go on.
MAX_PAIRS = 256
_FRAME = 32 * 1024
_QUEUED = 16


@dataclass(slots=True, eq=False)
class _Pair:
    """One connection: the ids of its two streams, and what the client has sent (None is its end)."""

    request: str
    port: int
    streams: dict[str, int] = field(default_factory=dict)
    inward: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(maxsize=_QUEUED))
    task: asyncio.Task[None] | None = None
    over: bool = False


class SpdyRelay:
    """Serves one WebSocket. ``dial`` opens a port of the pod; ``what`` names the pod in errors."""

    def __init__(self, dial: Dial, what: str) -> None:
        self._dial, self._what = dial, what
        self._encoder, self._decoder, self._sending = Encoder(), Decoder(), asyncio.Lock()
        self._pairs: dict[str, _Pair] = {}
        self._streams: dict[int, tuple[str, _Pair]] = {}
        self._last = 0
        self._leaving = False

    async def run(self, socket: WebSocket) -> None:
        """Returns when the client has gone or has broken the protocol; all connections are closed then."""
        try:
            while (message := await socket.receive()) is not None:
                for frame in self._decoder.feed(message):
                    await self._take(socket, frame)
        except SpdyError:
            with suppress(OSError):
                await self._send(socket, GoAway(self._last, GOAWAY_PROTOCOL_ERROR))
        finally:
            tasks = [pair.task for pair in self._pairs.values() if pair.task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await socket.close()

    async def _send(self, socket: WebSocket, frame: Frame) -> None:
        # Header blocks are one zlib stream: what is encoded first must leave first.
        async with self._sending:
            await socket.send(self._encoder.encode(frame))

    async def _take(self, socket: WebSocket, frame: Frame) -> None:
        match frame:
            case SynStream():
                await self._open(socket, frame)
            case Data(stream, data, fin):
                await self._data(socket, stream, data, fin)
            case Reset(stream, _):
                self._cancel(stream)
            case Ping(ident) if ident % 2:
                await self._send(socket, frame)
            case GoAway():
                self._leaving = True
            case _:
                pass  # settings, windows and further headers mean nothing here

    async def _open(self, socket: WebSocket, frame: SynStream) -> None:
        if frame.stream % 2 == 0 or frame.stream <= self._last:
            raise SpdyError(f"a client cannot open stream {frame.stream} after {self._last}")
        self._last = frame.stream
        kind, port = frame.headers.get("streamtype", ""), frame.headers.get("port", "")
        request = frame.headers.get("requestid", "")
        number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
        pair = self._pairs.get(request)
        refused = (
            self._leaving
            or kind not in ("data", "error")
            or not request
            or not 0 < number < 65536
            or (len(self._pairs) >= MAX_PAIRS if pair is None else kind in pair.streams or pair.port != number)
        )
        if refused:
            await self._send(socket, Reset(frame.stream, REFUSED_STREAM))
            return
        if pair is None:
            pair = self._pairs[request] = _Pair(request, number)
        pair.streams[kind] = frame.stream
        self._streams[frame.stream] = (kind, pair)
        await self._send(socket, SynReply(frame.stream))
        if len(pair.streams) == 2:
            pair.task = asyncio.create_task(self._relay(socket, pair), name=f"forward to {self._what}:{number}")
        if frame.fin:
            await self._data(socket, frame.stream, b"", True)

    async def _data(self, socket: WebSocket, stream: int, data: bytes, fin: bool) -> None:
        if stream > self._last:
            await self._send(socket, Reset(stream, INVALID_STREAM))
            return
        kind, pair = self._streams.get(stream, ("", None))
        if pair is None or kind != "data":
            return  # a stream that is over, or the error stream, on which a client only says that it writes nothing
        if data and not pair.over:
            await pair.inward.put(data)
        if fin and not pair.over:
            await pair.inward.put(None)

    def _cancel(self, stream: int) -> None:
        _, pair = self._streams.get(stream, ("", None))
        if pair is None:
            return
        if pair.task:
            pair.task.cancel()
        else:
            self._forget(pair)

    def _forget(self, pair: _Pair) -> None:
        pair.over = True
        self._pairs.pop(pair.request, None)
        for stream in pair.streams.values():
            self._streams.pop(stream, None)
        while not pair.inward.empty():  # lets go whoever waits for room in it
            pair.inward.get_nowait()

    async def _relay(self, socket: WebSocket, pair: _Pair) -> None:
        error, data = pair.streams["error"], pair.streams["data"]
        try:
            try:
                reader, writer = await self._dial(pair.port)
            except (OSError, RuntimeRefused) as fault:
                text = f"error forwarding port {pair.port} to pod {self._what}: {fault}"
                await self._send(socket, Data(error, text.encode()))
                return
            await self._both_ways(socket, data, pair.inward, reader, writer)
        finally:
            self._forget(pair)
            with suppress(OSError):
                await self._send(socket, Data(error, b"", fin=True))
                await self._send(socket, Data(data, b"", fin=True))

    async def _both_ways(
        self,
        socket: WebSocket,
        stream: int,
        inward: asyncio.Queue[bytes | None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Until the pod's end: kubectl closes the local connection then, whatever it still had to say."""
        pouring = asyncio.create_task(pour(inward, writer))
        try:
            with suppress(ConnectionError):  # a reset by the pod is an end like any other
                while data := await reader.read(_FRAME):
                    await self._send(socket, Data(stream, data))
        finally:
            pouring.cancel()
            await asyncio.gather(pouring, return_exceptions=True)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def pour(inward: asyncio.Queue[bytes | None], writer: asyncio.StreamWriter) -> None:
    """Writes what comes; None closes this direction alone. A pod that reads no more is let be: its end says so."""
    broken = False
    while True:
        data = await inward.get()
        if broken:
            continue
        try:
            if data is not None:
                writer.write(data)
                await writer.drain()
            elif writer.can_write_eof():
                writer.write_eof()
        except OSError:
            broken = True
