"""``make test-crash``: the whole sweep on every core; the last line is one JSON object of counts.

``points`` are awaits, ``cuts`` those and the ends of commits during them, ``states`` what they left, each different one
once, ``cases`` what actors made of those (``tests.crash.sweep``). ``QUICK=1`` takes every 40th. Exit 1 on any breach,
on a planted bug that nobody saw, or on fewer points than the target.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.crash.counts import Counts
from tests.crash.jobs import PLANTED, jobs, work
from tests.crash.planted import BUGS

# Await points of all operations together, below which the harness has lost its grip (reliability §4.5).
LEAST_POINTS = 1000
QUICK_STRIDE = 40


def main() -> int:
    quick = bool(os.environ.get("QUICK"))
    began, counts, caught = time.monotonic(), Counts(), set[str]()
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        for future in as_completed([pool.submit(work, job) for job in jobs(QUICK_STRIDE if quick else 1)]):
            (part, name, _), told = future.result()
            if part != PLANTED:
                counts.add(part, told)
            elif told["seen"]:
                caught.add(name)
    missed = sorted({bug.name for bug in BUGS} - caught)
    for name in missed:
        print(f"the planted bug {name!r} was not seen", file=sys.stderr)
    found = counts.found() | {"planted": len(BUGS), "caught": len(caught)}
    print(json.dumps(found | {"seconds": round(time.monotonic() - began, 1), "quick": quick}))
    return int(found["breaches"] > 0 or bool(missed) or found["points"] < LEAST_POINTS)


if __name__ == "__main__":
    sys.exit(main())
