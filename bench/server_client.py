"""HTTP/1.1 over TLS by hand: so little work of its own that the server is what is measured."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Address:
    """Where a server is and how its administrator proves himself."""

    host: str
    port: int
    ca_pem: bytes
    token: str

    def head(self, method: str, path: str, kind: str, length: int) -> bytes:
        lines = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAuthorization: Bearer {self.token}\r\n"
        lines += "Accept: application/json\r\nUser-Agent: lazarus-bench\r\n"
        if kind:
            lines += f"Content-Type: {kind}\r\nContent-Length: {length}\r\n"
        return f"{lines}\r\n".encode()


class Connection:
    """One connection, one request at a time."""

    def __init__(self, address: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._address, self._reader, self._writer = address, reader, writer

    @classmethod
    async def open(cls, address: Address) -> Connection:
        context = ssl.create_default_context(cadata=address.ca_pem.decode())
        # The same protocol to both: without this the real one would speak HTTP/2.
        context.set_alpn_protocols(["http/1.1"])
        streams = await asyncio.open_connection(address.host, address.port, ssl=context, limit=1 << 26)
        return cls(address, *streams)

    async def close(self) -> None:
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    async def ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, bytes]:
        """Status and body."""
        self._writer.write(self._address.head(method, path, kind, len(body)) + body)
        status, headers = await self._answer()
        if b"chunked" in headers.get(b"transfer-encoding", b""):
            return status, b"".join([chunk async for chunk in self._chunks()])
        return status, await self._reader.readexactly(int(headers.get(b"content-length", b"0")))

    async def lines(self, path: str, opened: Callable[[], None]) -> AsyncIterator[bytes]:
        """The lines of a watch, each as soon as it is here."""
        self._writer.write(self._address.head("GET", path, "", 0))
        status, _ = await self._answer()
        if status != 200:
            raise RuntimeError(f"GET {path}: {status}")
        opened()
        rest = b""
        async for chunk in self._chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line

    async def _answer(self) -> tuple[int, dict[bytes, bytes]]:
        first, *rest = (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        pairs = (line.partition(b":") for line in rest if line)
        return int(first.split(b" ", 2)[1]), {name.lower(): value.strip() for name, _, value in pairs}

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            yield await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
