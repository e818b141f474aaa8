"""From the start of the process to the first answer: the sandbox, and etcd with kube-apiserver.

The sandbox is started over what it has kept, which is what happens every day. Its very first start also makes a shop
and a year of backups before it answers; a real server has nothing to compare with that, so it has a row without a
target.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.rows import Row, at_most
from bench.server_client import Address, Connection
from bench.server_targets import address_of, seconds_to_first_answer_of_the_real_one

RUNS = 3
PATIENCE, LOOK = 60.0, 0.01


def rows() -> list[Row]:
    """At most a third of the real server's time; medians of three starts, taken in turn."""
    kept, real = [], []
    with tempfile.TemporaryDirectory(prefix="lzb") as folder:
        first = first_answer(Path(folder))
        for _ in range(RUNS):
            kept.append(first_answer(Path(folder)))
            if (seconds := seconds_to_first_answer_of_the_real_one()) is not None:
                real.append(seconds)
    floor = statistics.median(real) if real else None
    value = statistics.median(kept)
    return [
        at_most("API server, start to first answer", value, floor, 1 / 3, "s", "the real one"),
        Row("API server, first start of all, with a shop and its past", round(first, 3), "s", None, "", None),
    ]


def first_answer(root: Path) -> float:
    """Seconds from the start of the process to a list of namespaces."""
    started = time.perf_counter()
    with process(root):
        told(root, time.time())
        asyncio.run(ask(address_of((root / "kubeconfig").read_text())))
        return time.perf_counter() - started


@contextmanager
def process(root: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "lazarus_tui.sandbox.process", "serve", "--root", str(root)]
    with (root / "bench.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as child:
        try:
            yield
        finally:
            child.terminate()


def told(root: Path, since: float) -> None:
    """Returns when the process has told where it listens."""
    ends = since + PATIENCE
    while _written(root / "serve.json") < since:
        if time.time() > ends:
            raise RuntimeError("the sandbox did not start")
        time.sleep(LOOK)


async def ask(address: Address) -> None:
    connection = await Connection.open(address)
    status, _ = await connection.ask("GET", "/api/v1/namespaces")
    await connection.close()
    if status != 200:
        raise RuntimeError(f"the first answer was {status}")


def _written(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0
