"""One connection, one writer: whole transactions that complete even when whoever asked has gone.

aiosqlite does not stop a write when its await is cancelled, and a rollback by one task would undo another's statements.
So callers hand in a function; it runs alone between BEGIN and COMMIT, and a cancelled caller waits for its end first.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from lazarus_tui.journal import file, records
from lazarus_tui.journal.errors import JournalDamaged, JournalError, JournalFull, is_disk
from lazarus_tui.journal.lock import Lock, refuse_network
from lazarus_tui.journal.records import Event, Then, Transaction, decode_plan
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.paths import check_private_file, private_folder
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.topics import Finding, LogLine

T = TypeVar("T")

# Who writes: events name it; people's names come with approvals.
ACTOR = "engine"
# Operations that are read at once of all there are: some MB.
PAGE = 200

Entry = tuple[str, Mapping[str, Any]]  # kind and body of an event


class Journal:
    """Open with ``await Journal.open(path, clock=…)``, end with ``close``; ``findings``: what was wrong then."""

    def __init__(self, path: Path, db: aiosqlite.Connection, lock: Lock, clock: Clock, seq: int, head: bytes) -> None:
        self.path, self.clock = path, clock
        self.findings: tuple[Finding, ...] = ()
        self._db, self._lock, self._seq, self._head = db, lock, seq, head
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    @classmethod
    async def open(cls, path: Path, *, clock: Clock) -> Journal:
        """The journal at ``path``, made if missing. A damaged one is moved aside and reported in ``findings``.

        Raises ``JournalInUse``, ``JournalNewer``, ``JournalFull``, ``JournalError`` or ``UnsafePath``.
        """
        lock = _claim(path)
        try:
            damage = ""
            if check_private_file(path):
                try:
                    loaded = await file.load(path)
                except JournalDamaged as error:
                    damage = f"{error.what}; moved to {file.move_aside(path, clock.now()).name}"
            elif file.hot_journal(path).exists():
                damage = f"the file was gone; its remains were moved to {file.move_aside(path, clock.now()).name}"
            if damage or not check_private_file(path):
                await file.create(path)
                loaded = await file.load(path)
        except BaseException:
            lock.release()
            raise
        journal = cls(path, loaded[0], lock, clock, loaded[1], loaded[2])
        await journal._opened(damage)
        return journal

    async def _opened(self, damage: str) -> None:
        try:
            self.findings = tuple(_findings(self.path, damage))
            await self.append("", ("journal.replaced", {"damage": damage}) if damage else ("journal.opened", {}))
        except BaseException:
            await self.close()
            raise

    @property
    def head(self) -> str:
        """Hash of the newest event, hex: the anchor that evidence carries."""
        return self._head.hex()

    @property
    def newest(self) -> int:
        """Number of the newest event."""
        return self._seq

    async def close(self) -> None:
        """Wait for what is under way, then let go of the file. Idempotent."""
        self._closed = True
        while self._running:
            await asyncio.wait(self._running)
        await self._db.close()
        self._lock.release()

    # --- transactions

    async def run(self, fn: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run ``fn`` as one transaction and return its value once it is durable.

        Raises ``JournalFull`` when it could not be kept; then nothing of it was. A cancelled caller gets its
        CancelledError only after the transaction has ended, so nothing is ever half known.
        """
        if self._closed:
            raise JournalError("the journal is closed")
        task = asyncio.get_running_loop().create_task(self._transaction(fn))
        self._running.add(task)
        task.add_done_callback(self._forget)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                try:
                    await asyncio.wait({task})
                except asyncio.CancelledError:
                    continue
            raise

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()

    async def _transaction(self, fn: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._turn:
            transaction = Transaction(self._db, self.clock, ACTOR, self._seq, self._head)
            try:
                await self._db.execute("BEGIN IMMEDIATE")
                value = await fn(transaction)
                await self._db.execute("COMMIT")
            except BaseException as error:
                await self._roll_back()
                if isinstance(error, sqlite3.DatabaseError) and is_disk(error):
                    raise JournalFull(
                        f"the journal cannot be written: {error}", hint=f"free some space: df {self.path.parent}"
                    ) from error
                if isinstance(error, sqlite3.DatabaseError):
                    raise JournalError(f"the journal cannot be written: {error}") from error
                raise
            self._seq, self._head = transaction.seq, transaction.prev
            if transaction.then is not None:
                transaction.then()
            return value

    async def _roll_back(self) -> None:
        if self._db.in_transaction:
            await self._db.execute("ROLLBACK")

    async def _read(self, fn: Callable[[aiosqlite.Connection], Awaitable[T]]) -> T:
        if self._closed:
            raise JournalError("the journal is closed")
        async with self._turn:
            return await fn(self._db)

    # --- writing: ``then`` is called once it is durable, whatever became of whoever asked for it

    async def append(self, op: str, *entries: Entry, then: Then | None = None) -> int:
        """Events of an operation ("" for the engine itself); the number of the last."""

        async def write(transaction: Transaction) -> int:
            transaction.then = then
            return [await transaction.event(op, kind, body) for kind, body in entries][-1]

        return await self.run(write)

    async def begin(self, operation: Operation, plan: Plan, *entries: Entry, then: Then | None = None) -> None:
        """A new operation with its approved plan."""

        async def write(transaction: Transaction) -> None:
            transaction.then = then
            for kind, body in entries:
                await transaction.event(operation.id, kind, body)
            await transaction.add_operation(operation, plan)

        await self.run(write)

    async def save(
        self, operation: Operation, *entries: Entry, lines: Sequence[LogLine] = (), then: Then | None = None
    ) -> None:
        """What happened and what it amounts to, together or not at all."""

        async def write(transaction: Transaction) -> None:
            transaction.then = then
            for kind, body in entries:
                await transaction.event(operation.id, kind, body)
            await transaction.put_operation(operation)
            if lines:
                await transaction.add_lines(operation.id, lines)

        await self.run(write)

    async def add_lines(self, op: str, lines: Sequence[LogLine]) -> None:
        if lines:
            await self.run(lambda transaction: transaction.add_lines(op, lines))

    # --- reading

    async def operations(self, limit: int = 200) -> list[Operation]:
        """Newest first; open ones are always among them."""
        where = "ORDER BY state IN ('running','parked','undoing') DESC, started DESC, rowid DESC LIMIT ?"
        found = await self._read(lambda db: records.operations(db, where, (limit,)))
        return sorted(found, key=lambda operation: operation.started, reverse=True)

    async def pages_of(self, kind: str, size: int = PAGE) -> AsyncIterator[list[Operation]]:
        """All of one kind, oldest first, so many at a time: others come in between."""
        found = await self._page(kind, size, "", ())
        while found:
            yield found
            after = "AND (started, rowid) > (SELECT started, rowid FROM op WHERE id=?)"
            found = await self._page(kind, size, after, (found[-1].id,)) if len(found) == size else []

    async def _page(self, kind: str, size: int, after: str, values: tuple[str, ...]) -> list[Operation]:
        where = f"WHERE kind=? {after} ORDER BY started, rowid LIMIT ?"
        return await self._read(lambda db: records.operations(db, where, (kind, *values, size)))

    async def open_operations(self) -> list[Operation]:
        where = "WHERE state IN ('running','parked','undoing') ORDER BY started"
        return await self._read(lambda db: records.operations(db, where))

    async def find(self, prefix: str) -> list[Operation]:
        """Operations whose id begins with ``prefix`` (at most three)."""
        where = "WHERE substr(id, 1, ?) = ? ORDER BY started DESC LIMIT 3"
        return await self._read(lambda db: records.operations(db, where, (len(prefix), prefix)))

    async def plan(self, op: str) -> Plan | None:
        sql = "SELECT plan, plan_sha FROM op WHERE id=?"
        rows = list(await self._read(lambda db: db.execute_fetchall(sql, (op,))))
        return decode_plan(*rows[0]) if rows else None

    async def events(self, op: str, *kinds: str) -> list[Event]:
        return await self._read(lambda db: records.events(db, op, kinds))

    async def events_of(self, kind: str) -> list[Event]:
        """Events of one kind over all operations, oldest first."""
        return await self._read(lambda db: records.events_of(db, kind))

    async def events_after(self, seq: int, *kinds: str) -> list[Event]:
        """Events of these kinds with numbers above ``seq``, over all operations, oldest first."""
        return await self._read(lambda db: records.events_after(db, seq, kinds))

    async def lines(self, op: str, after: int = 0, limit: int = records.MAX_LINES) -> list[LogLine]:
        """Lines with numbers above ``after``, oldest first."""
        sql = "SELECT n, at, text FROM line WHERE op=? AND n>? ORDER BY n LIMIT ?"
        rows = await self._read(lambda db: db.execute_fetchall(sql, (op, after, limit)))
        return [LogLine(*row) for row in rows]


def _claim(path: Path) -> Lock:
    private_folder(path.parent)
    refuse_network(path.parent)
    return Lock(path.with_name(path.name + ".lock"))


def _findings(path: Path, damage: str) -> Iterable[Finding]:
    if damage:
        yield Finding(
            "error",
            f"the journal was damaged ({damage}); a new one was started and does not know earlier operations",
            hint="look in the cluster for objects labelled app.kubernetes.io/managed-by=lazarus, keep the old file",
        )
    for aside in file.set_aside(path):
        if aside.name not in damage:
            yield Finding(
                "warning", f"a damaged journal lies beside the new one: {aside}", hint=f"archive it: {aside.name}"
            )
