"""What goes into the journal and how it comes back. One ``Transaction`` is one BEGIN…COMMIT."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import aiosqlite
import msgspec

from lazarus_tui.journal.chain import link
from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Plan, canonical
from lazarus_tui.model.redact import redact_text, redact_value
from lazarus_tui.model.topics import LogLine

# Caps of an operation's log: lines kept (the newest) and characters of a line (reliability §6).
MAX_LINES = 5000
MAX_LINE = 4096

# What memory makes of a transaction, called once it is durable: also when whoever asked for it has gone meanwhile.
Then = Callable[[], object]

_OPERATION = msgspec.json.Decoder(Operation)
_PLAN = msgspec.json.Decoder(Plan)


class Event(msgspec.Struct, frozen=True):
    """One link of the chain. ``boot_ns`` is the monotonic clock; it compares only within one start of a machine."""

    seq: int
    op: str
    at: str
    boot_ns: int
    actor: str
    kind: str
    body: dict[str, Any]


def encode_operation(operation: Operation) -> bytes:
    """The record that is kept: canonical, and without secrets whatever a step put into its facts."""
    return canonical(redact_value(msgspec.to_builtins(operation), keys=False))


def decode_operation(record: bytes, sha: str) -> Operation:
    """Raises ``ValueError`` when the record is not the one that was written."""
    if hashlib.sha256(record).hexdigest() != sha:
        raise ValueError("an operation's record was changed")
    return _OPERATION.decode(record)


def decode_plan(record: bytes, sha: str) -> Plan:
    """``sha`` is the digest that was approved; it is over exactly these bytes."""
    if hashlib.sha256(record).hexdigest() != sha:
        raise ValueError("a plan was changed")
    return _PLAN.decode(record)


def log_line(n: int, at: str, text: str) -> LogLine:
    """A line as it is kept: without secrets, capped with a mark that says what is missing."""
    text = redact_text(text[: MAX_LINE * 4])
    if len(text) > MAX_LINE:
        text = f"{text[:MAX_LINE]} … ({len(text) - MAX_LINE} more characters not kept)"
    return LogLine(n, at, text)


class Transaction:
    """Writes of one transaction; the chain moves on only when it is committed, and ``then`` is called after that."""

    def __init__(self, db: aiosqlite.Connection, clock: Clock, actor: str, seq: int, prev: bytes) -> None:
        self.db, self._clock, self._actor = db, clock, actor
        self.seq, self.prev = seq, prev
        self.then: Then | None = None

    async def event(self, op: str, kind: str, body: Mapping[str, Any]) -> int:
        """Append to the chain; the event's number."""
        at, boot_ns = rfc3339(self._clock.now(), micro=True), int(self._clock.monotonic() * 1e9)
        data = canonical(redact_value(body, keys=False))
        seq = self.seq + 1
        found = link(self.prev, seq, op, at, boot_ns, self._actor, kind, data)
        row = (seq, op, at, boot_ns, self._actor, kind, data, self.prev, found)
        await self.db.execute("INSERT INTO event VALUES(?,?,?,?,?,?,?,?,?)", row)
        self.seq, self.prev = seq, found
        return seq

    async def add_operation(self, operation: Operation, plan: Plan) -> None:
        record = encode_operation(operation)
        await self.db.execute(
            "INSERT INTO op VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                operation.id,
                operation.kind,
                operation.context,
                plan.cluster_uid,
                operation.target,
                operation.state.value,
                operation.started,
                canonical(plan),
                plan.digest(),
                record,
                hashlib.sha256(record).hexdigest(),
                self.seq,
            ),
        )
        rows = [(operation.id, n, s.name, s.version, "planned", 0) for n, s in enumerate(plan.steps)]
        await self.db.executemany("INSERT INTO step VALUES(?,?,?,?,?,?)", rows)

    async def put_operation(self, operation: Operation) -> None:
        """Replace the record of an operation and the states of its steps."""
        record = encode_operation(operation)
        await self.db.execute(
            "UPDATE op SET state=?, record=?, record_sha=?, head=? WHERE id=?",
            (operation.state.value, record, hashlib.sha256(record).hexdigest(), self.seq, operation.id),
        )
        rows = [(step.state.value, operation.id, n) for n, step in enumerate(operation.steps)]
        await self.db.executemany("UPDATE step SET state=? WHERE op=? AND n=?", rows)

    async def add_lines(self, op: str, lines: Sequence[LogLine]) -> None:
        await self.db.executemany(
            "INSERT OR REPLACE INTO line VALUES(?,?,?,?)", [(op, line.n, line.at, line.text) for line in lines]
        )
        await self.db.execute("DELETE FROM line WHERE op=? AND n<=?", (op, lines[-1].n - MAX_LINES))


async def operations(db: aiosqlite.Connection, where: str = "", values: Iterable[Any] = ()) -> list[Operation]:
    """Operations, newest first; ``where`` is what follows FROM op."""
    sql = f"SELECT record, record_sha FROM op {where}"
    return [decode_operation(*row) for row in await db.execute_fetchall(sql, tuple(values))]


_EVENT = "SELECT seq, op, at, boot_ns, actor, kind, body FROM event"


async def events(db: aiosqlite.Connection, op: str, kinds: Sequence[str] = ()) -> list[Event]:
    only = f"AND kind IN ({','.join('?' * len(kinds))})" if kinds else ""
    return await _events(db, f"{_EVENT} WHERE op=? {only} ORDER BY seq", (op, *kinds))


async def events_of(db: aiosqlite.Connection, kind: str) -> list[Event]:
    return await _events(db, f"{_EVENT} WHERE kind=? ORDER BY seq", (kind,))


async def events_after(db: aiosqlite.Connection, seq: int, kinds: Sequence[str]) -> list[Event]:
    only = f"AND kind IN ({','.join('?' * len(kinds))})"
    return await _events(db, f"{_EVENT} WHERE seq>? {only} ORDER BY seq", (seq, *kinds))


async def _events(db: aiosqlite.Connection, sql: str, values: tuple[Any, ...]) -> list[Event]:
    return [
        Event(seq, op, at, boot_ns, actor, kind, msgspec.json.decode(body))
        for seq, op, at, boot_ns, actor, kind, body in await db.execute_fetchall(sql, values)
    ]
