"""Volumes are directories: where they are, how they come and how they go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lazarus_tui.sandbox.dataplane.copy import remove_tree

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

    def exists(self, volume: dict[str, Any]) -> bool:
        return self.path(volume).is_dir()

    def create(self, handle: str) -> Path:
        """A new, empty directory; one that is there already is kept as it is."""
        folder = self._folder(handle)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

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
        """Finishes removals that a crash interrupted."""
        for doomed in self.root.glob(".*.deleted") if self.root.is_dir() else ():
            remove_tree(doomed)

    def handles(self) -> Iterator[str]:
        """Handles of all volumes that have a directory."""
        if self.root.is_dir():
            yield from sorted(entry.name for entry in self.root.iterdir() if not entry.name.startswith("."))

    def _folder(self, handle: str) -> Path:
        if not _HANDLE.fullmatch(handle) or ".." in handle:
            raise NotOurVolume(f"not a volume handle: {handle!r}")
        return self.root / handle
