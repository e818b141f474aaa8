"""Requests over a real connection: the client library's TLS, our own session, timeouts and credentials.

The library is imported here and nowhere else, and late: it costs 0.4 s. Its ``ApiClient`` builds the TLS context and
the connection pool; the token never enters its configuration, whose repr would show it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lazarus_tui.kube.contexts import Context
from lazarus_tui.kube.credentials import Credential, Credentials, credentials_of, impersonation_headers
from lazarus_tui.kube.errors import Unexpected
from lazarus_tui.kube.outbound import proxy_for
from lazarus_tui.kube.tls import set_trust, tls_trouble
from lazarus_tui.model.clock import Clock, listened
from lazarus_tui.model.http import ByteStream, HandshakeRefused, HttpRequest, HttpResponse, WebSocket

if TYPE_CHECKING:
    import aiohttp

# Seconds to a TCP connection (reliability §2, trap 1), and to one that is usable: pool, proxy and TLS included.
CONNECT_TIMEOUT, READY_TIMEOUT = 5.0, 10.0
# Bytes: the reader's window, the largest answer kept, the largest WebSocket message.
READ_WINDOW, MAX_BODY, MAX_MESSAGE = 8 * 1024 * 1024, 512 * 1024 * 1024, 16 * 1024 * 1024
# Seconds between pings on a WebSocket, so that a half-open one is noticed. Half of them without an answer end it, also
# when this process was held up for so long in a silence: the library's own clock.
HEARTBEAT = 30.0
# Characters that stay as they are in a path; everything else is percent-encoded once.
_PATH_SAFE = "/:@!$&'()*+,;=~-._%"


class ClientTransport:
    """Implements ``model.http.Transport`` for one context: one session, one TLS context per client certificate."""

    def __init__(self, context: Context, credentials: Credentials) -> None:
        self._context, self._credentials = context, credentials
        self._proxy = proxy_for(context)
        self._impersonate = impersonation_headers(context.user.impersonate)
        self._lock = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._certificate = b""
        self._retired: list[aiohttp.ClientSession] = []

    @classmethod
    async def open(cls, context: Context, *, clock: Clock) -> ClientTransport:
        """Ready to connect; raises ``ConfigError`` for a context that is refused. Sends nothing."""
        transport = cls(context.usable(), credentials_of(context, clock))
        await asyncio.to_thread(importlib.import_module, "kubernetes_asyncio.client")
        return transport

    def __repr__(self) -> str:
        return f"ClientTransport({self._context.name!r})"

    async def close(self) -> None:
        for session in [*self._retired, *([self._session] if self._session else [])]:
            await session.close()
        self._retired, self._session = [], None

    # --- Transport

    async def send(self, request: HttpRequest) -> HttpResponse:
        async with self._exchange(request, stream=False) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    raise Unexpected("the answer is larger than 512 MiB", status=response.status)
            return HttpResponse(response.status, _lower(response.headers), bytes(body))

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[ByteStream]:
        async with self._exchange(request, stream=True) as response:
            yield _Chunks(response)

    @asynccontextmanager
    async def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> AsyncIterator[WebSocket]:
        session, credential = await self._ready()
        with _as_oserror():
            try:
                socket = await self._upgrade(session, credential, request, subprotocols)
            except HandshakeRefused as error:
                if error.response.status != 401 or not await self._credentials.refresh(credential):
                    raise
                session, credential = await self._ready()
                socket = await self._upgrade(session, credential, request, subprotocols)
        try:
            yield _Socket(socket)
        finally:
            await socket.close()

    # --- one exchange

    async def _upgrade(
        self, session: aiohttp.ClientSession, credential: Credential, request: HttpRequest, protocols: tuple[str, ...]
    ) -> aiohttp.ClientWebSocketResponse:
        opening = session.ws_connect(
            self._url(request),
            protocols=protocols,
            headers=self._headers(request, credential),
            heartbeat=HEARTBEAT,
            max_msg_size=MAX_MESSAGE,
            **self._route(),
        )
        socket: aiohttp.ClientWebSocketResponse = await listened(request.timeout, opening)
        return socket

    @asynccontextmanager
    async def _exchange(self, request: HttpRequest, *, stream: bool) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one request; a 401 is answered once with a fresh credential (the server did not act)."""
        with _as_oserror():
            session, credential = await self._ready()
            response = await self._ask(session, credential, request, stream)
            if response.status == 401 and await self._credentials.refresh(credential):
                response.release()
                session, credential = await self._ready()
                response = await self._ask(session, credential, request, stream)
            try:
                yield response
            finally:
                response.close()  # what was read to its end is back in the pool already

    async def _ask(
        self, session: aiohttp.ClientSession, credential: Credential, request: HttpRequest, stream: bool
    ) -> aiohttp.ClientResponse:
        import aiohttp

        limit = request.timeout
        return await session.request(
            request.method,
            self._url(request),
            headers=self._headers(request, credential),
            data=request.body or None,
            timeout=aiohttp.ClientTimeout(
                total=None if stream else limit,
                connect=min(READY_TIMEOUT, limit),
                sock_connect=min(CONNECT_TIMEOUT, limit),
                sock_read=limit,
            ),
            allow_redirects=False,
            raise_for_status=False,
            **self._route(),
        )

    def _url(self, request: HttpRequest) -> Any:
        from yarl import URL

        query = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in request.query)
        path = quote(request.path, safe=_PATH_SAFE)
        base = self._context.cluster.server.rstrip("/")
        return URL(f"{base}{path}{'?' if query else ''}{query}", encoded=True)

    def _headers(self, request: HttpRequest, credential: Credential) -> Any:
        from multidict import CIMultiDict

        headers = CIMultiDict(request.headers)
        headers.update(credential.headers())
        for name, value in self._impersonate:
            headers.add(name, value)
        return headers

    def _route(self) -> dict[str, Any]:
        route: dict[str, Any] = {}
        if self._proxy:
            route["proxy"] = self._proxy
        if self._context.cluster.tls_server_name:
            route["server_hostname"] = self._context.cluster.tls_server_name
        return route

    # --- the session

    async def _ready(self) -> tuple[aiohttp.ClientSession, Credential]:
        credential = await self._credentials.get()
        if self._session is None or self._certificate != self._seen_certificate(credential):
            async with self._lock:
                seen = self._seen_certificate(credential)
                if self._session is None or self._certificate != seen:
                    session = self._connect(credential)
                    await self._retire()
                    self._session, self._certificate = session, seen
        return self._session, credential

    def _seen_certificate(self, credential: Credential) -> bytes:
        """Changes when a plugin gives another client certificate, or somebody renews it in its file."""
        if credential.certificate or not self._context.user.cert_file:
            return credential.certificate
        try:
            return str(os.stat(self._context.user.cert_file).st_mtime_ns).encode()
        except OSError:
            return self._certificate

    async def _retire(self) -> None:
        """Streams of the last session may still be read; those of the one before have had their time."""
        for session in self._retired:
            await session.close()
        self._retired = [self._session] if self._session else []

    def _connect(self, credential: Credential) -> aiohttp.ClientSession:
        import aiohttp
        from kubernetes_asyncio.client import ApiClient, Configuration

        with tempfile.TemporaryDirectory(prefix="lazarus-", ignore_cleanup_errors=True) as folder:
            # The TLS context reads the files once, so keys are on disk for milliseconds (folder 0700, files 0600).
            configuration = Configuration(host=self._context.cluster.server)
            set_trust(configuration, Path(folder), self._context, credential)
            try:
                rest = ApiClient(configuration).rest_client
            except (OSError, ValueError) as error:
                raise tls_trouble(error) from None
        connector = rest.pool_manager.connector
        rest.pool_manager.detach()
        return aiohttp.ClientSession(
            connector=connector,
            trust_env=False,
            read_bufsize=READ_WINDOW,
            cookie_jar=aiohttp.DummyCookieJar(),
            raise_for_status=_refuse_upgrade,
            headers={"User-Agent": "lazarus"},
        )


async def _refuse_upgrade(response: aiohttp.ClientResponse) -> None:
    """Called for WebSocket upgrades alone: keeps the body that the library would drop."""
    if response.status != 101:
        body = await response.content.read(65536)
        raise HandshakeRefused(HttpResponse(response.status, _lower(response.headers), body))


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class _as_oserror:
    """Turns the HTTP library's exceptions into the few kinds the Transport promises."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import aiohttp

        if error is None or isinstance(error, HandshakeRefused):
            return
        found = _translate(error, aiohttp)
        if found is not None:
            raise found from None


def _translate(error: BaseException, aiohttp: Any) -> OSError | None:
    text = str(error)[:512]
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or "it does not verify"
        what = f"the certificate of {error.host}:{error.port} is not trusted: {why}"
        return ssl.SSLCertVerificationError(1, what)  # without a number its text is that of a tuple
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ConnectionRefusedError(f"no connection within {CONNECT_TIMEOUT:g} s")
    if isinstance(error, aiohttp.ClientConnectorError):
        which = "the proxy at " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
        why = _plain(error.os_error)
        return ConnectionRefusedError(f"cannot connect to {which}{error.host}:{error.port}: {why}")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ConnectionRefusedError(f"the proxy answered {error.status}")
    if isinstance(error, TimeoutError):
        return TimeoutError()
    if isinstance(error, aiohttp.InvalidURL | aiohttp.WSServerHandshakeError):
        return OSError(text)
    if isinstance(error, aiohttp.ClientError):
        return ConnectionResetError(text or type(error).__name__)
    return None


def _plain(error: OSError) -> str:
    """ "Connection refused" rather than what asyncio makes of it."""
    if isinstance(error, ssl.SSLError):
        return f"no TLS ({error.reason or 'handshake failed'})"
    if isinstance(error.errno, int) and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__


class _Chunks:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response, self.status = response, response.status
        self.headers: Mapping[str, str] = _lower(response.headers)

    async def chunks(self) -> AsyncIterator[bytes]:
        with _as_oserror():
            async for chunk in self._response.content.iter_any():
                yield chunk


class _Socket:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self.subprotocol = socket, socket.protocol or ""

    async def send(self, data: bytes) -> None:
        with _as_oserror():
            await self._socket.send_bytes(data)

    async def receive(self) -> bytes | None:
        import aiohttp

        while True:
            with _as_oserror():
                message = await self._socket.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                return bytes(message.data)
            if message.type is aiohttp.WSMsgType.TEXT:
                return str(message.data).encode()
            if message.type is aiohttp.WSMsgType.ERROR:
                raise ConnectionResetError(str(message.data)[:200])
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
                return None

    async def close(self) -> None:
        await self._socket.close()
