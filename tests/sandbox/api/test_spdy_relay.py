"""kubectl's port-forward over a WebSocket in memory, into real loopback connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from lazarus_tui.model.http import WebSocket
from lazarus_tui.sandbox.api import spdy_relay
from lazarus_tui.sandbox.api.memory import socket_pair
from lazarus_tui.sandbox.api.spdy import (
    Data,
    Decoder,
    Encoder,
    Frame,
    GoAway,
    MoreHeaders,
    Ping,
    Reset,
    Settings,
    SynReply,
    SynStream,
)
from lazarus_tui.sandbox.api.spdy_relay import SpdyRelay
from lazarus_tui.sandbox.runtime import RuntimeRefused

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Client:
    """The other end of the WebSocket, as kubectl is: frames are kept by stream."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket, self.encoder, self.decoder = socket, Encoder(), Decoder()
        self.others: list[Frame] = []
        self.got: dict[int, bytes] = {}
        self.ended: set[int] = set()

    async def send(self, *frames: Frame) -> None:
        for frame in frames:
            await self.socket.send(self.encoder.encode(frame))

    async def open(self, request: int, port: int = 80) -> tuple[int, int]:
        """The error stream, which the client closes at once, and the data stream."""
        error, data = 4 * request + 1, 4 * request + 3
        for stream, kind in ((error, "error"), (data, "data")):
            headers = {"streamtype": kind, "port": str(port), "requestid": str(request)}
            await self.send(SynStream(stream, headers))
            await self.until(lambda stream=stream: SynReply(stream) in self.others)  # type: ignore[misc]
            if kind == "error":
                await self.send(Data(error, b"", fin=True))
        return error, data

    async def until(self, done: Callable[[], bool]) -> bool:
        """False when the server has closed before."""
        async with asyncio.timeout(60):
            while not done():
                message = await self.socket.receive()
                if message is None:
                    return False
                for frame in self.decoder.feed(message):
                    if isinstance(frame, Data):
                        self.got[frame.stream] = self.got.get(frame.stream, b"") + frame.data
                        self.ended |= {frame.stream} if frame.fin else set()
                    else:
                        self.others.append(frame)
        return True


@asynccontextmanager
async def relayed(handler: Handler | None, refusal: Exception | None = None) -> AsyncIterator[Client]:
    """A relay into a server with ``handler``; connections that are open at the end must have been let go."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0) if handler else None
    opened: list[asyncio.StreamWriter] = []

    async def dial(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if refusal or server is None:
            raise refusal or ConnectionRefusedError("connection refused")
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        opened.append(writer)
        return reader, writer

    here, there = socket_pair("test")
    task = asyncio.create_task(SpdyRelay(dial, "web-0, uid u1").run(there))
    try:
        yield Client(here)
    finally:
        await here.close()
        async with asyncio.timeout(60):
            await task
        assert all(writer.is_closing() for writer in opened)
        if server:
            server.close()
            await server.wait_closed()


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers in upper case, and says goodbye to a client that closes its half."""
    while data := await reader.read(65536):
        writer.write(data.upper())
        await writer.drain()
    writer.write(b"bye")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_bytes_go_both_ways_and_one_half_can_end_before_the_other() -> None:
    async with relayed(shout) as client:
        error, data = await client.open(0)
        payload = b"abc" * 50_000
        for start in range(0, len(payload), 32768):
            await client.send(Data(data, payload[start : start + 32768]))
        assert await client.until(lambda: len(client.got.get(data, b"")) == len(payload))
        assert data not in client.ended
        await client.send(Data(data, b"", fin=True))
        assert await client.until(lambda: {error, data} <= client.ended)
        assert client.got == {data: payload.upper() + b"bye", error: b""}


async def test_connections_side_by_side_do_not_mix() -> None:
    async with relayed(shout) as client:
        pairs = [await client.open(request) for request in range(20)]
        for turn in range(3):
            for number, (_, data) in enumerate(pairs):
                await client.send(Data(data, f"<{number}.{turn}>".encode()))
        for _, data in pairs:
            await client.send(Data(data, b"", fin=True))
        assert await client.until(lambda: all(data in client.ended for _, data in pairs))
        for number, (_, data) in enumerate(pairs):
            assert client.got[data] == b"".join(f"<{number}.{turn}>".encode() for turn in range(3)) + b"bye"


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (ConnectionRefusedError("connection refused"), "connection refused"),
        (RuntimeRefused(404, "NotFound", 'pods "web-0" not found'), 'pods "web-0" not found'),
    ],
)
async def test_what_cannot_be_reached_is_told_on_the_error_stream(refusal: Exception, words: str) -> None:
    async with relayed(None, refusal) as client:
        error, data = await client.open(0, port=81)
        assert await client.until(lambda: {error, data} <= client.ended)
        assert client.got[error].decode() == f"error forwarding port 81 to pod web-0, uid u1: {words}"
        assert client.got[data] == b""
        await client.send(Ping(9))
        assert await client.until(lambda: Ping(9) in client.others)  # the connection itself lives on


async def test_a_client_that_resets_its_stream_frees_the_connection() -> None:
    closed = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        closed.set()
        writer.close()
        await writer.wait_closed()

    async with relayed(hold) as client:
        error, data = await client.open(0)
        await client.send(Data(data, b"x"), Reset(data, 5))
        assert await client.until(lambda: error in client.ended)
        async with asyncio.timeout(60):
            await closed.wait()
        error, data = await client.open(1)
        assert (error, data) == (5, 7)


async def test_a_pod_that_resets_is_an_end_without_an_error() -> None:
    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with relayed(slam) as client:
        error, data = await client.open(0)
        await client.send(Data(data, b"x" * 1000))
        assert await client.until(lambda: {error, data} <= client.ended)
        assert client.got[error] == b""
        await client.send(Data(data, b"too late"), Ping(1))
        assert await client.until(lambda: Ping(1) in client.others)


async def test_a_pod_that_does_not_read_lets_go_when_it_ends() -> None:
    end = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await end.wait()
        writer.transport.abort()

    async with relayed(deaf) as client:
        error, data = await client.open(0)
        for _ in range(60):  # far more than queues and socket buffers hold
            await client.send(Data(data, bytes(1 << 19)))
        await client.send(Ping(3))
        end.set()
        assert await client.until(lambda: Ping(3) in client.others and error in client.ended)


async def test_the_same_words_again_are_refused_alone() -> None:
    async with relayed(shout) as client:
        good = {"streamtype": "data", "port": "80", "requestid": "0"}
        bad = [good | {"streamtype": "x"}, good | {"port": "0"}, good | {"port": "65536"}, good | {"port": "²"}, {},
               good | {"requestid": ""}]  # fmt: skip
        await client.send(SynStream(1, good), *(SynStream(3 + 2 * n, one) for n, one in enumerate(bad)))
        await client.send(SynStream(21, good), SynStream(23, good | {"streamtype": "error", "port": "81"}))
        refused = [Reset(stream, 3) for stream in (*range(3, 15, 2), 21, 23)]
        assert await client.until(lambda: set(refused) <= {one for one in client.others if isinstance(one, Reset)})
        assert client.others == [SynReply(1), *refused]
        await client.send(SynStream(25, good | {"streamtype": "error"}), Data(1, b"hi"))
        assert await client.until(lambda: client.got.get(1) == b"HI")


async def test_there_is_a_bound_on_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spdy_relay, "MAX_PAIRS", 2)
    async with relayed(shout) as client:
        await client.open(0)
        await client.open(1)
        await client.send(SynStream(9, {"streamtype": "error", "port": "80", "requestid": "2"}))
        assert await client.until(lambda: Reset(9, 3) in client.others)
        await client.send(Data(3, b"", fin=True))
        assert await client.until(lambda: 1 in client.ended)
        error, _ = await client.open(3)
        assert SynReply(error) in client.others


async def test_frames_that_mean_nothing_change_nothing() -> None:
    async with relayed(shout) as client:
        await client.send(Settings(((4, 65536),)), MoreHeaders(1), Ping(2), Data(1, b"?"), Ping(5))
        assert await client.until(lambda: Ping(5) in client.others)
        assert client.others == [Reset(1, 2), Ping(5)]


@pytest.mark.parametrize("wrong", [b"\x80\x02\0\1\0\0\0\0", b"\xff" * 8, None], ids=["version", "noise", "even stream"])
async def test_a_client_that_breaks_the_protocol_is_sent_away(wrong: bytes | None) -> None:
    async with relayed(shout) as client:
        await client.open(0)
        await client.socket.send(wrong if wrong is not None else client.encoder.encode(SynStream(8)))
        assert not await client.until(lambda: False)
        assert client.others[-1] == GoAway(3, 1)


async def test_no_new_streams_after_a_goodbye() -> None:
    async with relayed(shout) as client:
        _, data = await client.open(0)
        await client.send(GoAway(0), SynStream(5, {"streamtype": "error", "port": "80", "requestid": "1"}))
        assert await client.until(lambda: Reset(5, 3) in client.others)
        await client.send(Data(data, b"still"))
        assert await client.until(lambda: client.got.get(data) == b"STILL")
