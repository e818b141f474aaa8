"""A rehearsal on a fresh sandbox: wall time, and the part of it that is the engine's own."""

from __future__ import annotations

import json
import subprocess
import time

from bench.rows import Row, below
from bench.servers import LAZARUS, sandbox


def rows() -> list[Row]:
    with sandbox() as env:
        started = time.perf_counter()
        done = subprocess.run([*LAZARUS, "rehearse", "-o", "json"], check=True, env=env, capture_output=True, text=True)
        wall = time.perf_counter() - started
    own = float(json.loads(done.stdout)["engine_seconds"])
    return [
        below("rehearsal, wall time", wall, 60, "s"),
        below("rehearsal, the engine's own share", 100 * own / wall, 10, "%"),
    ]
