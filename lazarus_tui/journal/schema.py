"""The journal's file: settings, tables, and what makes a file a journal (reference: reliability §4.4)."""

from __future__ import annotations

# "LZRS"; marks the file as ours (sqlite.org/pragma.html#pragma_application_id).
APPLICATION_ID = 0x4C5A5253

# Raised with every change of the tables; an older Lazarus refuses a newer file.
VERSION = 1

# EXTRA and a rollback journal: an acknowledged row survives a power cut (reliability §4.4 has the measurements).
SETTINGS = (
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=DELETE",
    "PRAGMA synchronous=EXTRA",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA mmap_size=0",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA busy_timeout=0",
)

# ``event`` is the truth and is chained; ``op`` and ``step`` are what it amounts to, for reading without a replay.
# ``op.record`` is an Operation, ``op.plan`` a Plan (both JSON); ``op.head`` is the newest event of the operation.
TABLES = (
    "CREATE TABLE op(id TEXT PRIMARY KEY, kind TEXT NOT NULL, context TEXT NOT NULL, cluster_uid TEXT NOT NULL,"
    " target TEXT NOT NULL, state TEXT NOT NULL, started TEXT NOT NULL, plan BLOB NOT NULL, plan_sha TEXT NOT NULL,"
    " record BLOB NOT NULL, record_sha TEXT NOT NULL, head INTEGER NOT NULL) STRICT",
    "CREATE INDEX op_started ON op(started DESC)",
    "CREATE TABLE step(op TEXT NOT NULL REFERENCES op, n INTEGER NOT NULL, name TEXT NOT NULL,"
    " version INTEGER NOT NULL, state TEXT NOT NULL"
    " CHECK(state IN ('planned','running','done','unknown','failed','skipped','undone')),"
    " attempt INTEGER NOT NULL, PRIMARY KEY(op, n)) STRICT",
    "CREATE TABLE event(seq INTEGER PRIMARY KEY, op TEXT NOT NULL, at TEXT NOT NULL, boot_ns INTEGER NOT NULL,"
    " actor TEXT NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL) STRICT",
    "CREATE INDEX event_op ON event(op, seq)",
    "CREATE TABLE line(op TEXT NOT NULL, n INTEGER NOT NULL, at TEXT NOT NULL, text TEXT NOT NULL,"
    " PRIMARY KEY(op, n)) STRICT, WITHOUT ROWID",
    "CREATE TRIGGER event_keep BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'append only'); END",
    "CREATE TRIGGER event_stay BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'append only'); END",
    "CREATE TRIGGER op_stay BEFORE DELETE ON op BEGIN SELECT RAISE(ABORT, 'append only'); END",
    "CREATE TRIGGER op_plan BEFORE UPDATE OF id, plan, plan_sha, cluster_uid ON op"
    " BEGIN SELECT RAISE(ABORT, 'a plan never changes'); END",
)
