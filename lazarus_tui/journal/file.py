"""The journal as a file: made whole, opened with every check, moved aside when damaged, never deleted."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import aiosqlite

from lazarus_tui.journal import chain
from lazarus_tui.journal.errors import (
    JournalDamaged,
    JournalError,
    JournalFull,
    JournalInUse,
    JournalNewer,
    is_busy,
    is_damage,
    is_disk,
)
from lazarus_tui.journal.records import decode_operation, decode_plan
from lazarus_tui.journal.schema import APPLICATION_ID, SETTINGS, TABLES, VERSION
from lazarus_tui.model.paths import private_open, sync_folder

# Events that are looked at together when a journal is opened: years of them need not fit into memory.
PIECE = 500


def hot_journal(path: Path) -> Path:
    """SQLite's own rollback journal beside a database."""
    return path.with_name(path.name + "-journal")


def move_aside(path: Path, moment: datetime) -> Path:
    """Rename a damaged journal, with its rollback journal, to ``<name>.corrupt-<time>``; nothing is deleted."""
    stamp = moment.strftime("%Y%m%dT%H%M%S")
    aside, n = path.with_name(f"{path.name}.corrupt-{stamp}"), 0
    while aside.exists() or hot_journal(aside).exists():
        n += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{n}")
    for old, new in ((path, aside), (hot_journal(path), hot_journal(aside))):
        with contextlib.suppress(FileNotFoundError):
            os.rename(old, new)
    sync_folder(path.parent)
    return aside


def set_aside(path: Path) -> list[Path]:
    """Damaged journals that were moved aside earlier and are still there, oldest first."""
    return sorted(p for p in path.parent.glob(f"{path.name}.corrupt-*") if not p.name.endswith("-journal"))


async def create(path: Path) -> None:
    """A new journal, complete before it gets its name: a crash leaves none or a whole one."""
    fresh = path.with_name(path.name + ".new")
    _start_file(fresh)
    async with _errors(fresh):
        db = await _connect(fresh)
        try:
            await db.execute("BEGIN IMMEDIATE")
            await db.execute(f"PRAGMA application_id={APPLICATION_ID}")
            await db.execute(f"PRAGMA user_version={VERSION}")
            for sql in TABLES:
                await db.execute(sql)
            await db.execute("COMMIT")
        finally:
            await db.close()
    _finish_file(fresh, path)


def _start_file(fresh: Path) -> None:
    for leftover in (fresh, hot_journal(fresh)):
        leftover.unlink(missing_ok=True)
    os.close(private_open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL))


def _finish_file(fresh: Path, path: Path) -> None:
    os.rename(fresh, path)
    sync_folder(path.parent)


async def load(path: Path) -> tuple[aiosqlite.Connection, int, bytes]:
    """An open connection and the newest event's number and hash.

    Raises ``JournalDamaged`` when the content is not an intact journal, ``JournalNewer``, ``JournalInUse``,
    ``JournalFull`` or ``JournalError`` when it cannot be judged.
    """
    async with _errors(path):
        db = await _connect(path)
        try:
            for sql in SETTINGS:
                await db.execute(sql)
            await _check_identity(db, path)
            await _check_content(db)
            seq, head = await _check_records(db)
            for sql in ("BEGIN IMMEDIATE", f"PRAGMA user_version={VERSION}", "COMMIT"):
                await db.execute(sql)  # it must also take a write
        except BaseException:
            await db.close()
            raise
    return db, seq, head


async def _connect(path: Path) -> aiosqlite.Connection:
    """A connection to an existing file; it has a thread, so it must be closed."""
    db = await aiosqlite.connect(_uri(path), uri=True, isolation_level=None, timeout=0)
    db.text_factory = _text
    return db


def _text(data: bytes) -> str:
    """A damaged byte in a log line must not make the rest unreadable; in an event the chain notices it."""
    return data.decode("utf-8", "replace")


def _uri(path: Path) -> str:
    """Never makes a file: a journal that is gone must be noticed, not replaced by an empty one."""
    return f"{path.absolute().as_uri()}?mode=rw"


@contextlib.asynccontextmanager
async def _errors(path: Path) -> AsyncIterator[None]:
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        raise JournalDamaged(str(error)[:200]) from error
    except sqlite3.DatabaseError as error:
        if is_busy(error):
            raise JournalInUse(f"another program has {path} open", hint="close it, then start again") from error
        if is_disk(error) and not (is_damage(error) or _only_looks_read_only(path, error)):
            raise JournalFull(
                f"the journal {path} cannot be used: {error}", hint=f"look at: df {path.parent}"
            ) from error
        if is_damage(error) or _only_looks_read_only(path, error):
            raise JournalDamaged(str(error)) from error
        raise JournalError(f"the journal {path} cannot be opened: {error}") from error


def _only_looks_read_only(path: Path, error: sqlite3.DatabaseError) -> bool:
    """A damaged header can claim a format that SQLite only reads."""
    return "readonly" in str(error) and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


async def _value(db: aiosqlite.Connection, sql: str) -> object:
    return next(iter(await db.execute_fetchall(sql)))[0]


async def _check_identity(db: aiosqlite.Connection, path: Path) -> None:
    if await _value(db, "PRAGMA application_id") != APPLICATION_ID:
        raise JournalDamaged("it is not a journal of Lazarus")
    version = await _value(db, "PRAGMA user_version")
    if isinstance(version, int) and VERSION < version < 10_000:
        raise JournalNewer(
            f"the journal {path} was written by a newer Lazarus (format {version}, this one knows {VERSION})",
            hint="update Lazarus; nothing was changed",
        )
    if version != VERSION:
        raise JournalDamaged(f"it has an unknown format ({version})")


async def _check_content(db: aiosqlite.Connection) -> None:
    found = await _value(db, "PRAGMA quick_check")
    if found != "ok":
        raise JournalDamaged(str(found)[:200])
    rows = await db.execute_fetchall("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    if {row[0] for row in rows} != set(TABLES):
        raise JournalDamaged("its tables are not those of a journal")


async def _check_records(db: aiosqlite.Connection) -> tuple[int, bytes]:
    """Every event against the chain, every operation against its checksum and the chain's end."""
    columns = "seq, op, at, boot_ns, actor, kind, body, prev, hash"
    seq, head = 0, chain.GENESIS
    async with db.execute(f"SELECT {columns} FROM event ORDER BY seq") as rows:
        while piece := list(await rows.fetchmany(PIECE)):
            seq, head = chain.verify((tuple(row) for row in piece), seq, head)
    columns = "plan, plan_sha, record, record_sha, head, id, state, kind, context, cluster_uid, target, started"
    for plan, plan_sha, record, record_sha, at, *rest in await db.execute_fetchall(f"SELECT {columns} FROM op"):
        approved, found = decode_plan(plan, plan_sha), decode_operation(record, record_sha)
        wanted = [
            found.id,
            found.state.value,
            found.kind,
            found.context,
            approved.cluster_uid,
            found.target,
            found.started,
        ]
        if rest != wanted or found.plan_digest != plan_sha:
            raise ValueError("an operation's row was changed")
        if at > seq:
            raise ValueError(f"events after {seq} are missing")
    return seq, head
