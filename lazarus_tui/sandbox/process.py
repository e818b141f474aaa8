"""The sandbox as a process of its own: start, stop, look, remove. Cheap to import; the cluster itself is in serve.py.

The folder ``root`` holds everything. ``serve.pid`` is locked by the process for as long as it lives, so a stale pid is
never believed; ``serve.json`` says where it listens; ``keep`` marks a sandbox that stays when nobody uses it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_FACTOR = 10.0
"""How many times as fast Velero's periods pass in the shipped sandbox."""

# design.md §11: `sandbox up` is back when the shop is ready, in at most 30 s.
READY_SECONDS = 30.0
# Until one that lives says where it listens: a machine under load takes its time, and one that died is seen at once.
_ANSWER_SECONDS = 90.0
# Seconds a stop may take before the process is killed: 3 for the pods, 2 for the rest, and a margin for a busy machine.
_STOP_SECONDS = 8.0
# Until a killed process is gone: the machine has to come to it, and a disk it waits for has to answer.
_KILL_SECONDS = 30.0
_POLL = 0.05
_LOG_LINES = 8
# A log larger than this is begun anew at the next start.
_LOG_BYTES = 1 << 20
# Exit code of a serve process that found another one at work.
ALREADY = 75


class SandboxFailed(Exception):
    """The sandbox could not be started or stopped; the text says what it said last."""


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """``ready`` means that every workload of the shop is; ``server`` and ``bucket`` are URLs, empty while starting.

    ``network`` is ``enforced``, or ``not enforced: `` and why: what NetworkPolicies are worth.
    """

    running: bool
    pid: int = 0
    ready: bool = False
    server: str = ""
    bucket: str = ""
    factor: float = DEFAULT_FACTOR
    started: str = ""
    network: str = ""


def kubeconfig_path(root: Path) -> Path:
    return root / "kubeconfig"


def kubeconfig(root: Path) -> str:
    """The kubeconfig's text; raises ``FileNotFoundError`` before the first start."""
    return kubeconfig_path(root).read_text(encoding="utf-8")


def log_path(root: Path) -> Path:
    return root / "serve.log"


def pid_path(root: Path) -> Path:
    return root / "serve.pid"


def state_path(root: Path) -> Path:
    return root / "serve.json"


def status(root: Path) -> SandboxStatus:
    """Whether a sandbox runs there, by its lock."""
    pid = _holder(root)
    if pid == 0:
        return SandboxStatus(running=False)
    try:
        told = json.loads(state_path(root).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return SandboxStatus(running=True, pid=pid)
    if told.get("pid") != pid:
        return SandboxStatus(running=True, pid=pid)
    return SandboxStatus(
        running=True,
        pid=pid,
        ready=bool(told.get("ready")),
        server=str(told.get("server", "")),
        bucket=str(told.get("bucket", "")),
        factor=float(told.get("factor", DEFAULT_FACTOR)),
        started=str(told.get("started", "")),
        network=str(told.get("network", "")),
    )


def _holder(root: Path) -> int:
    """The pid of the process that holds the lock, 0 when nobody does."""
    try:
        file = open(pid_path(root), encoding="ascii")  # noqa: SIM115
    except FileNotFoundError:
        return 0
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            text = file.read().strip()
            return int(text) if text.isdigit() else -1
    return 0


def _locked(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def held(root: Path) -> Iterator[bool]:
    """Hold the sandbox's lock; yields False when another process has it, or looks whether one has for far too long."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(pid_path(root), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with open(fd, "r+", encoding="ascii") as file:
        looks = math.ceil(READY_SECONDS / _POLL)
        while not _locked(fd, fcntl.LOCK_EX):
            looks -= 1
            if looks < 0 or not _locked(fd, fcntl.LOCK_SH):
                yield False
                return
            # Nobody has it: only somebody who looks, and who may be held up while they do.
            fcntl.flock(fd, fcntl.LOCK_UN)
            time.sleep(_POLL)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield True


def keep(root: Path) -> None:
    """The sandbox stays until it is taken down, whoever started it."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    (root / "keep").touch(mode=0o600)


def asked(root: Path) -> int:
    """When somebody last said that they are coming, in nanoseconds; 0 for never."""
    try:
        return (root / "asked").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def ending_path(root: Path) -> Path:
    """There while an ephemeral sandbox that nobody uses ends; what a killed one left counts for nothing."""
    return root / "ending"


def ask(root: Path, *, timeout: float = READY_SECONDS) -> bool:
    """Say that somebody is about to connect: an ephemeral sandbox waits for them. Whether one runs that does.

    One that has begun to end is waited for. Raises ``SandboxFailed`` when that takes longer than ``timeout`` seconds.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    (root / "asked").touch(mode=0o600)  # before the look: the sandbox says that it ends before it looks here
    limit = time.monotonic() + timeout
    while (pid := _holder(root)) and ending_path(root).exists():
        if time.monotonic() > limit:
            raise SandboxFailed(f"process {pid} does not end")
        time.sleep(_POLL)
    return pid != 0


def up(
    root: Path, *, factor: float = DEFAULT_FACTOR, ephemeral: bool = False, timeout: float = READY_SECONDS
) -> SandboxStatus:
    """Start the sandbox unless it runs, and wait until the shop is ready or ``timeout`` seconds have passed.

    An ephemeral one ends by itself when no client is connected any more. Raises ``SandboxFailed`` when it died.
    """
    if not ephemeral:
        keep(root)
    started = time.monotonic()
    said = _log_size(root)
    life = None if status(root).running else _spawn(root, factor, ephemeral)
    try:
        while True:
            ended = life is None or _ended(life)  # before the look: another one may have begun meanwhile
            found = status(root)
            waited = time.monotonic() - started
            if found.ready or (waited > timeout and found.server):
                return found
            if not found.running and ended:
                raise SandboxFailed(f"the sandbox ended while starting: {_last_words(root, said)}")
            if waited > max(timeout, _ANSWER_SECONDS):
                raise SandboxFailed(f"the sandbox does not answer after {waited:.0f} s: {_last_words(root, said)}")
            time.sleep(_POLL)
    finally:
        if life is not None:
            os.close(life)


def _ended(life: int) -> bool:
    try:
        return not os.read(life, 1)
    except BlockingIOError:
        return False


def _spawn(root: Path, factor: float, ephemeral: bool) -> int:
    """A pipe's end that reads as closed once the process is gone.

    The child detaches itself at once, so the caller has nothing to reap later and no exit code to wait for.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    argv = [sys.executable, "-m", "lazarus_tui.sandbox.process", "serve", "--root", str(root), "--factor", str(factor)]
    argv += ["--detach", *(["--ephemeral"] if ephemeral else [])]
    fresh = os.O_TRUNC if _log_size(root) > _LOG_BYTES else os.O_APPEND
    fd = os.open(log_path(root), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | fresh, 0o600)
    life, held_by_child = os.pipe()
    try:
        with open(fd, "wb") as log:
            subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=_environment(), check=False,
                pass_fds=(held_by_child,),
            )  # fmt: skip
    except BaseException:
        os.close(life)
        raise
    finally:
        os.close(held_by_child)
    os.set_blocking(life, False)
    return life


def _environment() -> dict[str, str]:
    """The package must be importable from ``/`` also where it runs from a source tree that is only on sys.path."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{path}" if path else package}


def _log_size(root: Path) -> int:
    try:
        return log_path(root).stat().st_size
    except FileNotFoundError:
        return 0


def _last_words(root: Path, after: int) -> str:
    """What the log says beyond its first ``after`` bytes."""
    try:
        text = log_path(root).read_bytes()
        lines = text[after if len(text) >= after else 0 :].decode(errors="replace").strip().splitlines()
    except FileNotFoundError:
        return "no log"
    return " | ".join(lines[-_LOG_LINES:]) or f"nothing in {log_path(root)}"


def down(root: Path) -> bool:
    """End the sandbox and its pods, keeping its state; False when it did not run. Raises ``SandboxFailed``."""
    (root / "keep").unlink(missing_ok=True)
    pid = _holder(root)
    if pid <= 0:
        return False
    for signum, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
        for _ in range(math.ceil(seconds / _POLL)):  # looks, not time: whoever is held up meanwhile has not looked
            if _holder(root) != pid:
                return True
            time.sleep(_POLL)
        if _holder(root) != pid:  # else another process that has its number by now would be meant
            return True
    raise SandboxFailed(f"process {pid} does not end")


def reset(root: Path) -> None:
    """End the sandbox and delete its cluster, volumes and backups."""
    down(root)
    if root.is_dir():
        shutil.rmtree(root)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lazarus_tui.sandbox.process")
    verbs = parser.add_subparsers(dest="verb", required=True)
    serve = verbs.add_parser("serve")
    serve.add_argument("--root", type=Path, required=True)
    serve.add_argument("--factor", type=float, default=DEFAULT_FACTOR)
    serve.add_argument("--ephemeral", action="store_true")
    serve.add_argument("--detach", action="store_true")
    options = parser.parse_args(argv)
    if options.detach and os.fork():
        os._exit(0)
    if options.detach:
        os.setsid()
    with held(options.root) as mine:
        if not mine:
            return ALREADY
        from lazarus_tui.sandbox.serve import serve as run

        return run(options.root, options.factor, ephemeral=options.ephemeral)


if __name__ == "__main__":
    sys.exit(main())
