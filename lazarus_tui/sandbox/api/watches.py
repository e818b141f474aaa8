"""Watches: a stream of JSON lines from a revision on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from lazarus_tui.model.clock import Clock
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.kinds import Kind, Served
from lazarus_tui.sandbox.api.options import ListOptions
from lazarus_tui.sandbox.api.render import FullView, PartialView, View, partial
from lazarus_tui.sandbox.api.selectors import ObjectTest, matcher
from lazarus_tui.sandbox.api.store import Event, Store, Watcher

# A real server sends a bookmark about once a minute and shortly before it ends the watch.
BOOKMARK_SECONDS = 60.0
_LAST_BOOKMARK_SECONDS = 2.0
# Upstream's default is 30 to 60 minutes, picked at random; here always the lower bound.
DEFAULT_TIMEOUT_SECONDS = 1800.0

_encode = msgspec.json.encode


def event_line(kind: str, body: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"


def error_line(error: ApiError) -> bytes:
    """How a watch says that it cannot go on; the HTTP status is 200 all the same."""
    return event_line("ERROR", _encode(error.to_status()))


@dataclass(slots=True)
class _Timer:
    """Tells a watch about bookmarks and its end; ``ended`` is final."""

    clock: Clock
    watcher: Watcher
    timeout: float
    bookmarks: bool
    due: bool = False
    ended: bool = False

    async def run(self) -> None:
        left = self.timeout
        while left > 0:
            pause = min(BOOKMARK_SECONDS, left)
            if pause == left and left > _LAST_BOOKMARK_SECONDS:
                pause = left - _LAST_BOOKMARK_SECONDS
            await self.clock.sleep(pause)
            left -= pause
            if left > 0 and self.bookmarks:
                self.due = True
                self.watcher.wake()
        self.ended = True
        self.watcher.wake()


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch request. ``gone`` says that the kind is no longer served or the server stops."""

    store: Store
    clock: Clock
    served: Served
    namespace: str | None
    options: ListOptions
    view: View
    gone: Callable[[], bool]

    @property
    def _kind(self) -> Kind:
        return self.served.kind

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Chunks of whole lines; ends at the timeout, when it fell behind, or after an ERROR line.

        Raises ``OSError`` when the store breaks it off.
        """
        test = matcher(self.options.labels, self.options.fields, self._kind)
        asked = self.options.revision
        synthetic = not asked or self.options.initial_events
        since = self.store.revision if synthetic else asked
        try:
            if asked > self.store.revision:
                self.store.check_known(asked)
            watcher = self.store.watch(self._kind.group_resource, self.namespace, since)
        except ApiError as error:
            yield error_line(error)
            return
        timeout = float(self.options.timeout or DEFAULT_TIMEOUT_SECONDS)
        timer = _Timer(self.clock, watcher, timeout, self.options.bookmarks)
        task = asyncio.create_task(timer.run())
        try:
            first = self._first(test, since) if synthetic else b""
            if first:
                yield first
            while not (timer.ended or watcher.cut or watcher.fault or self.gone()):
                chunk = self._pending(watcher, timer, test)
                if chunk:
                    yield chunk
                else:
                    await watcher.wait()
            if isinstance(watcher.fault, ApiError):
                yield error_line(watcher.fault)
            elif watcher.fault:
                raise watcher.fault
        finally:
            watcher.close()
            task.cancel()

    def _pending(self, watcher: Watcher, timer: _Timer, test: ObjectTest | None) -> bytes:
        chunk = b"".join(self._lines_of(watcher.take(), test))
        if timer.due:
            timer.due = False
            chunk += self._bookmark(self.store.revision)
        return chunk

    def _first(self, test: ObjectTest | None, revision: int) -> bytes:
        present = self.store.select(self._kind.group_resource, self.namespace)
        lines = [event_line("ADDED", self.view.event(one)) for one in present if test is None or test(one.obj)]
        if self.options.initial_events and self.options.bookmarks:
            lines.append(self._bookmark(revision, {"k8s.io/initial-events-end": "true"}))
        return b"".join(lines)

    def _bookmark(self, revision: int, annotations: dict[str, str] | None = None) -> bytes:
        meta: dict[str, Any] = {"resourceVersion": str(revision)}
        if annotations:
            meta["annotations"] = annotations
        body: dict[str, Any] = {"kind": self._kind.kind, "apiVersion": self.served.api_version, "metadata": meta}
        if isinstance(self.view, PartialView):
            body = partial({"metadata": meta})
        return event_line("BOOKMARK", _encode(body))

    def _lines_of(self, events: Iterable[Event], test: ObjectTest | None) -> Iterable[bytes]:
        shared = isinstance(self.view, FullView) and not self.served.converts
        for event in events:
            kind = event.kind if test is None else _seen_as(event, test)
            if not kind:
                continue
            if not shared or kind != event.kind:
                yield event_line(kind, self.view.event(event.entity))
                continue
            if event.line is None:
                event.line = event_line(kind, event.entity.body)
            yield event.line


def _seen_as(event: Event, test: ObjectTest) -> str:
    """How an event looks through a selector: objects enter as ADDED and leave as DELETED."""
    before = event.old is not None and test(event.old.obj)
    after = event.kind != "DELETED" and test(event.entity.obj)
    if before and after:
        return "MODIFIED"
    if after:
        return "ADDED"
    return "DELETED" if before else ""
