"""``make bench``: run every measurement, print the rows, write ``bench/results.json``.

Exit 1 only when one of ours could not be measured; a missing peer gives ``met: null``. ``python -m bench NAME …`` runs
only the named scripts.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path

from bench.rows import Row

# The sandbox's API server beside a real one, and its promise to keep what it acknowledged.
SERVER = ("server_start", "server_rates", "server_memory", "server_kills")
SCRIPTS = (
    "decode",
    "command",
    "console_start",
    "key_echo",
    "terminal_bytes",
    "frozen_terminal",
    "rehearsal",
    "resume",
    "proof",
    *SERVER,
)


def main(names: list[str]) -> int:
    rows: list[Row] = []
    broken: list[str] = []
    for name in names or list(SCRIPTS):
        print(f"# {name}", flush=True)
        try:
            found = importlib.import_module(f"bench.{name}").rows()
        except Exception:
            traceback.print_exc()
            broken.append(name)
            continue
        for row in found:
            print(json.dumps(row.as_dict()), flush=True)
        rows += found
    Path(__file__).with_name("results.json").write_text(json.dumps([row.as_dict() for row in rows], indent=2) + "\n")
    for name in broken:
        print(f"not measured: {name}", file=sys.stderr)
    return 1 if broken or any(row.value is None for row in rows) else 0


sys.exit(main(sys.argv[1:]))
