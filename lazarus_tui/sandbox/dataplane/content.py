"""A content-addressed store for immutable generations of directory trees: equal files are kept once.

Layout: ``objects/<2>/<sha256>`` holds file contents, ``trees/<name>.json`` lists one generation. Objects are shared
between generations and never with a live volume: a restored tree is always a fresh copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lazarus_tui.sandbox.dataplane.copy import copy_file, tree_files

_CHUNK = 1 << 20


class DamagedContent(Exception):
    """Stored bytes are absent or no longer what their name says."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One stored tree: ``bytes`` is its size, ``new_bytes`` what it added to the store."""

    name: str
    files: int
    bytes: int
    new_bytes: int


class ContentStore:
    """Generations under one directory. Calls block; run them in a thread beside an event loop."""

    def __init__(self, root: Path) -> None:
        self._objects, self._trees = root / "objects", root / "trees"

    def save(self, name: str, source: Path, progress: Callable[[int], None] | None = None) -> Generation:
        """Stores the tree at ``source`` (nobody may write to it meanwhile) under ``name``, replacing such a one."""
        for folder in (self._objects, self._trees):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        entries: list[dict[str, Any]] = []
        done = new = files = 0
        for path, info in tree_files(source):
            entry: dict[str, Any] = {"path": path, "mode": info.st_mode, "mtime": info.st_mtime_ns}
            if stat.S_ISLNK(info.st_mode):
                entry["link"] = os.readlink(source / path)
            elif stat.S_ISREG(info.st_mode):
                entry["sha256"], added = self._add(source / path)
                entry["size"] = info.st_size
                files, done, new = files + 1, done + info.st_size, new + added
                if progress:
                    progress(done)
            elif not stat.S_ISDIR(info.st_mode):
                continue
            entries.append(entry)
        self._write(self._tree(name), json.dumps({"entries": entries, "files": files, "bytes": done}).encode())
        return Generation(name, files, done, new)

    def restore(self, name: str, target: Path, progress: Callable[[int], None] | None = None) -> Generation:
        """Writes generation ``name`` into ``target``; raises ``DamagedContent`` before a wrong byte is kept."""
        tree = self._read(name)
        target.mkdir(parents=True, exist_ok=True)
        done = 0
        links: set[str] = set()
        for entry in tree["entries"]:
            to = target / _inside(entry["path"], links)
            if "link" in entry:
                links.add(entry["path"])
                to.unlink(missing_ok=True)
                os.symlink(entry["link"], to)
            elif "sha256" in entry:
                self._restore_file(entry, to)
                done += entry["size"]
                if progress:
                    progress(done)
            else:
                to.mkdir(exist_ok=True)
        for entry in reversed(tree["entries"]):
            if "link" not in entry:
                os.chmod(target / entry["path"], stat.S_IMODE(entry["mode"]) | stat.S_IWUSR)
                os.utime(target / entry["path"], ns=(entry["mtime"], entry["mtime"]))
        return Generation(name, tree["files"], tree["bytes"], 0)

    def size(self, name: str) -> int:
        """Bytes of generation ``name``."""
        return int(self._read(name)["bytes"])

    def forget(self, name: str) -> None:
        """Removes a generation and the objects no other one needs; an absent one is fine."""
        self._tree(name).unlink(missing_ok=True)
        kept = {
            entry.get("sha256")
            for tree in self._trees.glob("*.json")
            for entry in json.loads(tree.read_bytes())["entries"]
        }
        for found in self._objects.glob("*/*"):
            if found.name not in kept:
                found.unlink()

    def names(self) -> list[str]:
        return sorted(tree.stem for tree in self._trees.glob("*.json"))

    def _tree(self, name: str) -> Path:
        if not name or name.startswith(".") or "/" in name:
            raise ValueError(f"not a generation's name: {name!r}")
        return self._trees / f"{name}.json"

    def _read(self, name: str) -> dict[str, Any]:
        try:
            tree: dict[str, Any] = json.loads(self._tree(name).read_bytes())
        except (FileNotFoundError, ValueError) as fault:
            raise DamagedContent(f"generation {name} cannot be read: {fault}") from fault
        return tree

    def _object(self, digest: str) -> Path:
        return self._objects / digest[:2] / digest

    def _add(self, source: Path) -> tuple[str, int]:
        """The digest of a file now kept, and the bytes that keeping it cost."""
        digest = _sha256(source)
        kept = self._object(digest)
        if kept.exists():
            return digest, 0
        kept.parent.mkdir(exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self._objects)
        os.close(handle)
        size = sum(copy_file(source, Path(name)))
        if _sha256(Path(name)) != digest:
            os.unlink(name)
            raise DamagedContent(f"{source.name} changed while it was read")
        os.chmod(name, 0o400)
        os.replace(name, kept)
        return digest, size

    def _restore_file(self, entry: dict[str, Any], to: Path) -> None:
        kept = self._object(entry["sha256"])
        try:
            to.unlink(missing_ok=True)
            for _ in copy_file(kept, to):
                continue
        except FileNotFoundError as fault:
            raise DamagedContent(f"{entry['path']}: its content is gone from the store") from fault
        if _sha256(to) != entry["sha256"]:
            to.unlink()
            raise DamagedContent(f"{entry['path']}: its content is damaged in the store")

    def _write(self, path: Path, data: bytes) -> None:
        partial = path.with_suffix(".partial")
        partial.write_bytes(data)
        os.replace(partial, path)


def _inside(path: str, links: set[str]) -> str:
    """The path itself, if it leads nowhere but into the target; ``links`` are the symlinks restored before it."""
    parts = path.split("/")
    above = {"/".join(parts[:count]) for count in range(1, len(parts))}
    if not parts or any(part in ("", ".", "..") for part in parts) or above & links:
        raise DamagedContent(f"{path!r} leads out of the tree")
    return path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as reader:
        while data := reader.read(_CHUNK):
            digest.update(data)
    return digest.hexdigest()
