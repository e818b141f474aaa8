"""What is to be told and was not yet: kept in the journal, told at least once, given up only with a reason.

Everything is an event of the one journal, and what stands here is what the events amount to: a notice that was queued
waits until an event says that it was sent or given up. A crash in between tells it again, under the same id. ``upto``
in each queued event is how far the journal was read by then: nothing that happened is queued twice or left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import msgspec

from lazarus_tui.journal import Event, Journal
from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.redact import redact_value
from lazarus_tui.notify.answering import together
from lazarus_tui.notify.notice import Action, Notice, Severity

QUEUED, SENT, GIVEN_UP, READ = "notice.queued", "notice.sent", "notice.given-up", "notice.read"
KINDS = (QUEUED, SENT, GIVEN_UP, READ)
# Waiting at most; ended ones that are remembered for lists.
MOST, REMEMBERED = 1000, 200
# Notices whose ids are remembered beside those that wait: only what was read after the newest mark can come again after
# a crash.
KNOWN = 4 * MOST
# After this long nobody is helped by hearing it.
EXPIRES = timedelta(hours=24)
WAITING, WAS_SENT, WAS_GIVEN_UP = "waiting", "sent", "given up"
_WORST_FIRST = tuple(Severity)


@dataclass
class Parcel:
    """One notice for one sink. ``due``: on the monotonic clock, not before; ``words``: what came back last."""

    number: int
    notice: Notice
    sink: str
    queued: datetime
    state: str = WAITING
    tries: int = 0
    due: float = 0.0
    words: str = ""
    hint: str = ""
    at: str = ""

    @property
    def rank(self) -> tuple[int, int]:
        """Worst first, then oldest."""
        return (_WORST_FIRST.index(self.notice.severity), self.number)


@dataclass
class Standing:
    """What was told of a key and is not resolved, and to whom. ``told``: of several what has to be answered."""

    told: Notice
    sinks: set[str] = field(default_factory=set)


class Outbox:
    """``load`` once. Every change is durable before it is seen; raises ``JournalError`` where it cannot be kept."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self._waiting: dict[tuple[str, str], Parcel] = {}  # by notice and sink, oldest first
        self._ended: deque[Parcel] = deque(maxlen=REMEMBERED)
        self._known: dict[str, None] = {}  # ids, oldest first
        self._number = 0
        self.standing: dict[str, Standing] = {}
        self.upto: int | None = None  # how far the journal was read; None: never

    async def load(self) -> None:
        for event in await self._journal.events_after(0, *KINDS):
            self._apply(event)

    # --- looking

    @property
    def waiting(self) -> Sequence[Parcel]:
        return tuple(self._waiting.values())

    def parcels(self) -> list[Parcel]:
        """Those that wait and the newest that have ended, newest first."""
        return sorted((*self._ended, *self._waiting.values()), key=lambda one: one.number, reverse=True)

    def knows(self, notice: Notice) -> bool:
        return notice.id in self._known or any(id == notice.id for id, _ in self._waiting)

    def next(self, sink: str) -> Parcel | None:
        """What goes to a sink next: of each key the oldest, of those that are due the worst, else the first to be."""
        first: dict[str, Parcel] = {}
        for parcel in self._waiting.values():
            if parcel.sink == sink:
                first.setdefault(parcel.notice.key, parcel)
        now = self._clock.monotonic()
        due = [one for one in first.values() if one.due <= now]
        if due:
            return min(due, key=lambda one: one.rank)
        return min(first.values(), key=lambda one: one.due, default=None)

    def expired(self) -> list[Parcel]:
        now = self._clock.now()
        return [one for one in self._waiting.values() if now - one.queued > EXPIRES]

    # --- changes

    async def mark(self, upto: int) -> None:
        """The journal was read as far as this; with the first mark: what happened before is not news."""
        await self._append((READ, {"upto": upto}))

    async def queue(self, found: Iterable[tuple[Notice, Collection[str]]], upto: int) -> None:
        """Keep notices with their sinks as one transaction; those that are known already are left as they are."""
        entries: list[tuple[str, dict[str, Any]]] = []
        for notice, sinks in found:
            if sinks and not self.knows(notice):
                record = redact_value(msgspec.to_builtins(notice), keys=False)
                entries.append((QUEUED, {"upto": upto, "sinks": sorted(sinks), "notice": record}))
        more = sum(len(body["sinks"]) for _, body in entries)
        await self._append(*self._crowded_out(more), *entries)

    def _crowded_out(self, more: int) -> list[tuple[str, dict[str, Any]]]:
        """Room for ``more``: of those that wait the least grave go first, the oldest of them."""
        over = len(self._waiting) + more - MOST
        ranked = sorted(self._waiting.values(), key=lambda one: (-one.rank[0], one.number))
        why = f"more than {MOST} were waiting"
        return [(GIVEN_UP, _named(one, why=why)) for one in ranked[: max(0, over)]]

    async def alarms(self, key: str) -> list[Notice]:
        """What was told of a key since that last ended, read from the journal."""
        found: list[Notice] = []
        for event in await self._journal.events_after(0, QUEUED):
            if event.body["notice"]["key"] == key:
                notice = msgspec.convert(event.body["notice"], Notice)
                found = [] if notice.action is Action.RESOLVE else [*found, notice]
        return [one for one in found if one.action is Action.TRIGGER]

    async def sent(self, parcel: Parcel) -> None:
        await self._append((SENT, _named(parcel, tries=parcel.tries)))

    async def give_up(self, parcel: Parcel, why: str) -> None:
        await self._append((GIVEN_UP, _named(parcel, why=why)))

    async def _append(self, *entries: tuple[str, dict[str, Any]]) -> None:
        if entries:
            await self._journal.append("", *entries)
        at = rfc3339(self._clock.now(), micro=True)
        for kind, body in entries:
            self._seen(kind, at, body)

    # --- what the events amount to

    def _apply(self, event: Event) -> None:
        self._seen(event.kind, event.at, event.body)

    def _seen(self, kind: str, at: str, body: Mapping[str, Any]) -> None:
        if kind in (QUEUED, READ):
            self.upto = max(self.upto or 0, int(body["upto"]))
        if kind == QUEUED:
            self._queued(at, body)
        elif kind in (SENT, GIVEN_UP):
            parcel = self._waiting.pop((str(body["id"]), str(body["sink"])), None)
            if parcel is not None:
                parcel.state, parcel.at = (WAS_SENT if kind == SENT else WAS_GIVEN_UP), at
                parcel.words = str(body.get("why") or "")
                parcel.tries = int(body.get("tries") or parcel.tries)
                self._ended.append(parcel)

    def _queued(self, at: str, body: Mapping[str, Any]) -> None:
        notice = msgspec.convert(body["notice"], Notice)
        sinks = [str(one) for one in body["sinks"]]
        self._known[notice.id] = None
        for old in list(islice(self._known, max(0, len(self._known) - KNOWN))):
            del self._known[old]
        for sink in sinks:
            self._number += 1
            self._waiting[(notice.id, sink)] = Parcel(self._number, notice, sink, parse_rfc3339(at))
        if notice.action is Action.TRIGGER:
            stands = self.standing.setdefault(notice.key, Standing(notice))
            stands.told = together(stands.told, notice)
            stands.sinks.update(sinks)
        elif notice.action is Action.RESOLVE:
            self.standing.pop(notice.key, None)


def _named(parcel: Parcel, **more: Any) -> dict[str, Any]:
    return {"id": parcel.notice.id, "sink": parcel.sink, "told": str(parcel.notice.told), **more}
