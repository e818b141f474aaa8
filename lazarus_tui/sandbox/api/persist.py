"""Keeping the store: one writer thread, one SQLite file, many commits per transaction.

``synchronous=NORMAL`` with a write-ahead log is enough for the promise made here: a transaction that has been committed
is in the operating system's cache, so killing the process loses nothing that was acknowledged. Only a crash of the
machine can lose the last moments, and even that leaves an intact older state. The log's reset race cannot happen: one
connection in exclusive mode owns the file.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.store import Event, Store

_SCHEMA_VERSION = 1
_SCHEMA = f"""
CREATE TABLE objects (resource TEXT, namespace TEXT, name TEXT, body BLOB NOT NULL,
                      PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID;
CREATE TABLE revision (one INTEGER PRIMARY KEY CHECK (one = 1), top INTEGER NOT NULL);
INSERT INTO revision VALUES (1, 1);
PRAGMA user_version = {_SCHEMA_VERSION};
"""
# Revisions skipped at every start: clients may have seen unacknowledged ones before a crash, and must be told 410
# instead of resuming at a number that has come to mean something else.
REVISION_GAP = 100_000
# How often a failed batch is tried again, in seconds.
_RETRY_SECONDS = 0.5

_PUT = "INSERT OR REPLACE INTO objects (resource, namespace, name, body) VALUES (?, ?, ?, ?)"
_DROP = "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?"
_TOP = "UPDATE revision SET top = ? WHERE one = 1"


class StateUnusable(Exception):
    """The state file cannot be used; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class _Change:
    revision: int
    resource: str
    namespace: str
    name: str
    body: bytes | None  # None: deleted


Connect = Callable[[Path], sqlite3.Connection]


def connect(path: Path) -> sqlite3.Connection:
    """The state file, made if absent, for this process alone."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        database.close()
        raise
    return database


class Persistence:
    """The store's ``Keeper``. Life: ``open`` → ``load`` into a store → ``start`` → ``close``."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._inbox: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept = 0
        self._failure = ""
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @classmethod
    def open(cls, path: Path, *, connect: Connect = connect) -> Persistence:
        """Raises ``StateUnusable`` when the file is in use, damaged, or from a newer version."""
        database: sqlite3.Connection | None = None
        try:
            database = connect(path)
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                database.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
            elif version != _SCHEMA_VERSION:
                raise StateUnusable(f"{path} was written by another version (format {version})")
            else:
                _check(database)
            database.execute("BEGIN IMMEDIATE")
            database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            if database is not None:
                database.close()
            text = "another process uses it" if "locked" in str(error) else str(error)
            raise StateUnusable(f"the sandbox's state {path} cannot be used: {text}") from error
        except StateUnusable:
            if database is not None:
                database.close()
            raise
        return cls(database)

    def load(self, store: Store) -> int:
        """Fill an empty store; returns the number of objects."""
        (top,) = self._database.execute("SELECT top FROM revision").fetchone()
        count = 0

        def rows() -> Iterator[tuple[str, bytes]]:
            nonlocal count
            for resource, body in self._database.execute("SELECT resource, body FROM objects"):
                count += 1
                yield resource, body

        start = top + REVISION_GAP if top > 1 else top
        store.load(rows(), start)
        self._kept = start
        return count

    def start(self) -> None:
        """Begin to write; call it on the event loop that owns the store."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write_all, name="sandbox-state", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Write what is left and let go of the file."""
        if self._thread is not None:
            self._inbox.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        self._database.close()

    def write(self, event: Event) -> None:
        body = None if event.kind == "DELETED" else event.entity.body
        self._inbox.put(_Change(event.revision, event.group_resource, event.key[0], event.key[1], body))

    def refusal(self) -> str:
        return self._failure

    async def durable(self, revision: int) -> None:
        if self._failure:
            raise _no_space(self._failure)
        if revision <= self._kept:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((revision, waiter))
        await waiter

    def _advance(self, kept: int) -> None:
        self._kept, self._failure = kept, ""
        waiting, self._waiters = self._waiters, []
        for revision, waiter in waiting:
            if revision > kept:
                self._waiters.append((revision, waiter))
            elif not waiter.done():
                waiter.set_result(None)

    def _fail(self, why: str) -> None:
        self._failure = why
        waiting, self._waiters = self._waiters, []
        for _, waiter in waiting:
            if not waiter.done():
                waiter.set_exception(_no_space(why))

    def _tell(self, callback: Callable[..., None], *args: object) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(callback, *args)

    def _write_all(self) -> None:
        """The thread: batches until told to stop; a failed batch is kept and tried again, in order."""
        batch: list[_Change] = []
        stopping = False
        while not (stopping and not batch):
            stopping = self._collect(batch, stopping) or stopping
            if not batch:
                continue
            try:
                self._commit(batch)
            except sqlite3.Error as error:
                self._tell(self._fail, f"etcdserver: mvcc: database space exceeded or unwritable: {error}")
                if stopping:
                    return
                continue
            self._tell(self._advance, batch[-1].revision)
            batch = []

    def _collect(self, batch: list[_Change], stopping: bool) -> bool:
        """Wait for something to write, then take all there is; True when it is time to stop."""
        try:
            item = self._inbox.get(timeout=_RETRY_SECONDS if batch else None) if not stopping else None
            while item is not None:
                batch.append(item)
                item = self._inbox.get_nowait()
        except queue.Empty:
            return False
        return True

    def _commit(self, batch: list[_Change]) -> None:
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            for change in batch:
                key = (change.resource, change.namespace, change.name)
                if change.body is None:
                    database.execute(_DROP, key)
                else:
                    database.execute(_PUT, (*key, change.body))
            database.execute(_TOP, (batch[-1].revision,))
            database.execute("COMMIT")
        except sqlite3.Error:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise


def _check(database: sqlite3.Connection) -> None:
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"it is damaged ({verdict})")


def _no_space(why: str) -> ApiError:
    return ApiError(
        500, "InternalError", f"{why}: nothing was acknowledged, and writes are refused until it can be kept"
    )
