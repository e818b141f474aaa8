"""Conversations with containers: logs, exec and port-forward, over the kubelet's ``PodRuntime``."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.http import HttpRequest, WebSocket
from lazarus_tui.model.resources import PODS
from lazarus_tui.sandbox.api import options
from lazarus_tui.sandbox.api.answers import Answer, SocketAnswer, StreamAnswer
from lazarus_tui.sandbox.api.errors import ApiError, bad_request, method_not_allowed, no_such_route
from lazarus_tui.sandbox.api.routes import Route
from lazarus_tui.sandbox.api.verbs import Verbs
from lazarus_tui.sandbox.runtime import ExecSession, PodRuntime, RuntimeRefused

# Channel 0 stdin, 1 stdout, 2 stderr, 3 status, 4 resize; with v5 a [255, channel] frame closes one direction.
EXEC_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
FORWARD_PROTOCOLS = ("v4.channel.k8s.io",)
_STDIN, _STATUS, _CLOSE = 0, 3, 255
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_FRAME = 32 * 1024


async def pod_stream(verbs: Verbs, runtime: PodRuntime | None, request: HttpRequest, route: Route) -> Answer:
    """``ApiError`` before anything is streamed: no such pod or container, no runtime, nothing to upgrade to."""
    if route.namespace is None or not route.name:
        raise no_such_route()
    if request.method not in ("GET", "POST"):
        raise method_not_allowed()
    pod = verbs.get(verbs.registry.served(PODS).kind, route.namespace, route.name).obj
    if runtime is None:
        raise ApiError(503, "ServiceUnavailable", "no kubelet is running")
    if route.subresource == "attach":
        raise bad_request("attach is not served here: use exec or logs")
    try:
        if route.subresource == "log":
            return await _log(verbs, runtime, request, pod)
        if route.subresource == "exec":
            return await _exec(runtime, request, pod)
        return _forward(runtime, request, pod)
    except RuntimeRefused as refused:
        raise ApiError(refused.status, refused.reason, refused.message) from None


def _container(pod: dict[str, Any], query: dict[str, str]) -> str:
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    known = [one["name"] for part in ("containers", "initContainers") for one in spec.get(part) or ()]
    asked = query.get("container") or (pod["metadata"].get("annotations") or {}).get(_DEFAULT_CONTAINER)
    if asked:
        if asked not in known:
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    regular = [one["name"] for one in spec.get("containers") or ()]
    if len(regular) > 1:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(regular)}]")
    return str(regular[0])


async def _log(verbs: Verbs, runtime: PodRuntime, request: HttpRequest, pod: dict[str, Any]) -> Answer:
    query, meta = dict(request.query), pod["metadata"]
    follow = options.flag(query, "follow")
    lines = runtime.logs(
        meta["namespace"],
        meta["name"],
        _container(pod, query),
        follow=follow,
        previous=options.flag(query, "previous"),
        tail=options.number(query, "tailLines"),
        since_seconds=_since(verbs, query),
        timestamps=options.flag(query, "timestamps"),
        limit_bytes=options.number(query, "limitBytes"),
    )
    first = asyncio.ensure_future(_next(lines))
    # A refusal comes at once; a quiet container that is followed must not hold back the headers.
    for _ in range(3):
        await asyncio.sleep(0)
    if first.done() or not follow:
        await first
    chunks = _log_chunks(lines, first)
    await anext(chunks)
    return StreamAnswer(chunks, headers={"content-type": "text/plain"})


def _since(verbs: Verbs, query: dict[str, str]) -> int | None:
    if moment := query.get("sinceTime"):
        try:
            return max(0, int((verbs.clock.now() - parse_rfc3339(moment)).total_seconds()))
        except ValueError:
            raise bad_request(f"invalid sinceTime {moment!r}") from None
    return options.number(query, "sinceSeconds")


async def _next(lines: AsyncIterator[bytes]) -> bytes | None:
    return await anext(lines, None)


async def _log_chunks(lines: AsyncIterator[bytes], first: asyncio.Future[bytes | None]) -> AsyncGenerator[bytes, None]:
    try:
        yield b""  # started, so that closing it cleans up even when nobody reads
        chunk = await first
        while chunk is not None:
            yield chunk
            chunk = await _next(lines)
    finally:
        first.cancel()
        with suppress(asyncio.CancelledError, RuntimeRefused):
            await first
        if isinstance(lines, AsyncGenerator):
            await lines.aclose()


def _subprotocol(request: HttpRequest, supported: tuple[str, ...]) -> str:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if headers.get("upgrade", "").lower() != "websocket":
        raise bad_request("Upgrade request required")
    offered = [one.strip() for one in headers.get("sec-websocket-protocol", "").split(",")]
    chosen = next((one for one in offered if one in supported), "")
    if not chosen:
        raise ApiError(403, "Forbidden", f"unable to upgrade: none of {offered} is served, only {list(supported)}")
    return chosen


async def _exec(runtime: PodRuntime, request: HttpRequest, pod: dict[str, Any]) -> Answer:
    query, meta = dict(request.query), pod["metadata"]
    argv = [value for name, value in request.query if name == "command"]
    if not argv:
        raise bad_request("you must specify at least one command for the container")
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise bad_request(f"cannot exec into a container in a completed pod; current phase is {phase}")
    container = _container(pod, query)
    chosen = _subprotocol(request, EXEC_PROTOCOLS)
    stdin, tty = options.flag(query, "stdin"), options.flag(query, "tty")
    session = await runtime.exec(meta["namespace"], meta["name"], container, argv, stdin=stdin, tty=tty)
    return SocketAnswer(chosen, _Exec(session, stdin).run)


@dataclass(frozen=True, slots=True)
class _Exec:
    session: ExecSession
    stdin: bool

    async def run(self, socket: WebSocket) -> None:
        reading = asyncio.create_task(self._read(socket))
        working = asyncio.create_task(self._work(socket))
        try:
            # Whoever ends first decides: the command with its exit code, or the client by going away.
            await asyncio.wait({reading, working}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                await self.session.kill()
        finally:
            for task in (reading, working):
                task.cancel()
            await asyncio.gather(reading, working, return_exceptions=True)
            await socket.close()

    async def _read(self, socket: WebSocket) -> None:
        while (frame := await socket.receive()) is not None:
            if not self.stdin or len(frame) < 2:
                continue
            if frame[0] == _STDIN:
                with suppress(OSError):  # the command may not read to the end
                    await self.session.write_stdin(frame[1:])
            elif frame[0] == _CLOSE and frame[1] == _STDIN:
                with suppress(OSError):
                    await self.session.close_stdin()

    async def _work(self, socket: WebSocket) -> None:
        async for channel, data in self.session.output():
            for start in range(0, len(data), _FRAME):
                await socket.send(bytes([channel]) + data[start : start + _FRAME])
        status = exit_status(await self.session.wait())
        await socket.send(bytes([_STATUS]) + msgspec.json.encode(status))


def exit_status(code: int) -> dict[str, Any]:
    """The Status on channel 3 that carries an exit code."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _forward(runtime: PodRuntime, request: HttpRequest, pod: dict[str, Any]) -> Answer:
    ports = [
        int(port) for name, value in request.query if name == "ports" for port in value.split(",") if port.isdigit()
    ]
    if not ports or not all(0 < port < 65536 for port in ports):
        raise bad_request('query parameter "ports" is required and holds ports between 1 and 65535')
    chosen = _subprotocol(request, FORWARD_PROTOCOLS)
    return SocketAnswer(chosen, _Forward(runtime, pod["metadata"]["namespace"], pod["metadata"]["name"], ports).run)


@dataclass(frozen=True, slots=True)
class _Forward:
    """Per port a data channel 2i and an error channel 2i+1; the first frame of each is the port, little endian."""

    runtime: PodRuntime
    namespace: str
    pod: str
    ports: list[int]

    async def run(self, socket: WebSocket) -> None:
        inward: list[asyncio.Queue[bytes]] = [asyncio.Queue(maxsize=64) for _ in self.ports]
        for index, port in enumerate(self.ports):
            for channel in (2 * index, 2 * index + 1):
                await socket.send(bytes([channel]) + struct.pack("<H", port))
        reading = asyncio.create_task(self._read(socket, inward))
        relays = asyncio.create_task(self._relay_all(socket, inward))
        try:
            await asyncio.wait({reading, relays}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
            relays.cancel()
            await asyncio.gather(reading, relays, return_exceptions=True)
            await socket.close()

    async def _relay_all(self, socket: WebSocket, inward: list[asyncio.Queue[bytes]]) -> None:
        async with asyncio.TaskGroup() as group:
            for index, queue in enumerate(inward):
                group.create_task(self._relay(socket, index, queue))

    async def _read(self, socket: WebSocket, inward: list[asyncio.Queue[bytes]]) -> None:
        while (frame := await socket.receive()) is not None:
            if frame and frame[0] % 2 == 0 and frame[0] // 2 < len(inward):
                await inward[frame[0] // 2].put(frame[1:])

    async def _relay(self, socket: WebSocket, index: int, inward: asyncio.Queue[bytes]) -> None:
        port = self.ports[index]
        try:
            reader, writer = await self.runtime.connect(self.namespace, self.pod, port)
        except (OSError, RuntimeRefused) as error:
            text = f"an error occurred forwarding {port}: {error}"
            await socket.send(bytes([2 * index + 1]) + text.encode())
            return
        sending = asyncio.create_task(_pour(inward, writer))
        try:
            with suppress(OSError):
                while data := await reader.read(_FRAME):
                    await socket.send(bytes([2 * index]) + data)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _pour(inward: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(await inward.get())
        await writer.drain()
