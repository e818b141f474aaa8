"""A restore in place of three replicas: its undo, and its engine killed while the set is at 0."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from bench.ledger import NAME, Ledger, until
from bench.rows import Row, below
from bench.servers import LAZARUS, sandbox
from bench.terminal import terminal
from lazarus_tui.link.client import LinkLost, SyncClient
from lazarus_tui.model.operation import Operation, StepState
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.sandbox.process import kubeconfig_path

# What the banner of a workload at 0 says when an engine works on it again.
RESUMED = b"goes on by itself"


def done(found: Operation) -> int:
    return sum(step.state is StepState.DONE for step in found.steps)


class Engine:
    """The engine of a state root, as far as it is asked and killed."""

    def __init__(self, env: dict[str, str]) -> None:
        root = StateRoot(True, env=env)
        self._socket, self._kubeconfig = root.socket, str(kubeconfig_path(root.cluster))

    def operation(self, op: str) -> Operation:
        with SyncClient.connect(self._socket, kubeconfig=self._kubeconfig) as client:
            return client.call("operation.get", {"id": op}, Operation)

    def kill(self) -> None:
        with SyncClient.attach(self._socket) as client:
            pid = int(client.call("stats", {}, dict[str, Any])["pid"])
        os.kill(pid, signal.SIGKILL)

    def gone_on(self, op: str, before: int) -> bool:
        """Whether another engine has come further than ``before`` steps."""
        try:
            found = self.operation(op)
        except LinkLost:
            return False
        return found.recoveries > 0 and done(found) > before


def killed(ledger: Ledger) -> tuple[float, float]:
    """Seconds from the kill until a console shows that it goes on, and until it really has."""
    op = ledger.run("restore", "statefulset", NAME, "--confirm", NAME, "--no-wait")["id"]
    until(lambda: ledger.workload()["spec"]["replicas"] == 0)
    engine = Engine(ledger.env)
    before = done(engine.operation(op))
    engine.kill()
    began = time.perf_counter()
    with terminal([*LAZARUS, "--sandbox"], env=ledger.env) as screen:
        screen.read_until(RESUMED)
        shown = time.perf_counter() - began
        until(lambda: engine.gone_on(op, before))
        gone_on = time.perf_counter() - began
        until(lambda: not engine.operation(op).state.open)
    return shown, gone_on


def rows() -> list[Row]:
    with sandbox() as env:
        ledger = Ledger(env)
        ledger.fill()
        restored = ledger.run("restore", "statefulset", NAME, "--confirm", NAME)["id"]
        began = time.perf_counter()
        ledger.run("undo", restored, "--confirm", NAME)
        undone = time.perf_counter() - began
        shown, gone_on = killed(ledger)
    return [
        below("undo of a restore in place, 3 replicas", undone, 60, "s"),
        below("engine killed at 0 replicas, a new console shows that it goes on", shown, 3, "s"),
        below("engine killed at 0 replicas, the next step is done", gone_on, 10, "s"),
    ]
