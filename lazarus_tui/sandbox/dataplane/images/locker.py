"""An application whose lock counts and outlives whoever raised it, as MongoDB's fsyncLock: it writes a row to its claim
every few milliseconds, and none while the count is above 0.

``locker lock`` adds one, ``locker unlock`` takes all away and may be run twice, ``locker count`` shows it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator

_REST = 0.01


@contextlib.contextmanager
def _alone() -> Iterator[str]:
    """Nobody else looks at the count or writes a row; the path of the file with the count."""
    path = os.path.join(os.environ["POD_ROOT"], "lock-count")
    with open(path, "a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


def _count(path: str) -> int:
    with open(path, encoding="ascii") as file:
        return int(file.read() or 0)


def locker(args: list[str]) -> int:
    """The command; its exit code. What it prints is the count after it."""
    if args not in (["lock"], ["unlock"], ["count"]):
        sys.stderr.write("locker: lock | unlock | count\n")
        return 64
    with _alone() as path:
        count = {"lock": _count(path) + 1, "unlock": 0, "count": _count(path)}[args[0]]
        with open(path, "w", encoding="ascii") as file:
            file.write(str(count))
    sys.stdout.write(f"{count}\n")
    return 0


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    rows = os.path.join(os.environ.get("DATA_DIR") or os.environ["POD_ROOT"], "rows")
    number = 0
    while True:
        with _alone() as path:
            if _count(path) == 0:
                number += 1
                with open(rows, "a", encoding="ascii") as file:
                    file.write(f"{number}\n")
        time.sleep(_REST)


if __name__ == "__main__":
    main()
