"""``make soak``: ``N`` proofs in a row (100) and ten at once, on a sandbox of its own; ``QUICK=1``: few, in here.

The last line is one JSON object of counts. Exit 1 when a proof is not PASSED, when anything stays behind, or when
memory, descriptors, threads or tasks grow.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

AT_ONCE = 10


def main() -> int:
    quick, began = bool(os.environ.get("QUICK")), time.monotonic()
    rows = int(os.environ.get("N") or (5 if quick else 100))
    if quick:
        from tests.prove.soak import inside

        found = asyncio.run(inside.soak(rows, 3))
    else:
        from tests.prove.soak import outside

        found = outside.soak(rows, AT_ONCE)
    for line in found["breaches"]:
        sys.stderr.write(f"{line}\n")
    counts = {**found, "breaches": len(found["breaches"]), "seconds": round(time.monotonic() - began, 1)}
    sys.stdout.write(json.dumps({**counts, "quick": quick}) + "\n")
    return int(bool(found["breaches"]))


if __name__ == "__main__":
    sys.exit(main())
