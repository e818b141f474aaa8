"""An operation's own view of a cluster: its requests carry its name, and the time spent waiting for them is counted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.retry import OnRetry
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.http import ByteStream, HttpRequest, HttpResponse, Transport, WebSocket


class Meter:
    """Seconds in which at least one wait was under way: a request to the cluster, a download, a pause between looks.

    What remains of an operation's time is the engine's own share. Waits that overlap are counted once; work done while
    another wait is under way counts as waiting, because it delays nobody.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._depth, self._since, self._total = clock, 0, 0.0, 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        if self._depth == 0:
            self._since = self._clock.monotonic()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._total += self._clock.monotonic() - self._since

    @property
    def seconds(self) -> float:
        running = self._clock.monotonic() - self._since if self._depth else 0.0
        return self._total + running


class MeteredClock:
    """A clock whose sleeps are counted as waiting."""

    def __init__(self, clock: Clock, meter: Meter) -> None:
        self._clock, self._meter = clock, meter

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        with self._meter.waiting():
            await self._clock.sleep(seconds)


class SignedTransport:
    """Every request names the operation (User-Agent, field manager), which joins our journal to the audit log."""

    def __init__(self, inner: Transport, name: str, meter: Meter) -> None:
        self._inner, self._name, self._meter = inner, name, meter

    def _signed(self, request: HttpRequest) -> HttpRequest:
        query = tuple((key, self._name if key == "fieldManager" else value) for key, value in request.query)
        return replace(request, query=query, headers={**request.headers, "user-agent": self._name})

    async def send(self, request: HttpRequest) -> HttpResponse:
        with self._meter.waiting():
            return await self._inner.send(self._signed(request))

    @contextlib.asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[ByteStream]:
        with self._meter.waiting():
            async with self._inner.stream(self._signed(request)) as found:
                yield found

    @contextlib.asynccontextmanager
    async def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> AsyncIterator[WebSocket]:
        with self._meter.waiting():
            async with self._inner.websocket(self._signed(request), subprotocols) as found:
                yield found

    async def close(self) -> None:
        """The connection belongs to whoever opened it; an operation never closes it."""


def operation_name(op: str) -> str:
    """``lazarus-<op8>``: field manager and User-Agent of an operation."""
    return f"lazarus-{op[:8]}"


def for_operation(
    cluster: Cluster, op: str, clock: Clock, meter: Meter, on_retry: OnRetry = lambda error: None
) -> Cluster:
    """The same connection under the operation's name, with its clock and its meter; told when a read must wait."""
    transport: Transport = SignedTransport(cluster.transport, operation_name(op), meter)
    metered = MeteredClock(clock, meter)
    return Cluster(transport, cluster.context, metered, policy=cluster.policy, rng=cluster.rng, on_retry=on_retry)
