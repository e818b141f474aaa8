"""Starts engines by fork: everything is imported once, and each engine is a process of its own that can be killed.

One JSON line asks for an engine (``folder``: its state, ``kubeconfig``, ``points``: failpoints); the answer is its pid.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path

from lazarus_tui.engine import failpoint, house, process
from tests.crash.fastclock import FastClock

_PR_SET_PDEATHSIG = 1
# What an engine imports only when it first talks to a cluster: a thousand modules, half of what a short life costs.
LATER = ("kubernetes_asyncio.client", "kubernetes_asyncio.config", "lazarus_tui.kube.transport")


def engine(asked: dict[str, str], factor: float, zero: float) -> int:
    """The whole life of an engine process: ``lazarus_tui.engine.process`` in a faster time."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # no engine outlives the harness
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    folder = Path(asked["folder"])
    os.environ.update({"LAZARUS_STATE": str(folder), "HOME": str(folder)})
    for name in ("XDG_RUNTIME_DIR", "LAZARUS_CONFIG", "KUBECONFIG"):
        os.environ.pop(name, None)
    failpoint.arm(asked["points"])
    house.SystemClock = lambda: FastClock(factor, zero)  # type: ignore[assignment, misc]
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    return process.main(["run", "--kubeconfig", asked["kubeconfig"], "--context", "lab", "--stay"])


def main(factor: float, zero: float) -> None:
    for name in LATER:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a killed engine: none stays as a zombie
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = engine(json.loads(line), factor, zero)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
