"""Volumes are directories: where they are, how they come and how they go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

from lazarus_tui.sandbox.dataplane.copy import copy_tree, remove_tree

DRIVER = "directory.lazarus.dev"
"""The CSI driver's name on volumes, and the provisioner of the sandbox's storage classes."""

_HANDLE = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


class NotOurVolume(Exception):
    """The volume's source is not a directory of this sandbox."""


class VolumeStore:
    """Directories under ``root``, one for each volume handle."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, volume: dict[str, Any]) -> Path:
        """The directory of a PersistentVolume; raises ``NotOurVolume``."""
        source = volume.get("spec", {}).get("csi") or {}
        if source.get("driver") != DRIVER:
            raise NotOurVolume(f"volume {volume['metadata']['name']} is not from {DRIVER}")
        return self._folder(source.get("volumeHandle", ""))

    def of_handle(self, handle: str) -> Path:
        """The directory of a volume handle; raises ``NotOurVolume`` for what is not one, or without a directory."""
        folder = self._folder(handle)
        if not folder.is_dir():
            raise NotOurVolume(f"volume id {handle} does not exist in the volumes list")
        return folder

    def exists(self, volume: dict[str, Any]) -> bool:
        return self.path(volume).is_dir()

    def create(self, handle: str) -> Path:
        """A new, empty directory; one that is there already is kept as it is."""
        folder = self._folder(handle)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def populate(self, handle: str, source: Path, stop: Event) -> None:
        """A new directory with a copy of ``source``; it appears whole or not at all. One that is there stays as it is.

        Raises ``FileNotFoundError`` without a source, ``OSError`` (a full disk), ``CopyStopped`` once ``stop`` is set.
        """
        folder = self._folder(handle)
        if folder.exists():
            return
        partial = folder.with_name(f".{handle}.partial")
        remove_tree(partial)
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            copy_tree(source, partial, stop)
            partial.rename(folder)
        except BaseException:
            remove_tree(partial)
            raise

    def delete(self, volume: dict[str, Any]) -> None:
        """Removes the directory and its data for good; an absent one is fine."""
        folder = self.path(volume)
        if folder.exists():
            doomed = folder.with_name(f".{folder.name}.deleted")
            if doomed.exists():
                remove_tree(doomed)
            folder.rename(doomed)
            remove_tree(doomed)

    def sweep(self) -> None:
        """Removes what a crash left half removed or half copied."""
        for left in self.root.glob(".*") if self.root.is_dir() else ():
            remove_tree(left)

    def handles(self) -> Iterator[str]:
        """Handles of all volumes that have a directory."""
        if self.root.is_dir():
            yield from sorted(entry.name for entry in self.root.iterdir() if not entry.name.startswith("."))

    def _folder(self, handle: str) -> Path:
        if not _HANDLE.fullmatch(handle) or ".." in handle:
            raise NotOurVolume(f"not a volume handle: {handle!r}")
        return self.root / handle
