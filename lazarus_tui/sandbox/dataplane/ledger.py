"""Which processes belong to pods, written down so that a later sandbox can end what an earlier one left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path


def start_mark(pid: int) -> str:
    """What tells this process from a later one with the same id; empty when there is no such process."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, check=False)
    return answer.stdout.decode().strip()


def is_stopped(pid: int) -> bool:
    """Neither the process nor what it started does anything, because of SIGSTOP. Where that cannot be seen, True."""
    if sys.platform != "linux":
        return True
    return all(map(_still, Path(f"/proc/{pid}/task").glob("*"))) and all(map(is_stopped, _children(pid)))


def _still(thread: Path) -> bool:
    try:
        state = (thread / "stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return True
    return state in (b"T", b"t", b"Z", b"X")


def _children(pid: int) -> list[int]:
    """What a process started, where the kernel tells (CONFIG_PROC_CHILDREN)."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split()]
    except OSError:
        return []


def signal_group(pid: int, signum: int) -> None:
    """Signals the process group that ``pid`` leads; one that is gone is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signum)


def signal_all(pid: int, signum: int) -> None:
    """Signals the group of ``pid``, and what its members started in groups of their own, as PostgreSQL does."""
    children = _children(pid)  # before the signal: who has ended has none
    signal_group(pid, signum)
    for child in children:
        signal_all(child, signum)


class Ledger:
    """One file per running process under ``folder``: its name is the pid, its content the start mark."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, pid: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / str(pid)).write_text(json.dumps({"start": start_mark(pid)}))

    def remove(self, pid: int) -> None:
        (self._folder / str(pid)).unlink(missing_ok=True)

    def reap(self) -> list[int]:
        """Kills every process in the ledger that still is the one meant, and empties it; answers their ids."""
        killed = []
        for entry in sorted(self._folder.glob("*")) if self._folder.is_dir() else []:
            try:
                pid, mark = int(entry.name), json.loads(entry.read_text())["start"]
            except (ValueError, KeyError, TypeError):
                entry.unlink(missing_ok=True)
                continue
            if mark and start_mark(pid) == mark:
                signal_all(pid, signal.SIGKILL)
                killed.append(pid)
            entry.unlink(missing_ok=True)
        return killed
