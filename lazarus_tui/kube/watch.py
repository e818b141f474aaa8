"""Following a collection for ever, in three thin layers.

1. ``stream_events``: one watch stream, from bytes to typed events; ends or raises, decides nothing.
2. ``Follower.session``: list by pages, then watch with bookmarks from the list's version; 410 means list again.
3. ``follow``: reconnects for ever with back-off, says "stale" while there is no contact.

Everything is level-triggered: a batch carries the newest state of each object and the keys that are gone, never a
history. Objects changed many times between two reads of the iterator appear once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from lazarus_tui.kube.cluster import Cluster, object_path, shape_of
from lazarus_tui.kube.decode import decode, decoder
from lazarus_tui.kube.errors import (
    Expired,
    KubeError,
    Pushback,
    Status,
    TimedOut,
    Unexpected,
    Unreachable,
    from_oserror,
    from_response,
    from_status,
    line,
)
from lazarus_tui.kube.retry import ReadPolicy
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.objects import Meta
from lazarus_tui.model.resources import Resource

# Seconds without a byte (a healthy idle watch speaks every 60 s by bookmarks) after which the stream is given up (W3).
SILENCE = 70.0
# Seconds a watch is asked to last; drawn at random so that many watches do not end together.
SHORTEST, LONGEST = 240, 300
# A stream that ends sooner than this and said nothing has failed (a balancer that hangs up at once).
TOO_SHORT = 1.0
# Seconds between tries: full range doubles from the first to the longest, half of it is jitter.
FIRST_WAIT, LONGEST_WAIT = 0.8, 30.0
# Bytes of one event; a longer one is fetched by listing again.
MAX_LINE = 16 * 1024 * 1024
# Events read in one go: about 2 ms (performance §4), so that a storm does not stop the event loop.
BREATH = 250
_ERROR_BODY = 64 * 1024
# A page is asked for twice before the follower says that it is stale.
_PAGE = ReadPolicy(tries=2)


class HasMeta(Protocol):
    @property
    def metadata(self) -> Meta: ...


T = TypeVar("T", bound=HasMeta)


class TooLong(KubeError):
    """An event longer than 16 MiB."""


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """``type``: ADDED, MODIFIED, DELETED or BOOKMARK (only ``version`` counts)."""

    type: str
    version: str
    object: T | None = None


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """News. ``items`` are to be put, ``removed`` ("namespace/name") to be dropped: the same for both first kinds.

    snapshot: a page of a list; with the last one ``complete`` is True and ``removed`` holds what vanished unseen.
    events: changes; without any it still is a sign of life (``as_of`` may move on).
    stale: no contact since ``reason``; what was delivered stays valid as of then. ``error`` says more.
    """

    kind: Literal["snapshot", "events", "stale"]
    items: Sequence[T] = ()
    removed: Sequence[str] = ()
    complete: bool = True
    reason: str = ""
    error: KubeError | None = None


def key(meta: Meta) -> str:
    """``namespace/name``; cluster-wide objects have an empty first part."""
    return f"{meta.namespace}/{meta.name}"


class _Raw(msgspec.Struct, frozen=True):
    type: str = ""
    object: msgspec.Raw = msgspec.Raw(b"null")


class _Bare(msgspec.Struct, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)


def parse_event(request: HttpRequest, text: bytes, wanted: type[T]) -> Event[T]:
    """One line of a watch. An ERROR event is raised as its error, junk as ``Unexpected``."""
    try:
        raw: _Raw = decoder(_Raw).decode(text)
        if raw.type in ("ADDED", "MODIFIED", "DELETED"):
            found: T = decode(bytes(raw.object), wanted)
            return Event(raw.type, found.metadata.resource_version, found)
        if raw.type == "BOOKMARK":
            return Event(raw.type, decode(bytes(raw.object), _Bare).metadata.resource_version)
        if raw.type == "ERROR":
            raise from_status(request, _status(bytes(raw.object)))
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    raise Unexpected("a line of the watch is not an event", request=line(request), reason="UnexpectedEvent")


def _status(text: bytes) -> Status:
    try:
        status: Status = decode(text, Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Status()
    return status


async def split_lines(request: HttpRequest, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines; a last line without its end was cut off and is dropped."""
    parts: list[bytes] = []
    held = 0
    async for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        parts.append(first)
        held += len(first)
        if held > MAX_LINE:
            raise TooLong("an event is longer than 16 MiB", request=line(request))
        if rest:
            for text in (b"".join(parts), *rest[:-1]):
                if text.strip():
                    yield text
            parts, held = [rest[-1]], len(rest[-1])


async def stream_events(
    cluster: Cluster,
    resource: Resource,
    namespace: str | None,
    wanted: type[T],
    version: str,
    *,
    label_selector: str = "",
    field_selector: str = "",
    on_open: Callable[[], None] = lambda: None,
    on_bytes: Callable[[], None] = lambda: None,
) -> AsyncGenerator[Event[T], None]:
    """Layer 1: the events after ``version`` until the server ends the stream.

    ``on_open`` is called once it has answered 200, ``on_bytes`` whenever anything arrives.
    """
    spread = SHORTEST + (LONGEST - SHORTEST) * cluster.rng()
    query = {
        "watch": "true",
        "resourceVersion": version,
        "allowWatchBookmarks": "true",
        "timeoutSeconds": str(int(spread)),
        "labelSelector": label_selector,
        "fieldSelector": field_selector,
    }
    request = HttpRequest(
        "GET",
        object_path(resource, namespace),
        tuple((name, value) for name, value in query.items() if value),
        {"accept": shape_of(resource, many=False)[0]},
        timeout=SILENCE,
    )
    try:
        async with cluster.transport.stream(request) as stream:
            if stream.status != 200:
                body = bytearray()
                async for chunk in stream.chunks():
                    body += chunk[: _ERROR_BODY - len(body)]
                answer = HttpResponse(stream.status, stream.headers, bytes(body))
                raise from_response(request, answer, resource.group_resource)
            on_open()
            async for text in split_lines(request, _noticed(stream.chunks(), on_bytes)):
                yield parse_event(request, text, wanted)
    except OSError as error:
        raise from_oserror(request, error, resource.group_resource) from None


async def _noticed(chunks: AsyncIterator[bytes], on_bytes: Callable[[], None]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        on_bytes()
        yield chunk


class _Pending(Generic[T]):
    """What has happened since the reader last looked: one entry per object, however many events."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.begun = self.heard = clock.monotonic()
        self.wake = asyncio.Event()
        self.changed: dict[str, T | None] = {}
        self.contact = False

    def on_bytes(self) -> None:
        self.heard = self.clock.monotonic()

    def sign_of_life(self) -> None:
        self.contact = True
        self.wake.set()

    def take(self) -> Batch[T] | None:
        self.wake.clear()
        if not self.contact:
            return None
        changed, self.changed, self.contact = self.changed, {}, False
        items = [found for found in changed.values() if found is not None]
        return Batch("events", items, [name for name, found in changed.items() if found is None])


class Follower(Generic[T]):
    """Layer 2, with what must outlive one connection: the last version seen and the keys delivered."""

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        namespace: str | None,
        wanted: type[T],
        label_selector: str = "",
        field_selector: str = "",
    ) -> None:
        self.cluster, self.resource, self.namespace, self.wanted = cluster, resource, namespace, wanted
        self.labels, self.fields = label_selector, field_selector
        self.version = ""
        self.known: set[str] = set()
        self.healthy = False

    async def session(self) -> AsyncGenerator[Batch[T], None]:
        """List if needed, then watch once. Ends when the server ends the stream; raises what went wrong."""
        self.healthy = False
        if not self.version:
            async with aclosing(self._list()) as pages:
                async for batch in pages:
                    yield batch
        try:
            async with aclosing(self._watch()) as batches:
                async for batch in batches:
                    yield batch
        except (Expired, TooLong, Unexpected):
            self.version = ""  # the list will say what the stream could not
            raise

    async def _list(self) -> AsyncGenerator[Batch[T], None]:
        seen: set[str] = set()
        pages = self.cluster.pages(
            self.resource,
            self.namespace,
            type=self.wanted,
            label_selector=self.labels,
            field_selector=self.fields,
            policy=_PAGE,
        )
        async for page in pages:
            names = [key(item.metadata) for item in page.items]
            seen.update(names)
            self.known.update(names)
            if page.metadata.continue_:
                yield Batch("snapshot", page.items, complete=False)
                continue
            gone, self.known = sorted(self.known - seen), seen
            self.version = page.metadata.resource_version
            yield Batch("snapshot", page.items, gone)

    async def _watch(self) -> AsyncGenerator[Batch[T], None]:
        pending: _Pending[T] = _Pending(self.cluster.clock)
        reading = asyncio.create_task(self._read(pending))
        reading.add_done_callback(lambda _: pending.wake.set())
        guard = asyncio.create_task(_guard(pending, reading))
        try:
            over = False
            while not over:
                await pending.wake.wait()
                over = reading.done()
                if (batch := pending.take()) is not None:
                    yield batch
            if guard.done():
                raise TimedOut(f"nothing was heard for {SILENCE:g} s", reason="Silent")
            reading.result()
            if not self.healthy and pending.clock.monotonic() - pending.begun < TOO_SHORT:
                raise Unreachable("the watch was closed at once", reason="ClosedAtOnce")
            self.healthy = True
        finally:
            for task in (guard, reading):
                task.cancel()
            await asyncio.gather(guard, reading, return_exceptions=True)

    async def _read(self, pending: _Pending[T]) -> None:
        events = stream_events(
            self.cluster,
            self.resource,
            self.namespace,
            self.wanted,
            self.version,
            on_open=pending.sign_of_life,
            on_bytes=pending.on_bytes,
            label_selector=self.labels,
            field_selector=self.fields,
        )
        taken = 0
        async with aclosing(events):
            async for event in events:
                self._take(pending, event)
                taken += 1
                if taken % BREATH == 0:
                    await asyncio.sleep(0)  # events that are already here would otherwise be read without a pause

    def _take(self, pending: _Pending[T], event: Event[T]) -> None:
        self.version = event.version or self.version
        self.healthy = True
        if event.object is not None:
            name = key(event.object.metadata)
            gone = event.type == "DELETED"
            pending.changed[name] = None if gone else event.object
            (self.known.discard if gone else self.known.add)(name)
        pending.sign_of_life()


async def _guard(pending: _Pending[Any], reading: asyncio.Task[None]) -> None:
    """Ends a stream on which nothing was heard: the transport's own timer may run on another clock."""
    clock = pending.clock
    while (left := pending.heard + SILENCE - clock.monotonic()) > 0:
        await clock.sleep(left)
    reading.cancel()


async def follow(
    cluster: Cluster,
    resource: Resource,
    namespace: str | None = None,
    *,
    type: type[T],
    label_selector: str = "",
    field_selector: str = "",
) -> AsyncGenerator[Batch[T], None]:
    """Layer 3: batches for ever. Close it (``contextlib.aclosing``) or cancel the task that reads it.

    Never raises ``KubeError``: trouble is a "stale" batch, repeated at every failed try, and over with the next batch
    of another kind. A 403 is such trouble too; rights can come back.
    """
    follower = Follower(cluster, resource, namespace, type, label_selector, field_selector)
    failures, before = 0, None
    while True:
        error: KubeError | None = None
        try:
            async with aclosing(follower.session()) as batches:
                async for batch in batches:
                    yield batch
        except KubeError as caught:
            error = caught
        failures = 0 if follower.healthy else failures
        expired, before = isinstance(error, Expired) and (failures == 0 or not isinstance(before, Expired)), error
        if error is None:
            # The ordinary end of a watch; the wait keeps a server that says one word and hangs up from being hammered.
            await cluster.clock.sleep(FIRST_WAIT * cluster.rng())
            continue
        failures += 1
        if expired:  # it answers: what was waited for before is over, and a list tells the rest
            continue
        yield Batch("stale", reason=error.message, error=error)
        await cluster.clock.sleep(_wait(error, failures, cluster.rng))


def _wait(error: KubeError, failures: int, rng: Callable[[], float]) -> float:
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 16))
    asked = error.retry_after if isinstance(error, Pushback) else 0.0
    return max(asked, longest * (1 + rng()) / 2)
