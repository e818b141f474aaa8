"""Files and trees on disk: walk, measure, copy a file byte for byte with its mode and times, remove.

``os.copy_file_range`` copies inside the kernel and shares blocks where the file system can (xfs, btrfs); elsewhere
plain reads and writes do. Nothing here ever hard-links live data: an in-place write would change the copy.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Event

# One kernel call copies at most this much, so that progress moves and a cancelled copy ends soon.
_CHUNK = 8 << 20


def tree_files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Relative path and lstat of everything below ``root``, parents first, sorted, so runs are alike."""
    stack = [""]
    while stack:
        folder = stack.pop()
        with os.scandir(root / folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        below = []
        for entry in found:
            path = f"{folder}/{entry.name}" if folder else entry.name
            yield path, entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                below.append(path)
        stack.extend(reversed(below))


def tree_bytes(root: Path) -> int:
    """The bytes of all regular files below ``root``."""
    return sum(info.st_size for _, info in tree_files(root) if stat.S_ISREG(info.st_mode))


def copy_file(source: Path, target: Path) -> Iterator[int]:
    """Copies one regular file with its mode and times; yields the bytes of each stretch as it is done."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        info = os.fstat(reader.fileno())
        yield from _stretches(reader.fileno(), writer.fileno(), info.st_size)
        os.fchmod(writer.fileno(), stat.S_IMODE(info.st_mode))
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))


def _stretches(reader: int, writer: int, size: int) -> Iterator[int]:
    in_kernel = hasattr(os, "copy_file_range")
    left = size
    while left > 0:
        count = 0
        if in_kernel:
            try:
                count = os.copy_file_range(reader, writer, min(left, _CHUNK))
            except OSError:
                in_kernel = False
        if not in_kernel:
            count = _plain(reader, writer, min(left, _CHUNK))
        if count == 0:
            return
        left -= count
        yield count


def _plain(reader: int, writer: int, size: int) -> int:
    data = os.read(reader, size)
    view = memoryview(data)
    while view:
        view = view[os.write(writer, view) :]
    return len(data)


def remove_tree(root: Path) -> None:
    """Removes a directory and all below it; an absent one is fine. A link is removed, never followed.

    Two may do it at once: a removal that was given up may still run in its thread.
    """
    with contextlib.suppress(FileNotFoundError):
        if root.is_symlink():
            root.unlink()
            return
        root.chmod(stat.S_IRWXU)
        with os.scandir(root) as entries:
            found = list(entries)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                remove_tree(Path(entry.path))
            else:
                Path(entry.path).unlink(missing_ok=True)
        root.rmdir()


class CopyStopped(Exception):
    """A copy was told to end before it was whole."""


def copy_tree(source: Path, target: Path, stop: Event, *, live: bool = False) -> int:
    """Copies a directory with modes, times and links to ``target``, which must not exist; the bytes copied.

    ``live``: somebody may write meanwhile, and files that vanish are left out; else that is an ``OSError``. Sockets and
    pipes have no content to copy. Raises ``CopyStopped`` once ``stop`` is set; what is there by then stays.
    """
    target.mkdir(mode=0o700)
    done, folders = 0, [("", source.stat())]
    for path, info in tree_files(source):
        if stop.is_set():
            raise CopyStopped
        with contextlib.suppress(*((FileNotFoundError,) if live else ())):
            if stat.S_ISLNK(info.st_mode):
                os.symlink(os.readlink(source / path), target / path)
            elif stat.S_ISDIR(info.st_mode):
                (target / path).mkdir(mode=0o700)
                folders.append((path, info))
            elif stat.S_ISREG(info.st_mode):
                for count in copy_file(source / path, target / path):
                    done += count
                    if stop.is_set():
                        raise CopyStopped
    for path, info in reversed(folders):
        os.chmod(target / path, stat.S_IMODE(info.st_mode) | stat.S_IWUSR)
        os.utime(target / path, ns=(info.st_atime_ns, info.st_mtime_ns))
    return done
