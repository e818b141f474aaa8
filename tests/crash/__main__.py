"""``make test-crash``: every await of every operation is cut, once for each actor; the last line is one JSON object.

``QUICK=1`` cuts at every 40th. Exit 1 on any breach, or on fewer points than the target.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from multiprocessing.pool import Pool

from tests.crash.lives import ACTORS, NEVER, SCENES, run_case
from tests.crash.overtaken import CLOCKS, NOTHING, WAYS, points_of, work_late
from tests.crash.planted import BUGS, run_planted
from tests.crash.sweep import tasks, work

# Await points of all operations together, below which the harness has lost its grip (reliability §4.5).
LEAST_POINTS = 1000
QUICK_STRIDE = 40
# The scene with two live engines, and how many of its moments are left out.
OVERTAKEN, OVERTAKEN_STRIDE = "one replica", 3


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
        late = two_engines(pool, QUICK_STRIDE if quick else OVERTAKEN_STRIDE)
        caught = [name for name, what in pool.imap_unordered(run_planted, [bug.name for bug in BUGS]) if what]
    for name in sorted({bug.name for bug in BUGS} - set(caught)):
        print(f"the planted bug {name!r} was not seen", file=sys.stderr)
    found = {
        "points": sum(points.values()), "by_operation": points, "cases": len(every), "cut": cuts, "ends": ends,
        "breaches": breaches, **late, "planted": len(BUGS), "caught": len(caught),
        "seconds": round(time.monotonic() - began, 1), "quick": quick,
    }  # fmt: skip
    print(json.dumps(found))
    missed = len(caught) < len(BUGS) or late["overtaken_breaches"] > 0
    return int(breaches > 0 or missed or sum(points.values()) < LEAST_POINTS)


def two_engines(pool: Pool, stride: int) -> dict[str, int]:
    """Counts of the scene with two live engines; every breach is printed."""
    moments = range(1, points_of(OVERTAKEN) + 1, stride)
    every = [(OVERTAKEN, k, way, clock) for k in moments for way in WAYS for clock in CLOCKS]
    taken, broken, stale = 0, 0, 0
    for task, breaches, state in pool.imap_unordered(work_late, every, chunksize=8):
        taken += state != NOTHING
        broken += len(breaches)
        stale += sum(line.startswith("I5") for line in breaches)
        for line in breaches:
            print(f"{task[0]}, overtaken at {task[1]}, {task[2]}, clock {task[3]}: {line}", file=sys.stderr)
    return {"overtaken": taken, "overtaken_breaches": broken, "stale_fence_writes": stale}


if __name__ == "__main__":
    sys.exit(main())
