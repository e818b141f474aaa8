"""Where storage snapshots lie: a directory for each handle, complete or absent.

Layout: ``<root>/<handle>/data`` is the copy, ``<root>/<handle>/snapshot.json`` says of what and when. Half a copy has
a name that begins with a dot. All calls block.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event

from lazarus_tui.sandbox.dataplane.copy import copy_tree, remove_tree

_HANDLE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_META = "snapshot.json"


@dataclass(frozen=True, slots=True)
class Stored:
    """A storage snapshot. ``created`` and ``ready`` are unix nanoseconds, ``size`` is the source volume's, in bytes."""

    handle: str
    volume: str
    size: int
    created: int
    ready: int
    group: str = ""
    frozen_milliseconds: int = -1


class SnapshotStorage:
    """The storage snapshots under ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def copy(self, handle: str, source: Path, stop: Event, *, live: bool) -> None:
        """Copies a volume under a name that is not yet a snapshot's; ``keep`` makes it one.

        ``live``: somebody writes meanwhile. Raises ``OSError`` (a full disk), ``CopyStopped`` once ``stop`` is set;
        what was copied is removed then.
        """
        partial = self._partial(handle)
        remove_tree(partial)
        partial.mkdir(parents=True, mode=0o700)
        try:
            copy_tree(source, partial / "data", stop, live=live)
        except BaseException:
            remove_tree(partial)
            raise

    def keep(self, stored: Stored) -> None:
        """What was copied is a snapshot from now on."""
        partial = self._partial(stored.handle)
        (partial / _META).write_text(json.dumps(asdict(stored)))
        os.replace(partial, self._folder(stored.handle))

    def drop(self, handle: str) -> None:
        """What was copied is not wanted."""
        remove_tree(self._partial(handle))

    def find(self, handle: str) -> Stored | None:
        try:
            return Stored(**json.loads((self._folder(handle) / _META).read_bytes()))
        except (FileNotFoundError, ValueError):
            return None

    def data(self, handle: str) -> Path:
        """The copy of a snapshot; raises ``FileNotFoundError`` when there is no such snapshot."""
        folder = self._folder(handle) / "data"
        if not folder.is_dir():
            raise FileNotFoundError(handle)
        return folder

    def delete(self, handle: str) -> None:
        """Removes a snapshot for good; an absent one is fine."""
        if not _HANDLE.fullmatch(handle):
            return
        folder, doomed = self._folder(handle), self.root / f".{handle}.deleted"
        if folder.exists():
            remove_tree(doomed)
            folder.rename(doomed)
            remove_tree(doomed)

    def handles(self) -> Iterator[str]:
        if self.root.is_dir():
            yield from sorted(entry.name for entry in self.root.iterdir() if not entry.name.startswith("."))

    def sweep(self) -> None:
        """Removes what a crash left half made or half removed."""
        for left in self.root.glob(".*") if self.root.is_dir() else ():
            remove_tree(left)

    def _folder(self, handle: str) -> Path:
        if not _HANDLE.fullmatch(handle):
            raise ValueError(f"not a snapshot handle: {handle!r}")
        return self.root / handle

    def _partial(self, handle: str) -> Path:
        folder = self._folder(handle)
        return folder.with_name(f".{folder.name}.partial")
