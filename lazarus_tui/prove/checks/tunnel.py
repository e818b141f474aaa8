"""An HTTP connection inside a forwarded one: nothing listens here, and nothing but the pod can be reached."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import httpcore

from lazarus_tui.model.clock import listened
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.streams import Streams
from lazarus_tui.prove.checks.outcome import Attempt
from lazarus_tui.prove.checks.place import Place

_CHUNK = 64 * 1024


class Tunnel(httpcore.AsyncNetworkBackend):
    """Every connection that is asked for leads to ``place``; ``stack`` closes what was opened.

    ``certificate`` is the server's own (DER) once a TLS connection stands.
    """

    def __init__(self, reader: Reader, place: Place, stack: AsyncExitStack, attempt: Attempt) -> None:
        self._reader, self._place, self._stack, self._attempt = reader, place, stack, attempt
        self.certificate = b""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        place = self._place
        streams = await self._stack.enter_async_context(self._reader.forward(place.namespace, place.pod, place.port))
        self._attempt.reached = True
        return _Plain(streams, self)


class _Plain(httpcore.AsyncNetworkStream):
    def __init__(self, streams: Streams, tunnel: Tunnel) -> None:
        self._reader, self._writer = streams
        self._tunnel = tunnel

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if timeout is None:
            return await self._reader.read(max_bytes)
        try:
            return await listened(timeout, self._reader.read(max_bytes))
        except TimeoutError:
            raise httpcore.ReadTimeout from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            self._writer.write(buffer)
            await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        found = _Tls(self, ssl_context, server_hostname)
        await found.shake(timeout)
        self._tunnel.certificate = found.certificate()
        return found

    def get_extra_info(self, info: str) -> Any:
        return None


class _Tls(httpcore.AsyncNetworkStream):
    """TLS over bytes in memory, because a forwarded connection has no socket."""

    def __init__(self, inner: _Plain, context: ssl.SSLContext, name: str | None) -> None:
        self._inner, self._in, self._out = inner, ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name)

    def certificate(self) -> bytes:
        return self._tls.getpeercert(binary_form=True) or b""

    async def shake(self, timeout: float | None) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more(timeout)
            except ssl.SSLError:
                await self._flush()  # the server is told why
                raise
            else:
                return await self._flush()

    async def _flush(self) -> None:
        if data := self._out.read():
            await self._inner.write(data)

    async def _more(self, timeout: float | None) -> None:
        data = await self._inner.read(_CHUNK, timeout)
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            try:
                return self._tls.read(max_bytes)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more(timeout)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            self._tls.write(buffer)
            await self._flush()

    async def aclose(self) -> None:
        await self._inner.aclose()

    def get_extra_info(self, info: str) -> Any:
        return None
