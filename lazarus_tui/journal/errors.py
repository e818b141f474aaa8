"""What can be wrong with a journal. Each error is one clear sentence and what to do next."""

from __future__ import annotations

import sqlite3

# SQLite result codes (sqlite.org/rescode.html). The low byte is the class.
_BUSY, _LOCKED, _NOMEM, _READONLY, _IOERR, _FULL, _CANTOPEN, _PERM, _AUTH = 5, 6, 7, 8, 10, 13, 14, 3, 23
_IOERR_SHORT_READ = 522

_DISK = {_FULL, _IOERR, _READONLY, _CANTOPEN, _PERM}
_NOT_DAMAGE = {*_DISK, _BUSY, _LOCKED, _NOMEM, _AUTH}


class JournalError(Exception):
    """The journal cannot be used. ``hint`` says what to do next."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


class JournalInUse(JournalError):
    """Another engine works with this journal."""


class JournalNewer(JournalError):
    """A newer Lazarus wrote it; nothing was touched."""


class JournalFull(JournalError):
    """A transaction could not be kept (disk full, I/O error, read-only); what was acknowledged before is intact."""


class JournalDamaged(JournalError):
    """The file is not a journal, or not an intact one. Raised while opening, and answered by moving it aside."""


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether SQLite complains about the content of the file, rather than about the disk or a lock."""
    code = getattr(error, "sqlite_errorcode", 1)
    return code == _IOERR_SHORT_READ or code & 0xFF not in _NOT_DAMAGE


def is_disk(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 1) & 0xFF in _DISK


def is_busy(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 1) & 0xFF in (_BUSY, _LOCKED)
