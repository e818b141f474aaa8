"""The proxy subresources of services and pods: one HTTP/1.1 exchange with a pod, through the kubelet's connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from lazarus_tui.model.http import HttpRequest, WebSocket
from lazarus_tui.model.resources import ENDPOINTS, PODS, SERVICES
from lazarus_tui.sandbox.api.answers import Answer, SocketAnswer, StreamAnswer
from lazarus_tui.sandbox.api.authentication import header
from lazarus_tui.sandbox.api.errors import ApiError, bad_request, no_such_route
from lazarus_tui.sandbox.api.routes import Route
from lazarus_tui.sandbox.api.verbs import Verbs
from lazarus_tui.sandbox.runtime import PodRuntime, RuntimeRefused

# How long a backend may take to send its headers, in seconds.
HEADER_TIMEOUT = 30.0
_MAX_HEADER_LINES = 200
_CHUNK = 64 * 1024
# Never forwarded in either direction: they belong to one connection, or (the token) to this server alone.
_NOT_FORWARDED = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Backend:
    """A port of a pod."""

    namespace: str
    pod: str
    port: int


def _split(name: str) -> tuple[str, str]:
    """``[scheme:]name[:port]`` → name and port."""
    parts = name.split(":")
    if len(parts) == 3:
        if parts[0] not in ("", "http"):
            raise bad_request(f"scheme {parts[0]!r} is not served here, only http")
        parts = parts[1:]
    if len(parts) > 2 or not parts[0]:
        raise bad_request(f"invalid proxy target {name!r}")
    return parts[0], parts[1] if len(parts) == 2 else ""


def service_backend(verbs: Verbs, namespace: str, target: str) -> Backend:
    """A ready endpoint of a service; 503 when there is none."""
    name, wanted = _split(target)
    service = verbs.get(verbs.registry.served(SERVICES).kind, namespace, name).obj
    ports = (service.get("spec") or {}).get("ports") or []
    if wanted:
        port = next((one for one in ports if wanted in (one.get("name"), str(one["port"]))), None)
    else:
        port = ports[0] if len(ports) == 1 else None
    if port is None:
        raise ApiError(503, "ServiceUnavailable", f'no service port "{wanted}" found for service "{name}"')
    entity = verbs.store.get(ENDPOINTS.group_resource, (namespace, name))
    for subset in (entity.obj.get("subsets") if entity else None) or ():
        found = next((one for one in subset.get("ports") or () if one.get("name", "") == port.get("name", "")), None)
        for address in subset.get("addresses") or ():
            if found is not None and (pod := _pod_of(verbs, namespace, address)):
                return Backend(namespace, pod, int(found["port"]))
    raise ApiError(503, "ServiceUnavailable", f'no endpoints available for service "{target}"')


def _pod_of(verbs: Verbs, namespace: str, address: dict[str, Any]) -> str:
    reference = address.get("targetRef") or {}
    if reference.get("kind") == "Pod":
        return str(reference["name"])
    for entity in verbs.store.select(PODS.group_resource, namespace):
        if (entity.obj.get("status") or {}).get("podIP") == address.get("ip"):
            return str(entity.obj["metadata"]["name"])
    return ""


def pod_backend(verbs: Verbs, namespace: str, target: str) -> Backend:
    """A port of a pod; without a port, its first container port or 80."""
    name, wanted = _split(target)
    pod = verbs.get(verbs.registry.served(PODS).kind, namespace, name).obj
    ports = [port for one in pod["spec"]["containers"] for port in one.get("ports") or ()]
    if wanted.isdigit():
        return Backend(namespace, name, int(wanted))
    chosen = [port for port in ports if not wanted or port.get("name") == wanted]
    if wanted and not chosen:
        raise bad_request(f"pod {name} has no port {wanted!r}")
    return Backend(namespace, name, int(chosen[0]["containerPort"]) if chosen else 80)


async def proxy_answer(verbs: Verbs, runtime: PodRuntime | None, request: HttpRequest, route: Route) -> Answer:
    """The backend's own answer; what the API server itself has to say comes as a Status."""
    if route.namespace is None or route.group:
        raise no_such_route()
    find = service_backend if route.plural == "services" else pod_backend
    backend = find(verbs, route.namespace, route.name)
    if runtime is None:
        raise ApiError(503, "ServiceUnavailable", "no kubelet is running")
    try:
        reader, writer = await runtime.connect(backend.namespace, backend.pod, backend.port, outside=True)
    except RuntimeRefused as refused:
        if refused.status == 503:
            raise _unreachable(refused) from None
        raise ApiError(refused.status, refused.reason, refused.message) from None
    except OSError as error:
        raise _unreachable(error) from None
    try:
        async with asyncio.timeout(HEADER_TIMEOUT):
            writer.write(_request_bytes(request, route, backend))
            await writer.drain()
            status, headers = await _read_head(reader)
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        await _close(writer)
        raise _unreachable(error) from None
    except BaseException:
        await _close(writer)
        raise
    if status == 101:
        return SocketAnswer("", _Upgraded(reader, writer, _switching(headers)).run, raw=True)
    body = _body(reader, writer, headers, bodiless=request.method == "HEAD" or status in (204, 304))
    await anext(body)
    kept = {name: value for name, value in headers.items() if name not in _NOT_FORWARDED}
    return StreamAnswer(body, status, kept)


def _unreachable(error: BaseException) -> ApiError:
    return ApiError(503, "ServiceUnavailable", f"error trying to reach service: {error or type(error).__name__}")


def _request_bytes(request: HttpRequest, route: Route, backend: Backend) -> bytes:
    path = route.rest or "/"
    if request.path.endswith("/") and not path.endswith("/"):
        path += "/"
    query = f"?{urlencode(request.query)}" if request.query else ""
    upgrade = header(request, "upgrade")
    kept = ["Connection: Upgrade", f"Upgrade: {upgrade}"] if upgrade else ["Connection: close"]
    lines = [f"{request.method} {path}{query} HTTP/1.1", f"Host: {backend.pod}:{backend.port}", *kept]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() not in _NOT_FORWARDED]
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(request.body)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise bad_request("a header or path holds a line break")
    return "\r\n".join([*lines, "", ""]).encode() + request.body


def _switching(headers: dict[str, str]) -> bytes:
    """The head of the backend's 101, for the client."""
    lines = ["HTTP/1.1 101 Switching Protocols", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


@dataclass(frozen=True, slots=True)
class _Upgraded:
    """A connection that both ends have agreed to use otherwise, a WebSocket for example: bytes are passed on."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: bytes

    async def run(self, socket: WebSocket) -> None:
        tasks = [asyncio.create_task(self._inward(socket)), asyncio.create_task(self._outward(socket))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await _close(self.writer)

    async def _inward(self, socket: WebSocket) -> None:
        while (data := await socket.receive()) is not None:
            self.writer.write(data)
            await self.writer.drain()

    async def _outward(self, socket: WebSocket) -> None:
        await socket.send(self.head)
        while data := await self.reader.read(_CHUNK):
            await socket.send(data)


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    version, code, *_ = (await reader.readuntil(b"\r\n")).decode("latin-1").split(None, 2)
    if not version.startswith("HTTP/1."):
        raise ValueError("the backend does not speak HTTP/1.1")
    headers: dict[str, str] = {}
    for _ in range(_MAX_HEADER_LINES):
        line = (await reader.readuntil(b"\r\n")).decode("latin-1").strip()
        if not line:
            return int(code), headers
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    raise ValueError("the backend sends too many headers")


async def _body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str], *, bodiless: bool
) -> AsyncGenerator[bytes, None]:
    try:
        yield b""  # started, so that closing it closes the connection even when nobody reads
        if bodiless:
            return
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                yield await reader.readexactly(size)
                await reader.readexactly(2)
            return
        left = int(headers["content-length"]) if "content-length" in headers else None
        while left is None or left > 0:
            data = await reader.read(_CHUNK if left is None else min(_CHUNK, left))
            if not data:
                if left:
                    raise ConnectionResetError("the backend ended in the middle of its answer")
                return
            left = None if left is None else left - len(data)
            yield data
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
