"""Bytes to an 80×24 terminal: nothing while nothing changes, little while a restore runs."""

from __future__ import annotations

import time

from bench.fed import feeder
from bench.rows import Row, below
from bench.terminal import python, terminal

SECONDS = 20.0


def counted(events_per_second: int, *, keys: tuple[str, ...], marker: bytes) -> float:
    """Bytes a second on a settled screen, over a span without a minute tick."""
    with (
        feeder(events_per_second=events_per_second, backups=200) as path,
        terminal(python("bench.console", str(path)), env={"SSH_CONNECTION": "bench"}) as screen,
    ):
        screen.read_until(b"orders")
        for key in keys:
            screen.key(key)
        screen.read_until(marker)
        screen.read_for(3.0)
        if time.time() % 60 > 60 - SECONDS - 2:
            screen.read_for(60 - time.time() % 60 + 2)
        screen.count = 0
        screen.read_for(SECONDS)
        return screen.count / SECONDS


def rows() -> list[Row]:
    idle = counted(0, keys=(), marker=b"daily-1")
    running = counted(1000, keys=("5", "\r"), marker=b"Wait for the volumes")
    return [
        below("idle console at 80x24 between minute ticks", idle, 0, "bytes/s"),
        below("one running restore at 80x24", running, 2048, "bytes/s"),
    ]
