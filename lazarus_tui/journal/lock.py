"""One engine per journal: an flock beside the file, and no network file systems (where it would mean nothing)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from lazarus_tui.journal.errors import JournalError, JournalInUse
from lazarus_tui.model.paths import private_open

# Kinds in /proc/self/mountinfo on which flock and fsync do not keep SQLite's promises.
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs", "lustre", "ncpfs"}
)


class Lock:
    """Held from creation until ``release`` or the end of the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self._fd = private_open(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            who = f"process {holder}" if holder.isdigit() else "another process"
            raise JournalInUse(
                f"another engine ({who}) works with the journal {path.with_suffix('')}",
                hint="use that engine, or stop it with: lazarus engine stop",
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Let the next engine in. The file stays: removing it would let two engines lock two files."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def refuse_network(folder: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> None:
    """Raises ``JournalError`` when ``folder`` is on a network file system; silent where that cannot be known."""
    try:
        lines = mountinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    best, kind = "", ""
    where = os.path.realpath(folder)
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 5 or not kinds:
            continue
        point = fields[4].replace("\\040", " ")
        if (where == point or where.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, kinds[0]
    if kind in _NETWORK:
        raise JournalError(
            f"the journal would be on a network file system ({kind} at {best}), where it can be damaged",
            hint="set LAZARUS_STATE to a folder on a local disk",
        )
