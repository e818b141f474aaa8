"""A feeder process for one measurement."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def feeder(*, events_per_second: int, backups: int) -> Iterator[Path]:
    """The socket of a feeder that publishes so many progress events a second over so many backups."""
    with tempfile.TemporaryDirectory(prefix="lzb") as folder:
        path = Path(folder) / "s"
        command = [sys.executable, "-m", "bench.feeder", str(path), str(events_per_second), str(backups)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                if process.stdout.readline().strip() != "ready":
                    raise RuntimeError("the feeder did not start")
                yield path
            finally:
                process.kill()
