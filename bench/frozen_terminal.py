"""The engine's heartbeat while a console's terminal does not read for 20 s and 1 000 events a second go on."""

from __future__ import annotations

import time

from bench.fed import feeder
from bench.rows import Row, below
from bench.terminal import Terminal, python, terminal
from lazarus_tui.link.client import SyncClient

FROZEN = 20.0
PAGE_DOWN, PAGE_UP = "\x1b[6~", "\x1b[5~"


def stall(screen: Terminal) -> None:
    """Make the console write pages that nobody reads, for ``FROZEN`` seconds."""
    end = time.monotonic() + FROZEN
    while time.monotonic() < end:
        screen.key(PAGE_DOWN * 3 + PAGE_UP * 2)
        time.sleep(0.05)


def rows() -> list[Row]:
    with feeder(events_per_second=1000, backups=2000) as path, terminal(python("bench.console", str(path))) as screen:
        screen.read_until(b"orders")
        screen.key("2")
        screen.read_until(b"daily-2025")
        client = SyncClient.connect(path)
        client.call("stats", {"reset": True}, dict)
        stall(screen)
        lag = float(client.call("stats", {}, dict)["loop_lag_max"])
        client.close()
        if screen.writable():
            raise RuntimeError("the terminal was not frozen: it still took what the console wrote")
    return [below("engine heartbeat jitter, terminal frozen for 20 s", lag * 1000, 200, "ms")]
