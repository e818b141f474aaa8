"""A ``Transport`` straight into an ``ApiServer``: no socket, the same answers, time from the injected clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.http import ByteStream, HandshakeRefused, HttpRequest, HttpResponse, WebSocket
from lazarus_tui.sandbox.api.answers import Answer, SocketAnswer, StreamAnswer
from lazarus_tui.sandbox.api.server import ApiServer, header

T = TypeVar("T")


class MemoryTransport:
    """Carries requests to ``server``; the server's token is added unless the request brings its own.

    ``OSError`` raised by the server's interceptor passes through, as a broken connection would. ``request.timeout``
    counts on ``clock``.
    """

    def __init__(self, server: ApiServer, clock: Clock | None = None) -> None:
        self._server, self._clock = server, clock or server.clock
        self._open = True

    async def send(self, request: HttpRequest) -> HttpResponse:
        return await self._bounded(self._exchange(request), request.timeout)

    async def _exchange(self, request: HttpRequest) -> HttpResponse:
        answer = await self._handle(request)
        if isinstance(answer, HttpResponse):
            return answer
        if isinstance(answer, SocketAnswer):
            raise ConnectionResetError("an upgrade was not asked for")
        try:
            body = b"".join([chunk async for chunk in answer.chunks])
        finally:
            await answer.chunks.aclose()
        return HttpResponse(answer.status, answer.headers, body)

    async def _handle(self, request: HttpRequest, extra: Mapping[str, str] | None = None) -> Answer:
        if not self._open:
            raise ConnectionRefusedError("the transport is closed")
        headers = dict(request.headers) | dict(extra or {})
        if self._server.token and not header(request, "authorization"):
            headers["authorization"] = f"Bearer {self._server.token}"
        complete = HttpRequest(request.method, request.path, request.query, headers, request.body, request.timeout)
        return await self._server.handle(complete)

    async def _bounded(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """``TimeoutError`` after ``seconds`` on the clock; no timer is made for work that is done at once."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(_seen)
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if task.done():
                return task.result()
            timer = asyncio.ensure_future(self._clock.sleep(seconds))
            try:
                await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
            if task.done():
                return task.result()
            raise TimeoutError(f"no answer within {seconds:g} s")
        finally:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[ByteStream]:
        answer = await self._bounded(self._handle(request), request.timeout)
        if isinstance(answer, SocketAnswer):
            raise ConnectionResetError("an upgrade was not asked for")
        if isinstance(answer, HttpResponse):
            yield _Whole(answer)
            return
        try:
            yield _Pieces(self, answer, request.timeout)
        finally:
            await answer.chunks.aclose()

    @asynccontextmanager
    async def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> AsyncIterator[WebSocket]:
        upgrade = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-protocol": ", ".join(subprotocols)}
        answer = await self._bounded(self._handle(request, upgrade), request.timeout)
        if not isinstance(answer, SocketAnswer):
            raise HandshakeRefused(await self._refusal(answer))
        client, served = socket_pair(answer.subprotocol)
        task = asyncio.create_task(_serve(answer, served))
        try:
            yield client
        finally:
            await client.close()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _refusal(self, answer: HttpResponse | StreamAnswer) -> HttpResponse:
        if isinstance(answer, HttpResponse):
            return answer
        await answer.chunks.aclose()
        return HttpResponse(answer.status, answer.headers, b"")

    async def close(self) -> None:
        self._open = False


def _seen(task: asyncio.Task[Any]) -> None:
    """Whoever waited may have gone just when it broke; then nobody is left to tell."""
    if not task.cancelled():
        task.exception()


async def _serve(answer: SocketAnswer, socket: WebSocket) -> None:
    try:
        await answer.run(socket)
    except OSError:
        pass  # the client went away
    finally:
        await socket.close()


class _Whole:
    """A whole answer as a stream of one piece."""

    def __init__(self, response: HttpResponse) -> None:
        self.status, self.headers, self._body = response.status, response.headers, response.body

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._body:
            yield self._body


class _Pieces:
    def __init__(self, transport: MemoryTransport, answer: StreamAnswer, silence: float) -> None:
        self.status, self.headers = answer.status, answer.headers
        self._transport, self._answer, self._silence = transport, answer, silence

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            chunk = await self._transport._bounded(_next(self._answer), self._silence)
            if chunk is None:
                return
            if chunk:
                yield chunk


async def _next(answer: StreamAnswer) -> bytes | None:
    return await anext(answer.chunks, None)


class _End:
    """One end of a WebSocket in memory."""

    def __init__(
        self, subprotocol: str, inward: asyncio.Queue[bytes | None], outward: asyncio.Queue[bytes | None]
    ) -> None:
        self.subprotocol = subprotocol
        self._inward, self._outward = inward, outward
        self._closed = False

    async def send(self, data: bytes) -> None:
        if self._closed:
            raise ConnectionResetError("the socket is closed")
        await self._outward.put(data)

    async def receive(self) -> bytes | None:
        if self._closed:
            return None
        data = await self._inward.get()
        if data is None:
            self._closed = True
        return data

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
        self._outward.put_nowait(None)


def socket_pair(subprotocol: str) -> tuple[WebSocket, WebSocket]:
    """The client's and the server's end of one connection."""
    one: asyncio.Queue[bytes | None] = asyncio.Queue()
    other: asyncio.Queue[bytes | None] = asyncio.Queue()
    return _End(subprotocol, one, other), _End(subprotocol, other, one)
