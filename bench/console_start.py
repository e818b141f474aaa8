"""Start of a console on a warm engine with 10 000 backups, to the first frame with real rows."""

from __future__ import annotations

import shutil

from bench.rows import Row, at_most, command_seconds, median_of
from bench.terminal import python, terminal
from bench.world import WORKLOAD, world


def first_frame(command: list[str], marker: bytes, env: dict[str, str] | None = None) -> float:
    with terminal(command, env=env) as screen:
        return screen.read_until(marker)


def rows() -> list[Row]:
    with world() as found:
        ours = median_of(5, lambda: first_frame(found.lazarus, WORKLOAD.encode(), found.env))
        floor = median_of(5, lambda: first_frame(python("bench.minimal"), b"ready-marker"))
        kubectl = shutil.which("kubectl")
        peer = None
        if kubectl:
            list_backups = [kubectl, "get", "backups", "-n", "velero"]
            peer = median_of(3, lambda: command_seconds(list_backups, found.env))
    name = "console on a warm engine, first frame with rows, 10 000 backups"
    return [
        at_most(name, ours * 1000, floor * 1000, 2, "ms", "minimal Textual app"),
        at_most(f"{name} (against kubectl)", ours * 1000, peer and peer * 1000, 1 / 3, "ms", "kubectl get backups"),
    ]
