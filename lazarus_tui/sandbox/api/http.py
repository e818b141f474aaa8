"""The HTTPS front end: aiohttp's low-level server on 127.0.0.1 over the same core as everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.sandbox.api.answers import SocketAnswer, StreamAnswer, error_answer
from lazarus_tui.sandbox.api.bodies import MAX_BODY
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.pki import authority_pem, load_authority, server_context
from lazarus_tui.sandbox.api.server import ApiServer

_HOST = "127.0.0.1"
# A page in a browser can be made to call a loopback port under another name; these are the names we answer to.
_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
# exec puts whole commands into the request line.
_MAX_LINE = 256 * 1024
_SHUTDOWN_SECONDS = 1.0
# Bytes of an upgraded connection that may wait for whoever is behind this server.
_KEPT = 1 << 20


@dataclass(frozen=True, slots=True)
class Serving:
    """A running front end."""

    url: str
    ca_pem: bytes
    server: ApiServer
    runner: web.ServerRunner

    async def close(self) -> None:
        """End watches and connections, then free the port."""
        self.server.stop()
        await self.runner.cleanup()


async def serve(server: ApiServer, pki_dir: Path, port: int = 0) -> Serving:
    """Serve on 127.0.0.1; ``port`` 0 picks a free one. The authority in ``pki_dir`` is made or reused."""
    authority = load_authority(pki_dir)
    front = _Front(server)
    low = web.Server(
        front.handle,
        request_factory=front.make_request,
        handler_cancellation=True,
        access_log=None,
        max_line_size=_MAX_LINE,
        max_field_size=_MAX_LINE,
    )
    runner = web.ServerRunner(low, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, _HOST, port, ssl_context=server_context(authority))
    try:
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    server.address = f"{_HOST}:{runner.addresses[0][1]}"
    return Serving(f"https://{server.address}", authority_pem(authority), server, runner)


class _Front:
    def __init__(self, server: ApiServer) -> None:
        self._server = server

    @staticmethod
    def make_request(
        message: RawRequestMessage, payload: StreamReader, protocol: Any, writer: Any, task: asyncio.Task[None]
    ) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY + 1)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if _host_name(request.headers.get("Host", "")) not in _NAMES:
            return _whole(error_answer(ApiError(403, "Forbidden", "this host name is not served")))
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            why = f"Request entity too large: limit is {MAX_BODY}"
            return _whole(error_answer(ApiError(413, "RequestEntityTooLarge", why)))
        query = tuple(request.rel_url.query.items())
        headers: Mapping[str, str] = request.headers
        wanted = HttpRequest(request.method, request.rel_url.raw_path, query, headers, body)
        try:
            answer = await self._server.handle(wanted)
        except OSError:
            return _broken(request)
        if isinstance(answer, HttpResponse):
            return _whole(answer)
        if isinstance(answer, SocketAnswer):
            return await _upgrade(request, answer)
        return await _stream(request, answer)


def _host_name(host: str) -> str:
    return host.rsplit(":", 1)[0] if not host.endswith("]") else host


def _whole(answer: HttpResponse) -> web.Response:
    return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)


def _broken(request: web.BaseRequest) -> web.Response:
    """What an interceptor's ``OSError`` looks like from outside: the connection ends without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _stream(request: web.BaseRequest, answer: StreamAnswer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
    if request.version >= (1, 1) and answer.status not in (204, 304):
        response.enable_chunked_encoding()
    try:
        await response.prepare(request)
        async for chunk in answer.chunks:
            if chunk:
                await response.write(chunk)
        await response.write_eof()
    except OSError:
        _broken(request)
    finally:
        await answer.chunks.aclose()
    return response


class _Socket:
    """An aiohttp WebSocket as the core sees it."""

    def __init__(self, socket: web.WebSocketResponse, subprotocol: str) -> None:
        self._socket, self.subprotocol = socket, subprotocol

    async def send(self, data: bytes) -> None:
        await self._socket.send_bytes(data)

    async def receive(self) -> bytes | None:
        message = await self._socket.receive()
        if message.type == WSMsgType.BINARY:
            return bytes(message.data)
        if message.type == WSMsgType.TEXT:
            return str(message.data).encode()
        return None

    async def close(self) -> None:
        with suppress(OSError):
            await self._socket.close()


class _Sent(web.StreamResponse):
    """For aiohttp: an answer that has been given already."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes | bytearray | memoryview = b"") -> None:
        return None


class _Bytes:
    """A connection that speaks something else from now on, as the core sees it: messages are bytes as they come."""

    subprotocol = ""

    def __init__(self, request: web.BaseRequest) -> None:
        assert request.transport is not None  # it goes with the request's task
        self._transport = request.transport
        # aiohttp's protocol has what the writer's drain needs.
        protocol: Any = request.protocol
        self._writer = asyncio.StreamWriter(self._transport, protocol, None, asyncio.get_running_loop())
        self._heard: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._kept = 0
        protocol.set_parser(self)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._heard.put_nowait(bytes(data))
        self._kept += len(data)
        if self._kept > _KEPT and not self._transport.is_closing():
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        self._heard.put_nowait(None)

    async def receive(self) -> bytes | None:
        data = await self._heard.get()
        before, self._kept = self._kept, self._kept - len(data or b"")
        if before > _KEPT >= self._kept and not self._transport.is_closing():
            self._transport.resume_reading()
        return data

    async def send(self, data: bytes) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()


async def _tunnel(request: web.BaseRequest, answer: SocketAnswer) -> web.StreamResponse:
    with suppress(OSError):
        pipe = _Bytes(request)
        await answer.run(pipe)
        await pipe.close()
    return _Sent()


async def _upgrade(request: web.BaseRequest, answer: SocketAnswer) -> web.StreamResponse:
    if answer.raw:
        return await _tunnel(request, answer)
    socket = web.WebSocketResponse(protocols=(answer.subprotocol,), timeout=1.0, max_msg_size=MAX_BODY)
    await socket.prepare(request)
    with suppress(OSError):
        await answer.run(_Socket(socket, answer.subprotocol))
    await socket.close()
    return socket
