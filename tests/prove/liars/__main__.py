"""Every liar on every core: ``python -m tests.prove.liars [NAME …]``; the last line is one JSON object of counts.

Exit 1 when one of them is PASSED, is turned down for another reason than its own, or leaves something behind; when an
honest one is not PASSED; or when there are fewer liars than promised.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections import Counter

from tests.prove.liars.liar import PASSED, wrong
from tests.prove.liars.table import LIARS, of

LEAST = 40


def main(names: list[str]) -> int:
    began, ends, breaches = time.monotonic(), Counter[str](), 0
    chosen = [n for n, liar in enumerate(LIARS) if not names or any(name in liar.name for name in names)]
    honest = false = 0
    with multiprocessing.get_context("forkserver").Pool(os.cpu_count() or 2) as pool:
        for number, found in zip(chosen, pool.imap(of, chosen), strict=True):
            ends[found.lying[0]] += 1
            honest += found.honest[0] == PASSED
            false += found.lying[0] == PASSED
            for line in wrong(LIARS[number], found):
                breaches += 1
                sys.stderr.write(f"{found.name}: {line}\n")
    counts = {
        "liars": len(chosen), "false_passed": false, "honest_passed": honest, "ends": dict(ends), "breaches": breaches,
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    sys.stdout.write(json.dumps(counts) + "\n")
    return int(breaches > 0 or (not names and len(chosen) < LEAST))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
