"""Fan-out: the newest version of every topic, for readers that pull.

Each record is encoded once, when it is published; a pull joins bytes. A topic changes its version at most ten times a
second, however often it is published to. A reader that knows a recent version gets the difference, any other the
whole topic: nobody is queued for, so a slow reader costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.link.codec import encode
from lazarus_tui.link.protocol import TopicUpdate
from lazarus_tui.model.clock import Clock

# A person sees no more than this (reference: performance §6).
INTERVAL = 0.1
# Keys whose last change is remembered, older differences are answered with the whole topic; and closed topics.
REMEMBERED = 4096


class _Topic:
    def __init__(self, name: str) -> None:
        self.name = name
        self.version = 0
        self.state, self.reason, self.hint, self.as_of = "loading", "", "", ""
        self.records: dict[str, bytes] = {}
        self.keys: dict[str, bytes] = {}  # each key as JSON
        self.changed: OrderedDict[str, int] = OrderedDict()  # key -> version of its last change, oldest first
        self.floor = 0  # changes at or before this version may be forgotten
        self.pending: set[str] = set()
        self.news = False
        self.flushed = float("-inf")
        self.flusher: asyncio.Task[None] | None = None

    def commit(self, version: int) -> None:
        """Give everything pending its version."""
        if self.version == 0:
            self.floor = version  # there is nothing before: a version from an earlier life is not one of this topic
        self.version = version
        for key in self.pending:
            self.changed[key] = version
            self.changed.move_to_end(key)
        self.pending.clear()
        self.news = False
        while len(self.changed) > REMEMBERED:
            self.floor = self.changed.popitem(last=False)[1]

    def since(self, known: int) -> list[str] | None:
        """Keys changed after ``known``; None when that is no longer known."""
        if known <= 0 or known < self.floor or known > self.version:
            return None
        keys = []
        for key in reversed(self.changed):
            if self.changed[key] <= known:
                break
            keys.append(key)
        return keys if len(keys) * 2 < max(len(self.records), 16) else None


class Hub:
    """Topics by name. All methods belong to the event loop's thread."""

    def __init__(self, clock: Clock, *, interval: float = INTERVAL) -> None:
        self._clock, self._interval = clock, interval
        self._topics: dict[str, _Topic] = {}
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._version = 1
        self._gone: dict[str, int] = {}  # version at which a topic was closed, oldest first
        self._never = 1  # the same for those that never were, and for those that are forgotten

    def open(self, topic: str) -> None:
        """Make ``topic`` known, loading and empty; one that exists is left as it is."""
        if topic not in self._topics:
            self._touch(self._entry(topic))

    def _entry(self, topic: str) -> _Topic:
        if topic not in self._topics:
            self._topics[topic] = _Topic(topic)
            self._gone.pop(topic, None)
        return self._topics[topic]

    def close(self, topic: str) -> None:
        """Forget ``topic``; its readers are told that it is gone."""
        gone = self._topics.pop(topic, None)
        if gone is not None:
            if gone.flusher is not None:
                gone.flusher.cancel()
            self._version += 1
            self._gone[topic] = self._version
            while len(self._gone) > REMEMBERED:
                self._never = self._gone.pop(next(iter(self._gone)))
            self._wake(topic)

    async def stop(self) -> None:
        """Close every topic and wait for what was to be published later."""
        flushers = [entry.flusher for entry in self._topics.values() if entry.flusher is not None]
        for topic in tuple(self._topics):
            self.close(topic)
        await asyncio.gather(*flushers, return_exceptions=True)

    def has(self, topic: str) -> bool:
        return topic in self._topics

    def keys(self, topic: str) -> tuple[str, ...]:
        return tuple(self._topics[topic].records) if topic in self._topics else ()

    def records(self, topic: str) -> dict[str, bytes]:
        """The records of a topic by key, each as the JSON that readers get; empty when there is no such topic."""
        return dict(self._topics[topic].records) if topic in self._topics else {}

    def publish(
        self, topic: str, upserts: Mapping[str, Any] | None = None, removed: Iterable[str] = (), *, as_of: str = ""
    ) -> None:
        """Put and remove records; a record equal to the published one is no news. Makes the topic if needed."""
        entry = self._entry(topic)
        for key, record in (upserts or {}).items():
            raw = encode(record)
            if entry.records.get(key) != raw:
                entry.records[key] = raw
                entry.keys.setdefault(key, encode(key))
                entry.pending.add(key)
        for key in removed:
            if entry.records.pop(key, None) is not None:
                entry.keys.pop(key, None)
                entry.pending.add(key)
        if as_of:
            entry.as_of = as_of
        if entry.pending or entry.version == 0:
            self._touch(entry)

    def replace(self, topic: str, records: Mapping[str, Any], *, as_of: str = "") -> None:
        """Make ``records`` the whole of ``topic``."""
        self.publish(topic, records, [key for key in self.keys(topic) if key not in records], as_of=as_of)

    def set_state(self, topic: str, state: str, *, reason: str = "", hint: str = "", as_of: str = "") -> None:
        """Loading, ready, stale or failed. ``as_of`` alone is no news: readers see it with the next one."""
        entry = self._entry(topic)
        if as_of:
            entry.as_of = as_of
        if entry.version == 0 or (entry.state, entry.reason, entry.hint) != (state, reason, hint):
            entry.state, entry.reason, entry.hint = state, reason, hint
            self._touch(entry)

    def _touch(self, entry: _Topic) -> None:
        entry.news = True
        if entry.flusher is not None:
            return
        delay = entry.flushed + self._interval - self._clock.monotonic()
        if delay <= 0:
            self._flush(entry)
        else:
            entry.flusher = asyncio.create_task(self._flush_later(entry, delay))

    async def _flush_later(self, entry: _Topic, delay: float) -> None:
        await self._clock.sleep(delay)
        entry.flusher = None
        if entry.news:
            self._flush(entry)

    def _flush(self, entry: _Topic) -> None:
        self._version += 1
        entry.commit(self._version)
        entry.flushed = self._clock.monotonic()
        self._wake(entry.name)

    def _wake(self, topic: str) -> None:
        for event in self._waiting.get(topic, ()):
            event.set()

    async def pull(self, known: Mapping[str, int], wait: float) -> bytes:
        """JSON of a ``PullResult`` with the topics newer than ``known``; empty after ``wait`` seconds without news."""
        updates = self._updates(known)
        if not updates and wait > 0:
            event = asyncio.Event()
            for topic in known:
                self._waiting.setdefault(topic, set()).add(event)
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await event.wait()
            finally:
                self._forget(known, event)
            updates = self._updates(known)
        return b'{"updates":[' + b",".join(updates) + b"]}"

    def _forget(self, topics: Iterable[str], event: asyncio.Event) -> None:
        for topic in topics:
            waiting = self._waiting.get(topic)
            if waiting is not None:
                waiting.discard(event)
                if not waiting:
                    del self._waiting[topic]

    def _updates(self, known: Mapping[str, int]) -> list[bytes]:
        updates = []
        for name, version in known.items():
            entry = self._topics.get(name)
            if entry is None:
                gone = self._gone.get(name, self._never)
                if version < gone or version > self._version:
                    updates.append(_absent(name, gone))
            elif entry.version > version or version > self._version:
                updates.append(_update(entry, version))
        return updates


def _update(entry: _Topic, known: int) -> bytes:
    """JSON of a ``TopicUpdate``, joined from records that are JSON already."""
    keys = entry.since(known)
    there = entry.records if keys is None else [key for key in keys if key in entry.records]
    head = {"topic": entry.name, "version": entry.version, "state": entry.state, "reason": entry.reason}
    head |= {"hint": entry.hint, "as_of": entry.as_of, "base": None if keys is None else known}
    head["removed"] = [] if keys is None else [key for key in keys if key not in entry.records]
    names = b",".join([entry.keys[key] for key in there])
    items = b",".join([entry.records[key] for key in there])
    return encode(head)[:-1] + b',"keys":[' + names + b'],"upserts":[' + items + b"]}"


def _absent(name: str, version: int) -> bytes:
    reason = f"the engine has no topic {name}"
    return encode(TopicUpdate(topic=name, version=version, state="failed", reason=reason))
