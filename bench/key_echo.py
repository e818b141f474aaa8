"""Key echo of the console while 1 000 progress events a second arrive, against an idle minimal app.

An echo is the time from a key's byte to the first byte that the terminal gets after it; the storm's own output is
waited out first (updates come in bursts with pauses between), and the key moves a cursor, so there is always an answer.
"""

from __future__ import annotations

import select
import time

from bench.fed import feeder
from bench.rows import Row, at_most
from bench.terminal import Terminal, python, terminal

PRESSES = 60


def echoes(screen: Terminal, keys: str) -> list[float]:
    """Seconds from each key to the next byte."""
    found = []
    for n in range(PRESSES):
        calm(screen)
        started = time.perf_counter()
        screen.key(keys[n % len(keys)])
        if not select.select([screen.master], [], [], 5.0)[0]:
            raise TimeoutError("a key was not echoed within 5 s")
        found.append(time.perf_counter() - started)
    return sorted(found)


def calm(screen: Terminal) -> None:
    """Read until 30 ms pass without a byte."""
    screen.quiet(0.03, limit=2.0)


def p95(values: list[float]) -> float:
    return values[int(len(values) * 0.95)] * 1000


def rows() -> list[Row]:
    with terminal(python("bench.minimal")) as screen:
        screen.read_until(b"ready-marker")
        screen.quiet()
        floor = p95(echoes(screen, "jk"))
    with feeder(events_per_second=1000, backups=200) as path, terminal(python("bench.console", str(path))) as screen:
        screen.read_until(b"orders")
        screen.key("2")
        screen.read_until(b"daily-2025")
        ours = p95(echoes(screen, "jk"))
    return [at_most("key echo, 1 000 progress events/s, p95", ours, floor, 3, "ms", "idle minimal app")]
