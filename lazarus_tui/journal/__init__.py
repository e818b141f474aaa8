"""The engine's append-only, hash-chained record: one writer, whole transactions, intent before every act."""

from lazarus_tui.journal.errors import JournalError, JournalFull, JournalInUse, JournalNewer
from lazarus_tui.journal.journal import Journal
from lazarus_tui.journal.records import Event

__all__ = ["Event", "Journal", "JournalError", "JournalFull", "JournalInUse", "JournalNewer"]
