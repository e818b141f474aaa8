"""The engine's heartbeat while a console's terminal does not read for 20 s and 1 000 events a second go on."""

from __future__ import annotations

from bench.fed import feeder
from bench.rows import Row, below
from bench.terminal import python, terminal
from lazarus_tui.link.client import SyncClient

FROZEN = 20.0


def rows() -> list[Row]:
    import time

    with feeder(events_per_second=1000, backups=2000) as path, terminal(python("bench.console", str(path))) as screen:
        screen.read_until(b"orders")
        client = SyncClient.connect(path)
        client.call("stats", {"reset": True}, dict)
        time.sleep(FROZEN)
        lag = float(client.call("stats", {}, dict)["loop_lag_max"])
        client.close()
    return [below("engine heartbeat jitter, terminal frozen for 20 s", lag * 1000, 200, "ms")]
