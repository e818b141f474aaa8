"""Every liar, every hostile application and every planted bug on every core: ``python -m tests.prove.liars [NAME …]``.

The last line is one JSON object of counts. Exit 1 when a liar is PASSED, is turned down for another reason than its
own or leaves something behind; when an honest one is not PASSED; when a hostile application changed anything outside
of its quarantine; when a planted bug was not seen; or when there are fewer of them than promised.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from multiprocessing.pool import Pool
from typing import Any

from tests.prove.hostile import APPLICATIONS
from tests.prove.liars import hostile, planted, table
from tests.prove.liars.hostile import LEAST_APPLICATIONS
from tests.prove.liars.liar import PASSED, wrong
from tests.prove.liars.planted import BUGS, LEAST_BUGS
from tests.prove.liars.table import LEAST, LIARS

Counts = dict[str, Any]


def _told(line: str) -> int:
    sys.stderr.write(f"{line}\n")
    return 1


def _liars(pool: Pool, names: list[str]) -> Counts:
    chosen = [n for n, liar in enumerate(LIARS) if not names or any(name in liar.name for name in names)]
    ends, honest, breaches = Counter[str](), 0, 0
    for number, found in zip(chosen, pool.imap(table.of, chosen), strict=True):
        ends[found.lying[0]] += 1
        honest += found.honest[0] == PASSED
        breaches += sum(_told(f"{found.name}: {line}") for line in wrong(LIARS[number], found))
    if not names and len(chosen) < LEAST:
        breaches += _told(f"only {len(chosen)} liars")
    return {"liars": len(chosen), "false_passed": ends[PASSED], "honest_passed": honest, "ends": dict(ends),
            "breaches": breaches}  # fmt: skip


def _hostile(pool: Pool) -> Counts:
    ends, changed, objects = Counter[str](), 0, 0
    for found in pool.imap_unordered(hostile.of, range(len(APPLICATIONS))):
        ends[found.end.partition(":")[0]] += 1
        objects += found.objects
        lines = [*found.changed, *(f"deleted without a uid: {one}" for one in found.bare)]
        changed += sum(_told(f"{found.name}: {line}") for line in lines)
    proven = sum(count for end, count in ends.items() if end != "refused")
    if proven < LEAST_APPLICATIONS:
        changed += _told(f"only {proven} hostile applications were proven")
    return {"applications": len(APPLICATIONS), "proven": proven, "ends": dict(ends), "objects_outside": objects,
            "changed": changed}  # fmt: skip


def _planted(pool: Pool) -> Counts:
    caught = [bool(lines) for lines in pool.imap(planted.of, range(len(BUGS)))]
    for bug, one in zip(BUGS, caught, strict=True):
        if not one:
            _told(f"the planted bug {bug.name!r} was not seen")
    return {"bugs": len(BUGS), "caught": sum(caught)}


def main(names: list[str]) -> int:
    began, counts = time.monotonic(), dict[str, Any]()
    with multiprocessing.get_context("forkserver").Pool(os.cpu_count() or 2) as pool:
        counts |= _liars(pool, names)
        if not names:
            counts |= {"hostile": _hostile(pool), "planted": _planted(pool)}
    sys.stdout.write(json.dumps(counts | {"seconds": round(time.monotonic() - began, 1)}) + "\n")
    if names:
        return int(counts["breaches"] > 0)
    unseen = counts["planted"]["bugs"] - counts["planted"]["caught"]
    few = counts["planted"]["bugs"] < LEAST_BUGS
    return int(counts["breaches"] > 0 or counts["hostile"]["changed"] > 0 or unseen > 0 or few)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
