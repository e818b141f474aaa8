"""A feeder process for one measurement."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.servers import served


@contextmanager
def feeder(*, events_per_second: int, backups: int) -> Iterator[Path]:
    """The socket of a feeder that publishes so many progress events a second over so many backups."""
    with tempfile.TemporaryDirectory(prefix="lzb") as folder:
        path = Path(folder) / "s"
        with served("bench.feeder", str(path), str(events_per_second), str(backups)):
            yield path
