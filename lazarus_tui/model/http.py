"""The seam between whoever speaks Kubernetes HTTP and whoever serves it.

A request and its answer are plain frozen values; a ``Transport`` carries them. The kube boundary ships one over a real
connection, the sandbox ships one in memory, so pure tests and the crash harness use the one fake (design.md §10).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request. ``path`` is the API path without a query; ``query`` values are already strings.

    ``timeout`` is in seconds for the whole exchange (connect, send, first byte, body); for a stream it bounds the time
    to the answer's headers and then each silence between two chunks.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout: float = 15.0


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HandshakeRefused(OSError):
    """A WebSocket upgrade that was answered with an ordinary response instead of 101."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__(f"upgrade refused with status {response.status}")
        self.response = response


class ByteStream(Protocol):
    """An answer that arrives piece by piece (watch, logs)."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """Bytes as they arrive; chunk borders mean nothing. Ends at the end; raises ``OSError`` when it breaks."""
        ...


class WebSocket(Protocol):
    """A WebSocket carrying binary Kubernetes channel frames (byte 0 is the channel)."""

    subprotocol: str

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes | None:
        """The next binary message, or None when the peer has closed."""
        ...

    async def close(self) -> None: ...


class Transport(Protocol):
    """Carries requests to one API server.

    Failures before an answer raise ``OSError`` (``ConnectionRefusedError`` and friends: not sent) or ``TimeoutError``;
    any HTTP status is an answer, never an exception. A refused ``websocket`` raises ``HandshakeRefused`` on entry.
    """

    async def send(self, request: HttpRequest) -> HttpResponse: ...

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[ByteStream]: ...

    def websocket(
        self, request: HttpRequest, subprotocols: tuple[str, ...]
    ) -> AbstractAsyncContextManager[WebSocket]: ...

    async def close(self) -> None: ...
