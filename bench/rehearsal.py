"""A rehearsal on a fresh sandbox: wall time, and the part of it that is the engine's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

from bench.rows import Row, below


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="lzb") as folder:
        env = {**os.environ, "LAZARUS_STATE": folder, "XDG_RUNTIME_DIR": ""}
        lazarus = [sys.executable, "-m", "lazarus_tui.cli"]
        try:
            subprocess.run([*lazarus, "sandbox", "up"], check=True, env=env, capture_output=True)
            started = time.perf_counter()
            done = subprocess.run(
                [*lazarus, "rehearse", "-o", "json"], check=True, env=env, capture_output=True, text=True
            )
            wall = time.perf_counter() - started
        finally:
            subprocess.run(
                [*lazarus, "--sandbox", "engine", "stop", "--park"], env=env, capture_output=True, check=False
            )
            subprocess.run([*lazarus, "sandbox", "down"], env=env, capture_output=True, check=False)
    own = float(json.loads(done.stdout)["engine_seconds"])
    return [
        below("rehearsal, wall time", wall, 60, "s"),
        below("rehearsal, the engine's own share", 100 * own / wall, 10, "%"),
    ]
