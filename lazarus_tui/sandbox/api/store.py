"""All objects, their revisions and a bounded past: what etcd is to a real API server.

One ``commit`` is the only writer. It compares by identity what the writer read with what is there, so there is no await
between reading and writing and no lock. Stored dictionaries are never changed in place; answers reuse their bytes.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec

from lazarus_tui.sandbox.api.errors import ApiError, too_large, too_old
from lazarus_tui.sandbox.api.sharing import Sharing

Key = tuple[str, str]
"""Namespace (``""`` for cluster-scoped objects) and name."""

# Events kept for watches that resume, old pages and exact lists; older revisions answer 410. etcd keeps 5 minutes.
HISTORY = 8192
# Events a watcher may fall behind before it is cut off.
WATCHER_CAP = 10_000

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Entity:
    """One version of one object: an immutable dictionary and, once asked for, its JSON bytes.

    ``managers`` is the JSON of ``metadata.managedFields``: in ``body`` and ``shown``, not in ``obj``, because only
    clients ever look at it. Once there is a body it is kept there alone.
    """

    __slots__ = ("_body", "_managers", "obj", "revision")

    def __init__(self, obj: dict[str, Any], revision: int, body: bytes | None = None, managers: bytes = b"") -> None:
        self.obj, self.revision, self._body = obj, revision, body
        self._managers: bytes | slice = managers
        if body is not None:
            self._fold(body)

    def _fold(self, body: bytes) -> None:
        if self._managers and isinstance(self._managers, bytes):
            at = body.find(self._managers)
            if at >= 0:
                self._managers = slice(at, at + len(self._managers))

    @property
    def managers(self) -> bytes:
        if isinstance(self._managers, bytes):
            return self._managers
        return (self._body or b"")[self._managers]

    @property
    def body(self) -> bytes:
        if self._body is None:
            self._body = _encode(self.shown)
            self._fold(self._body)
        return self._body

    @property
    def shown(self) -> dict[str, Any]:
        """The object as clients see it; its ``managedFields`` can only be encoded, not read."""
        if not self.managers:
            return self.obj
        return self.obj | {"metadata": self.obj["metadata"] | {"managedFields": msgspec.Raw(self.managers)}}

    @property
    def key(self) -> Key:
        meta = self.obj["metadata"]
        return (meta.get("namespace", ""), meta["name"])


@dataclass(slots=True)
class Event:
    """One commit. ``entity`` is the new version, or for a deletion the last one under the deletion's revision."""

    revision: int
    group_resource: str
    key: Key
    kind: Literal["ADDED", "MODIFIED", "DELETED"]
    entity: Entity
    old: Entity | None
    line: bytes | None = None  # the watch line in the storage version, made by the first watcher that needs it


class Keeper(Protocol):
    """Where commits go to be kept (sandbox/api/persist.py)."""

    def write(self, event: Event) -> None: ...

    def refusal(self) -> str:
        """Why nothing can be kept at present, or ``""``."""
        ...

    async def durable(self, revision: int) -> None:
        """Returns when everything up to ``revision`` is kept; raises ``ApiError`` when it is not."""
        ...


@dataclass(slots=True)
class _Table:
    entities: dict[Key, Entity] = field(default_factory=dict)
    order: list[Key] = field(default_factory=list)
    revision: int = 0  # of the last commit to this table

    def put(self, key: Key, entity: Entity) -> None:
        if key not in self.entities:
            insort(self.order, key, key=list_order)
        self.entities[key] = entity

    def drop(self, key: Key) -> None:
        del self.entities[key]
        del self.order[bisect_left(self.order, list_order(key), key=list_order)]


class Watcher:
    """A queue of events for one watch. ``cut`` is true when it fell too far behind, ``fault`` says why it ends."""

    def __init__(self, namespace: str | None, close: Callable[[Watcher], None], cap: int) -> None:
        self.namespace = namespace
        self.cut = False
        self.fault: ApiError | OSError | None = None
        self._cap, self._close = cap, close
        self._events: deque[Event] = deque()
        self._wake = asyncio.Event()

    def offer(self, event: Event) -> None:
        if self.namespace is not None and event.key[0] != self.namespace:
            return
        if len(self._events) >= self._cap:
            self.cut = True
        else:
            self._events.append(event)
        self._wake.set()

    def take(self) -> list[Event]:
        """Everything that has arrived, oldest first."""
        events = list(self._events)
        self._events.clear()
        return events

    def wake(self) -> None:
        self._wake.set()

    async def wait(self) -> None:
        """Returns when there is something to take, or somebody called ``wake``."""
        await self._wake.wait()
        self._wake.clear()

    def close(self) -> None:
        self._close(self)


class Store:
    """Every object of one cluster. Not safe for threads: it belongs to one event loop."""

    def __init__(self, *, history: int = HISTORY, watcher_cap: int = WATCHER_CAP, keeper: Keeper | None = None) -> None:
        self._tables: dict[str, _Table] = {}
        self._sharing = Sharing()
        self._history: deque[Event] = deque()
        self._history_cap, self._watcher_cap = history, watcher_cap
        self._revision = 1
        self._floor = 1  # the oldest revision whose state can still be told
        self._watchers: dict[str, dict[Watcher, None]] = {}
        self._listeners: dict[Callable[[Event], None], None] = {}
        self._undelivered: deque[Event] = deque()
        self._delivering = False
        self._keeper = keeper
        self.full = ""  # why nothing more can be stored, if that is so
        self.service_block = ""  # the network that services get their addresses from first, if there is one

    @property
    def revision(self) -> int:
        """Of the newest commit."""
        return self._revision

    @property
    def floor(self) -> int:
        """The oldest revision whose state can still be told."""
        return self._floor

    def load(self, rows: Iterable[tuple[str, bytes]], revision: int) -> None:
        """Start from kept ``(group_resource, body)`` rows; everything before ``revision`` is forgotten."""
        for group_resource, body in rows:
            obj = msgspec.json.decode(body)
            managers = obj["metadata"].pop("managedFields", None)
            packed = _encode(managers) if managers else b""
            self._sharing.spec(obj)
            entity = Entity(obj, int(obj["metadata"]["resourceVersion"]), body, packed)
            self._tables.setdefault(group_resource, _Table()).put(entity.key, entity)
        self._revision = self._floor = revision
        for table in self._tables.values():
            table.revision = revision

    def get(self, group_resource: str, key: Key) -> Entity | None:
        table = self._tables.get(group_resource)
        return table.entities.get(key) if table else None

    def select(self, group_resource: str, namespace: str | None = None) -> list[Entity]:
        """The present objects, ordered by namespace and name."""
        table = self._tables.get(group_resource)
        if table is None:
            return []
        keys = table.order if namespace is None else _slice(table.order, namespace)
        entities = table.entities
        return [entities[key] for key in keys]

    def select_at(self, group_resource: str, namespace: str | None, revision: int) -> list[Entity]:
        """The objects as they were at ``revision``; 410 when that is too long ago, 504 when it is in the future."""
        self.check_known(revision)
        table = self._tables.get(group_resource)
        if table is None or table.revision <= revision:
            return self.select(group_resource, namespace)
        entities = dict(table.entities)
        for event in reversed(self._history):
            if event.revision <= revision:
                break
            if event.group_resource != group_resource:
                continue
            if event.old is None:
                entities.pop(event.key, None)
            else:
                entities[event.key] = event.old
        return [entities[key] for key in sorted(entities, key=list_order) if namespace is None or key[0] == namespace]

    def check_known(self, revision: int) -> None:
        if revision > self._revision:
            raise too_large(revision, self._revision)
        if revision < self._floor:
            raise too_old(revision, self._floor)

    def commit(
        self,
        group_resource: str,
        key: Key,
        old: Entity | None,
        obj: dict[str, Any] | None,
        managers: bytes | None = None,
    ) -> Entity:
        """Replace ``old`` (None: create) by ``obj`` (None: delete); ``obj`` belongs to the store from now on.

        ``managers`` None leaves the fields with those who own them.
        Raises ``ApiError`` 409 when ``old`` is no longer what is stored, 500 when nothing can be kept.
        """
        table = self._tables.setdefault(group_resource, _Table())
        if table.entities.get(key) is not old:
            raise ApiError(
                409, "Conflict", f'Operation cannot be fulfilled on {group_resource} "{key[1]}": stale write'
            )
        if why := self.refusal():
            raise ApiError(500, "InternalError", why)
        if managers is None:
            managers = old.managers if old else b""
        event = self._apply(table, group_resource, key, old, obj, managers)
        self._remember(event)
        if self._keeper:
            self._keeper.write(event)
        for watcher in self._watchers.get(group_resource, ()):
            watcher.offer(event)
        self._deliver(event)
        return event.entity

    def _apply(
        self,
        table: _Table,
        group_resource: str,
        key: Key,
        old: Entity | None,
        obj: dict[str, Any] | None,
        managers: bytes,
    ) -> Event:
        revision = self._revision + 1
        if obj is not None:
            obj["metadata"]["resourceVersion"] = str(revision)
            self._sharing.spec(obj)
            # Encoded before anything changes: an object that cannot be written must not get in.
            entity = Entity(obj, revision, managers=managers)
            _ = entity.body
            table.put(key, entity)
            event = Event(revision, group_resource, key, "MODIFIED" if old else "ADDED", entity, old)
        else:
            if old is None:
                raise ValueError("a commit needs an old or a new object")
            tombstone = old.obj | {"metadata": old.obj["metadata"] | {"resourceVersion": str(revision)}}
            table.drop(key)
            event = Event(revision, group_resource, key, "DELETED", Entity(tombstone, revision, managers=managers), old)
        self._revision = table.revision = revision
        return event

    def _remember(self, event: Event) -> None:
        self._history.append(event)
        while len(self._history) > self._history_cap:
            self._floor = self._history.popleft().revision

    def compact(self) -> None:
        """Forget the past, so that every older revision answers 410."""
        self._history.clear()
        self._floor = self._revision

    def watch(self, group_resource: str, namespace: str | None, since: int) -> Watcher:
        """Events after ``since``; 410 when they are no longer known."""
        self.check_known(since)
        watcher = Watcher(namespace, lambda one: self._unwatch(group_resource, one), self._watcher_cap)
        missed = []
        for event in reversed(self._history):
            if event.revision <= since:
                break
            if event.group_resource == group_resource:
                missed.append(event)
        for event in reversed(missed):
            watcher.offer(event)
        self._watchers.setdefault(group_resource, {})[watcher] = None
        return watcher

    def _unwatch(self, group_resource: str, watcher: Watcher) -> None:
        self._watchers.get(group_resource, {}).pop(watcher, None)

    def wake_watchers(self) -> None:
        """Let every watch look whether its kind still exists."""
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.wake()

    def end_watches(
        self, chosen: Callable[[str, str | None], bool], fault: Callable[[], ApiError | OSError]
    ) -> list[tuple[str, str | None]]:
        """End the watches whose resource and namespace are ``chosen``: with an ERROR line, or by a broken connection.

        Returns the resources and namespaces of those.
        """
        ended = []
        for group_resource, watchers in self._watchers.items():
            for watcher in watchers:
                if chosen(group_resource, watcher.namespace):
                    watcher.fault = fault()
                    watcher.wake()
                    ended.append((group_resource, watcher.namespace))
        return ended

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``listener`` after each commit, in commit order even when a listener commits; returns the undo."""
        self._listeners[listener] = None

        def unsubscribe() -> None:
            self._listeners.pop(listener, None)

        return unsubscribe

    def _deliver(self, event: Event) -> None:
        self._undelivered.append(event)
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._undelivered:
                current = self._undelivered.popleft()
                for listener in tuple(self._listeners):
                    try:
                        listener(current)
                    except Exception:
                        _log.exception("a listener failed on revision %d", current.revision)
        finally:
            self._delivering = False

    async def durable(self, revision: int) -> None:
        """Returns when everything up to ``revision`` is kept; at once without a keeper."""
        if self._keeper:
            await self._keeper.durable(revision)

    def refusal(self) -> str:
        """Why writes are refused at present, or ``""``."""
        return self.full or (self._keeper.refusal() if self._keeper else "")


def _slice(order: list[Key], namespace: str) -> list[Key]:
    start = bisect_left(order, (namespace + "/", ""), key=list_order)
    return order[start : bisect_left(order, (namespace + "0", ""), key=list_order)]


def list_order(key: Key) -> tuple[str, str]:
    """Lists are in the order of ``namespace/name`` as one string (etcd's), in which ``a-b`` stands before ``a``."""
    return key[0] + "/", key[1]
