"""``make test-crash``: every await of every operation is cut, once for each actor; the last line is one JSON object.

``QUICK=1`` cuts at every 40th. Exit 1 on any breach, or on fewer points than the target.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time

from tests.crash.lives import ACTORS, NEVER, SCENES, run_case
from tests.crash.sweep import tasks, work

# Await points of all operations together, below which the harness has lost its grip (reliability §4.5).
LEAST_POINTS = 1000
QUICK_STRIDE = 40


def main() -> int:
    quick = bool(os.environ.get("QUICK"))
    began = time.monotonic()
    points = {name: run_case(name, NEVER, ACTORS[0]).points for name in SCENES}
    every = list(tasks(points, QUICK_STRIDE if quick else 1))
    cuts, breaches, ends = 0, 0, dict[str, int]()
    context = multiprocessing.get_context("forkserver")
    with context.Pool(os.cpu_count() or 2) as pool:
        for task, cut, broken, state in pool.imap_unordered(work, every, chunksize=8):
            cuts += cut
            ends[state] = ends.get(state, 0) + 1
            breaches += len(broken)
            for line in broken:
                print(f"{task[0]}, cut at {task[1]}, {task[2]}: {line}", file=sys.stderr)
    found = {
        "points": sum(points.values()), "by_operation": points, "cases": len(every), "cut": cuts, "ends": ends,
        "breaches": breaches, "seconds": round(time.monotonic() - began, 1), "quick": quick,
    }  # fmt: skip
    print(json.dumps(found))
    return int(breaches > 0 or sum(points.values()) < LEAST_POINTS)


if __name__ == "__main__":
    sys.exit(main())
