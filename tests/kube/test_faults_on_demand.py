"""Every fault of the sandbox against every kind of request: the outcome table of the failure model, line by line.

Columns: how a read ends and how often it was sent, how a write ends and whether it was carried out. Writes are always
sent once; reads of what may mend are sent five times, with growing pauses.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from sandbox_world import Config, config

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import (
    AuthError,
    Conflict,
    Denied,
    Expired,
    Forbidden,
    KubeError,
    Pushback,
    ServerFault,
    TimedOut,
    Unexpected,
    Unreachable,
    WebhookDown,
)
from lazarus_tui.kube.watch import Batch, follow
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES
from lazarus_tui.model.steps import Outcome
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.server import ApiServer
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.faults.effects import BrokenWatches, Compaction
from lazarus_tui.sandbox.faults.faults import Faults
from lazarus_tui.sandbox.faults.model import VERBS, Match, Wanted
from lazarus_tui.sandbox.faults.requests import Interference

T = TypeVar("T")


class Counting:
    """A transport that remembers when what was asked."""

    def __init__(self, inner: MemoryTransport, clock: VirtualClock) -> None:
        self._inner, self._clock = inner, clock
        self.sent: list[tuple[float, HttpRequest]] = []

    def _noted(self, request: HttpRequest) -> HttpRequest:
        self.sent.append((self._clock.monotonic(), request))
        return request

    async def send(self, request: HttpRequest) -> HttpResponse:
        return await self._inner.send(self._noted(request))

    def stream(self, request: HttpRequest) -> Any:
        return self._inner.stream(self._noted(request))

    def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> Any:
        return self._inner.websocket(self._noted(request), subprotocols)

    async def close(self) -> None:
        await self._inner.close()


class Place:
    """A server with faults, and Lazarus' connection to it; ``rng`` is the worst case of every jitter."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store, registry = Store(), Registry()
        registry.attach(self.store)
        self.api = LocalApi(self.store, registry, self.clock)
        self.api.bootstrap()
        self.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
        self.server = ApiServer(self.store, registry, self.clock, token="secret")
        effects = {"gone": Compaction(self.store), "reset": BrokenWatches(self.store)}
        self.faults = Faults(self.clock, effects)
        self.server.around = Interference(self.faults, self.server)
        self.wire = Counting(MemoryTransport(self.server), self.clock)
        self.cluster = Cluster(self.wire, "sandbox", self.clock, rng=lambda: 1.0)

    async def add(self, kind: str, verbs: tuple[str, ...] = VERBS, *, lasts: float | None = None, **more: Any) -> None:
        known = {name: more.pop(name) for name in ("times", "probability", "seed") if name in more}
        parameters = {name.replace("_", "-"): value for name, value in more.items()}
        await self.faults.add(Wanted(kind, parameters, Match(verbs=verbs), seconds=lasts, **known))

    async def passing(self, work: Awaitable[T], most: float = 600.0) -> T:
        """What ``work`` gives; virtual time passes in small steps meanwhile."""
        task = asyncio.ensure_future(work)
        while not task.done():
            assert self.clock.monotonic() < most, "it does not end"
            await self.clock.advance(0.25)
        return task.result()

    def names(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.api.list(CONFIGMAPS, "shop")]

    async def close(self) -> None:
        await self.faults.close()
        self.server.stop()
        await self.cluster.close()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    yield made
    await made.close()


@dataclass(frozen=True)
class Line:
    """One line of the table. ``reads`` is how often a read is sent; None where the fault cannot be done to it."""

    kind: str
    parameters: dict[str, Any]
    read: type[KubeError] | None
    reads: int
    write: type[KubeError] | None
    outcome: Outcome = Outcome.AMBIGUOUS
    applied: bool = False


A, P = Outcome.AMBIGUOUS, Outcome.PUSHBACK
TABLE = [
    Line("reset", {}, Unreachable, 5, Unreachable, A),
    Line("reset-after", {}, Unreachable, 5, Unreachable, A, True),
    Line("stall", {}, TimedOut, 5, TimedOut, A),
    Line("stall", {"after": True}, TimedOut, 5, TimedOut, A, True),
    Line("error", {"status": 500}, ServerFault, 5, ServerFault, A),
    Line("error", {"status": 500, "after": True}, ServerFault, 5, ServerFault, A, True),
    Line("error", {"status": 502, "body": "html"}, ServerFault, 5, ServerFault, A),
    Line("error", {"status": 502, "body": "html", "after": True}, ServerFault, 5, ServerFault, A, True),
    Line("error", {"status": 503}, ServerFault, 5, ServerFault, A),
    Line("error", {"status": 503, "retry-after": 7}, Pushback, 5, Pushback, P),
    Line("error", {"status": 504, "after": True}, TimedOut, 5, TimedOut, A, True),
    Line("error", {"status": 507}, Unexpected, 1, Unexpected, Outcome.UNKNOWN),
    Line("throttle", {"retry-after": 3}, Pushback, 5, Pushback, P),
    Line("etcd", {}, ServerFault, 5, ServerFault, A),
    Line("etcd", {"text": "leader-changed", "after": True}, ServerFault, 5, ServerFault, A, True),
    Line("etcd", {"text": "no-space"}, ServerFault, 5, ServerFault, A),
    Line("latency", {"seconds": 9}, None, 1, None, Outcome.APPLIED, True),
    Line("latency", {"seconds": 90}, TimedOut, 5, TimedOut, A),
    Line("latency", {"seconds": 90, "after": True}, TimedOut, 5, TimedOut, A, True),
    Line("token-expired", {}, AuthError, 1, AuthError, Outcome.AUTH),
    Line("forbidden", {}, Forbidden, 1, Forbidden, Outcome.FORBIDDEN),
    Line("cut", {"bytes": 10}, Unreachable, 5, None, Outcome.APPLIED, True),
    Line("cut", {"bytes": 10, "end": "close"}, Unexpected, 1, None, Outcome.APPLIED, True),
    Line("trickle", {"rate-bytes": 1}, TimedOut, 5, None, Outcome.APPLIED, True),
    Line("webhook-denied", {}, None, 1, Denied, Outcome.PERMANENT),
    Line("webhook-failing", {}, None, 1, WebhookDown, P),
    Line("conflict", {}, None, 1, Conflict, Outcome.CONFLICT),
    Line("stale", {}, None, 1, None, Outcome.APPLIED, True),
]
READ_VERBS, WRITE_VERBS = ("get", "list"), ("create", "patch", "delete")


def verbs_of(line: Line, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``wanted`` that the fault can be done to; none means all that it can."""
    if line.kind in ("cut", "trickle", "stale"):
        return READ_VERBS
    return WRITE_VERBS if line.kind in ("webhook-denied", "webhook-failing", "conflict") else wanted


def named(line: Line) -> str:
    return "-".join([line.kind, *(str(value) for value in line.parameters.values())])


@pytest.mark.parametrize("line", TABLE, ids=named)
async def test_a_read_ends_as_the_table_says(place: Place, line: Line) -> None:
    place.api.create(CONFIGMAPS, config("one", text="x" * 40), "shop")
    await place.add(line.kind, verbs_of(line, READ_VERBS), **line.parameters)

    async def listed() -> Config:
        (found,) = await place.cluster.list(CONFIGMAPS, "shop", type=Config)
        return found

    reads = (lambda: place.cluster.get(CONFIGMAPS, "one", "shop", type=Config), listed)
    for number, read in enumerate(reads, 1):
        if line.read is None:
            found = await place.passing(read())
            assert found is not None
            assert found.data == {"text": "x" * 40}
        else:
            with pytest.raises(line.read) as caught:
                await place.passing(read())
            assert type(caught.value) is line.read
        assert len(place.wire.sent) == number * line.reads
    assert_no_hot_loop(place)


@pytest.mark.parametrize("line", TABLE, ids=named)
async def test_a_write_is_sent_once_and_its_end_is_known_for_what_it_is(place: Place, line: Line) -> None:
    uids = {
        name: place.api.create(CONFIGMAPS, config(name, n="0"), "shop")["metadata"]["uid"]
        for name in ("merged", "patched", "deleted")
    }
    await place.add(line.kind, verbs_of(line, WRITE_VERBS), **line.parameters)
    cluster, steps = place.cluster, [{"op": "replace", "path": "/data/n", "value": "1"}]
    merge = {"data": {"n": "1"}}
    writes = (
        lambda: cluster.create(CONFIGMAPS, config("made"), "shop"),
        lambda: cluster.merge_patch(CONFIGMAPS, "merged", merge, "shop", uid=uids["merged"]),
        lambda: cluster.json_patch(CONFIGMAPS, "patched", steps, "shop", uid=uids["patched"]),
        lambda: cluster.delete(CONFIGMAPS, "deleted", "shop", uid=uids["deleted"]),
    )
    for number, write in enumerate(writes, 1):
        if line.write is None:
            await place.passing(write())
        else:
            with pytest.raises(line.write) as caught:
                await place.passing(write())
            assert type(caught.value) is line.write
            assert caught.value.outcome is line.outcome
        assert len(place.wire.sent) == number
    await place.faults.clear()
    await place.clock.advance(1)
    kept = {one["metadata"]["name"]: (one.get("data") or {}).get("n") for one in place.api.list(CONFIGMAPS, "shop")}
    done = {"made": None, "merged": "1", "patched": "1"}
    assert kept == (done if line.applied else {"deleted": "0", "merged": "0", "patched": "0"})


async def assert_rests(place: Place) -> None:
    """While time stands still, no request follows another for ever."""
    before = len(place.wire.sent)
    for _ in range(400):
        await asyncio.sleep(0)
    assert len(place.wire.sent) - before <= 3


def assert_no_hot_loop(place: Place, most: int = 20) -> None:
    """Never more than ``most`` requests in any second."""
    times = [at for at, _ in place.wire.sent]
    for at in times:
        assert len([one for one in times if at <= one < at + 1]) <= most


async def test_the_wait_that_a_server_asks_for_is_kept(place: Place) -> None:
    await place.add("throttle", retry_after=3, times=2)
    await place.passing(place.cluster.list(CONFIGMAPS, "shop", type=Config))
    times = [at for at, _ in place.wire.sent]
    assert len(times) == 3
    assert all(3.0 <= later - earlier <= 3.0 * 1.2 + 0.25 for earlier, later in pairwise(times))


async def test_a_list_whose_past_is_gone_begins_again(place: Place) -> None:
    for number in range(3):
        place.api.create(CONFIGMAPS, config(f"m{number}"), "shop")
    await place.add("gone", ("list",), times=1)

    async def by_pages() -> list[str]:
        found = []
        async for page in place.cluster.pages(CONFIGMAPS, "shop", type=Config, limit=1):
            found += [one.metadata.name for one in page.items]
        return found

    with pytest.raises(Expired):
        await place.passing(by_pages())
    assert await place.passing(by_pages()) == ["m0", "m1", "m2"]


# --- watches


class Following:
    """What a reader of ``follow`` holds, kept as the console keeps it."""

    def __init__(self, place: Place) -> None:
        self.place, self.batches, self.held = place, list[Batch[Config]](), dict[str, str]()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with aclosing(follow(self.place.cluster, CONFIGMAPS, "shop", type=Config)) as batches:
            async for batch in batches:
                self.batches.append(batch)
                for one in batch.items:
                    self.held[one.metadata.name] = (one.data or {}).get("n", "")
                for name in batch.removed:
                    self.held.pop(name.partition("/")[2], None)

    @property
    def stale(self) -> bool:
        return self.batches[-1].kind == "stale"

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def following(place: Place) -> AsyncIterator[Following]:
    place.api.create(CONFIGMAPS, config("kept", n="0"), "shop")
    place.api.create(CONFIGMAPS, config("lost", n="0"), "shop")
    made = Following(place)
    await place.clock.advance(1)
    assert made.held == {"kept": "0", "lost": "0"}
    yield made
    await made.close()


async def changes(place: Place) -> dict[str, str]:
    """Three changes while something is wrong; what a reader must hold in the end."""
    place.api.patch(CONFIGMAPS, "kept", {"data": {"n": "schön"}}, "shop")
    place.api.delete(CONFIGMAPS, "lost", "shop")
    place.api.create(CONFIGMAPS, config("made", n="1"), "shop")
    return {"kept": "schön", "made": "1"}


BOTH = ("watch", "list")
WATCHED: list[tuple[str, tuple[str, ...], dict[str, Any], bool]] = [
    # fault, verbs, parameters, whether it is told as stale
    ("gone", BOTH, {}, False),
    ("gone", BOTH, {"lasts": 60.0}, True),
    ("reset", ("watch",), {"lasts": 60.0}, True),
    ("reset", BOTH, {"lasts": 60.0}, True),
    ("stall", ("watch",), {"lasts": 200.0}, True),
    ("stall", BOTH, {"lasts": 200.0}, True),
    ("error", BOTH, {"status": 503, "lasts": 60.0}, True),
    ("error", BOTH, {"status": 502, "body": "html", "lasts": 60.0}, True),
    ("throttle", BOTH, {"retry_after": 5, "lasts": 60.0}, True),
    ("token-expired", BOTH, {"renew": False, "lasts": 60.0}, True),
    ("forbidden", BOTH, {"lasts": 60.0}, True),
    ("cut", ("watch",), {"bytes": 1, "lasts": 60.0}, True),
    ("cut", ("watch",), {"bytes": 150, "inside": "character", "lasts": 60.0}, False),
    ("cut", ("watch",), {"bytes": 0, "end": "close", "lasts": 60.0}, True),
    ("trickle", ("watch",), {"rate_bytes": 50, "lasts": 60.0}, False),
]


@pytest.mark.parametrize(("kind", "verbs", "parameters", "told"), WATCHED)
async def test_a_watch_gets_over_it(
    place: Place, following: Following, kind: str, verbs: tuple[str, ...], parameters: dict[str, Any], told: bool
) -> None:
    place.api.create(NAMESPACES, {"metadata": {"name": "other"}})  # the newest version is not one of ours
    if kind != "gone" and kind != "stall":  # so that the watch that runs meets the fault
        await place.add("reset", ("watch",), times=1)
    await place.add(kind, verbs, **parameters)
    wanted = await changes(place)
    before = len(following.batches)
    lasts = parameters.get("lasts", 5.0)
    await place.clock.advance(lasts / 2)
    await assert_rests(place)
    await place.clock.advance(lasts / 2 - 1)
    seen = following.batches[before:]
    if told:
        assert any(batch.kind == "stale" and batch.reason for batch in seen)
    await place.clock.advance(120)
    assert following.held == wanted
    assert not following.stale
    assert_no_hot_loop(place, most=12)
    # Half a minute is the longest pause between two tries, so a fault of 60 s costs a handful of requests.
    assert len(place.wire.sent) <= 40


async def test_a_silent_watch_is_given_up_after_70_seconds(place: Place, following: Following) -> None:
    await place.add("stall", ("watch",))
    await changes(place)
    await place.clock.advance(68)
    assert not following.stale
    await place.clock.advance(3)
    assert following.stale
    assert following.held == {"kept": "0", "lost": "0"}  # the last data stays


async def test_a_watch_cut_at_every_byte_of_an_event_loses_nothing(place: Place) -> None:
    for offset in range(0, 400, 7):
        following = Following(place)
        await place.clock.advance(0.5)
        await place.add("reset", ("watch",), times=1)
        await place.add("cut", ("watch",), bytes=offset, times=1)
        place.api.create(CONFIGMAPS, config(f"m{offset}", n="ü"), "shop")
        await place.clock.advance(10)
        assert following.held[f"m{offset}"] == "ü"
        assert sorted(following.held) == sorted(place.names())
        await following.close()
        # The half line is dropped and the watch resumed behind the last whole one: nothing is listed again.
        lists = [request for _, request in place.wire.sent if ("watch", "true") not in request.query]
        assert len(lists) == 1 + offset // 7


async def test_a_storm_of_failures_slows_down_and_ends(place: Place, following: Following) -> None:
    """30 % failures, 10 % asked to slow down, 5 % broken, for half an hour."""
    await place.add("error", BOTH, probability=0.3, seed=11, lasts=1800.0)
    await place.add("throttle", BOTH, probability=0.1, seed=12, lasts=1800.0)
    await place.add("cut", ("watch",), bytes=200, probability=0.5, seed=13, lasts=1800.0)
    for number in range(60):
        place.api.patch(CONFIGMAPS, "kept", {"data": {"n": str(number)}}, "shop")
        await place.clock.advance(30)
    await place.clock.advance(60)
    assert following.held == {"kept": "59", "lost": "0"}
    assert len(place.wire.sent) / 1860 < 1.0  # requests a second
    assert_no_hot_loop(place)
