"""A scripted transport and a clock that only moves when told, for tests of the kube boundary."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.http import HttpRequest, HttpResponse


class ManualClock:
    """Sleepers wake in order when ``advance`` passes them; ``auto`` makes every sleep pass at once and notes it."""

    def __init__(self, *, auto: bool = True) -> None:
        self.auto, self.seconds, self.slept = auto, 0.0, list[float]()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.auto:
            self.seconds += seconds
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.seconds + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        until = self.seconds + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            at, _, future = heapq.heappop(self._sleepers)
            self.seconds = max(self.seconds, at)
            if not future.done():
                future.set_result(None)
            await settle()
        self.seconds = until


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def answer(body: Any, status: int = 200, **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "text/html" if raw.lstrip().startswith(b"<") else "application/json"
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return HttpResponse(status, {"content-type": kind, **named}, raw)


def status(code: int, message: str = "", reason: str = "", **details: Any) -> HttpResponse:
    body: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "message": message,
        "reason": reason,
    }
    if details:
        body["details"] = details
    return answer(body, code)


Script = HttpResponse | Exception | Callable[[HttpRequest], HttpResponse]


class Stream:
    def __init__(self, code: int, headers: Mapping[str, str], parts: list[bytes | Exception | asyncio.Event]) -> None:
        self.status, self.headers, self.parts = code, headers, parts

    async def chunks(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            if isinstance(part, asyncio.Event):
                await part.wait()
            else:
                yield part


class ScriptedTransport:
    """Answers from a list, in order, and keeps what was asked."""

    def __init__(self, *script: Script) -> None:
        self.script = list(script)
        self.streams: list[Stream | Exception] = []
        self.sent: list[HttpRequest] = []
        self.closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        if not self.script:
            raise AssertionError(f"nothing scripted for {request.method} {request.path}")
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, HttpResponse) else step(request)

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[Stream]:
        self.sent.append(request)
        if not self.streams:
            await asyncio.Event().wait()
        found = self.streams.pop(0)
        if isinstance(found, Exception):
            raise found
        yield found

    def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> Any:
        raise AssertionError("no WebSocket in this script")

    async def close(self) -> None:
        self.closed = True


def sent(cluster: Cluster) -> list[HttpRequest]:
    transport = cluster.transport
    assert isinstance(transport, ScriptedTransport)
    return transport.sent
