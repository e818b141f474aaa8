"""A command that only asks the engine, against kubectl printing its version."""

from __future__ import annotations

import shutil

from bench.rows import Row, at_most, command_seconds, median_of
from bench.world import world


def rows() -> list[Row]:
    with world(count=200) as found:
        command = [*found.lazarus, "backup", "list", "-o", "name"]
        ours = median_of(9, lambda: command_seconds(command, found.env))
        kubectl = shutil.which("kubectl")
        peer = median_of(9, lambda: command_seconds([kubectl, "version", "--client"], found.env)) if kubectl else None
    return [
        at_most("lazarus backup list -o name", ours * 1000, peer and peer * 1000, 2, "ms", "kubectl version --client")
    ]
