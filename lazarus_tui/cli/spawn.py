"""Finds the engine, or starts it: in its own session, so that no terminal can take it along.

Two starters at once are safe: the engine that gets the lock listens, the other ends, and both starters find the one.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from typing import TYPE_CHECKING

from lazarus_tui import __version__
from lazarus_tui.link.client import LinkFault, LinkLost, SyncClient
from lazarus_tui.link.protocol import Fault

if TYPE_CHECKING:
    import subprocess

    from lazarus_tui.model.paths import StateRoot

# Seconds a new engine has to listen. It takes well below one on an ordinary machine; a large journal is read before.
START_SECONDS = 30.0
# One that found another engine at work is started again after so many seconds in which nobody listened, then twice as
# many: the other one has stopped listening because it ends, and keeps the journal until it has.
AGAIN_SECONDS = 3.0
# What the engine's process returns when another engine has the lock: no failure for whoever starts it.
ALREADY = 75
# How its log's last line begins when something of this machine keeps it from starting.
CANNOT = "the engine cannot start: "


def running_engine(root: StateRoot) -> SyncClient | None:
    """A link to the engine that runs, of whatever version and kubeconfig; None when none does."""
    try:
        return SyncClient.attach(root.socket)
    except LinkLost:
        return None


def ensure_engine(root: StateRoot, *, kubeconfig: str | None = None) -> SyncClient:
    """A link to the engine of ``root``, started when nobody listens.

    Raises ``LinkFault`` when it cannot be started or refuses (another version, another kubeconfig in use).
    """
    with contextlib.suppress(LinkLost):
        return _connect(root, kubeconfig)
    client = _started(root, kubeconfig)
    for sentence in client.hello.trouble:
        sys.stderr.write(f"lazarus: {sentence}\n")
    return client


def engine_command(kubeconfig: str | None, *, sandbox: bool) -> list[str]:
    """The command line of an engine's process; it reads the kubeconfig that a command of this shell would."""
    from lazarus_tui.link.client.greeting import effective_kubeconfig

    command = [sys.executable, "-m", "lazarus_tui.engine.process", "run"]
    command += ["--sandbox"] if sandbox else []
    return [*command, "--kubeconfig", effective_kubeconfig(kubeconfig)]


def _started(root: StateRoot, kubeconfig: str | None) -> SyncClient:
    process, begun = _start(root, kubeconfig), time.monotonic()
    deadline, pause, patience = begun + START_SECONDS, 0.01, AGAIN_SECONDS
    refused: Fault | None = None
    try:
        while True:
            try:
                return _connect(root, kubeconfig)
            except LinkLost as error:
                code, now = process.poll(), time.monotonic()
                if code not in (None, ALREADY) or now > deadline:
                    raise LinkFault(refused or _not_started(root, code)) from error
            if code == ALREADY and now > begun + patience:
                refused = _not_started(root, code)  # what the next one says may stop in the middle of its start
                process, begun, patience = _start(root, kubeconfig), now, patience * 2
            time.sleep(pause)
            pause = min(0.1, pause * 1.5)
    finally:
        if process.returncode is None:
            process.returncode = 0  # it is meant to outlive us: nobody waits for it, and nothing shall warn of that


def _connect(root: StateRoot, kubeconfig: str | None) -> SyncClient:
    client = SyncClient.connect(root.socket, kubeconfig=kubeconfig)
    hello = client.hello
    if hello.version != __version__ and not hello.open_operations:
        client.close()
        what = f"the engine (pid {hello.pid}) is version {hello.version}, this is {__version__}"
        raise LinkFault(Fault("version", what, str(root.socket), "lazarus engine stop, then repeat the command"))
    return client


def _start(root: StateRoot, kubeconfig: str | None) -> subprocess.Popen[bytes]:
    import subprocess

    from lazarus_tui.model.paths import UnsafePath, private_open

    try:
        root.ensure()
        log = private_open(root.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except UnsafePath as error:
        raise LinkFault(Fault("refused", error.what, str(root.home), error.hint)) from error
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part)
    try:
        return subprocess.Popen(
            engine_command(kubeconfig, sandbox=root.sandbox),
            cwd="/",
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)


def _not_started(root: StateRoot, code: int | None) -> Fault:
    """Why, in the engine's own words where it left any."""
    what, _, hint = _last_line(root).partition("; next: ")
    if code == ALREADY or what.startswith(CANNOT):
        return Fault("refused", what, str(root.log), hint)
    late = code is None
    how = f"the engine did not listen within {START_SECONDS:.0f} s" if late else f"the engine ended with {code}"
    return Fault("unexpected", f"{how}: {what}" if what else how, str(root.log), hint or "look into the engine's log")


def _last_line(root: StateRoot) -> str:
    """The newest message in the engine's log, without its time, level and origin."""
    try:
        with open(root.log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return re.sub(r"^\S+Z [A-Z]+ \S+: ", "", last)[:600]
