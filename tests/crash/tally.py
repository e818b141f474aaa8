"""All cases of an ordeal over a pool of processes, and one line of counts."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.crash.ordeal import Told

QUICK_STRIDE = 10


@dataclass
class Case:
    """``size``: how many places the operation has at which it could have been met."""

    name: str
    told: Told
    size: int = 0


def tallied(name: str, work: Callable[[Any], Case], everything: Callable[[int], Sequence[Any]]) -> int:
    """Run it all, print each breach, and the counts as JSON; the exit code."""
    quick, began = bool(os.environ.get("QUICK")), time.monotonic()
    tasks = everything(QUICK_STRIDE if quick else 1)
    found = {"cases": 0, "met": 0, "parked": 0, "refused": 0, "breaches": 0}
    ends = dict[str, int]()

    with multiprocessing.get_context("forkserver").Pool(os.cpu_count() or 2) as pool:
        for case in pool.imap_unordered(work, tasks, chunksize=4):
            told = case.told
            found["cases"] += 1
            found["met"] += told.hits > 0
            found["parked"] += told.parked > 0
            found["refused"] += told.refused > 0
            found["breaches"] += len(told.breaches)
            ends[told.state] = ends.get(told.state, 0) + 1
            for line in told.breaches:
                sys.stderr.write(f"{case.name}: {line}\n")
    more = {"ends": ends, "seconds": round(time.monotonic() - began, 1), "quick": quick}
    sys.stdout.write(json.dumps({"ordeal": name, **found, **more}) + "\n")
    return int(found["breaches"] > 0 or found["met"] == 0)
