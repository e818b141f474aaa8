"""Recipes on real servers under load: locked for the cut, free after it, and free at once when the engine dies."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from .engines import MARIADB, POSTGRESQL, REDIS, Engine
from .house import SPACE, House, Writer

pytestmark = pytest.mark.timeout(400)
# How many statements wait for a lock, as MariaDB tells it.
WAITING = "select count(*) from information_schema.processlist where state like 'Waiting for%lock%'"
CLIENTS = {
    "mariadb": ("--recipe", "mariadb", "--pre", "mariadb -n -N -B --skip-reconnect"),
    "mysql": ("--recipe", "mysql", "--pre", "mariadb -n -N -B --skip-reconnect"),
    "redis": ("--recipe", "redis", "--pre", "redis-cli"),
    "postgresql": ("--pre", "psql -qAt -c 'select pg_current_wal_lsn()'"),
}


@pytest.mark.parametrize(
    ("engine", "recipe", "word"),
    [(MARIADB, "mariadb", "application"), (MARIADB, "mysql", "application"), (REDIS, "redis", "crash"),
     (POSTGRESQL, "postgresql", "crash")],
)  # fmt: skip
async def test_a_set_is_taken_with_hooks_while_rows_are_written(
    house: House, engine: Engine, recipe: str, word: str
) -> None:
    pod, where, name = f"{engine.workload}-0", f"{SPACE}/{engine.workload}", f"hooked-{recipe}"
    await house.ready(pod)
    writer = Writer(house, engine, pod, f"hooked_{recipe}")
    await writer.start()
    await writer.more(30)
    done = await house.lazarus("snapshot", "create", where, "--name", name, *CLIENTS[recipe], "--confirm", where)
    assert done["state"] == "done"
    assert done["facts"]["set.consistency"] == word
    assert done["facts"].get("held", {}) == {}
    assert done["facts"]["hooks.results"][pod]["pre"]["exit"] == 0
    await writer.more(30)
    await writer.stop()
    if word == "application":
        cut = await house.cut_of(f"{name}-data-{pod}")
        before = max(when for when in writer.acked.values() if when < cut)
        after = min(when for when in writer.acked.values() if when >= cut)
        house.count(f"{recipe}: no row for {1000 * (after - before):.0f} ms around the cut")


async def test_a_killed_engine_locks_nobody_out(house: House) -> None:
    pod, where, recipe = "maria-0", f"{SPACE}/maria", "mariadb"
    await house.ready(pod)
    writer = Writer(house, MARIADB, pod, "cut_off")
    await writer.start()
    await writer.more(10)
    flags = ("--name", "cut-off", *CLIENTS[recipe], "--confirm", where, "--no-wait")

    async def waits() -> bool:
        return await house.run(pod, MARIADB.ask(WAITING)) != "0"

    await house.lazarus("sandbox", "fault", "add", "snapshot-stuck", "--silent")
    try:
        started = await house.lazarus("snapshot", "create", where, *flags)
        await house.until(waits, "the tables are locked, and the writer waits")
        engine = await house.lazarus("engine", "status")
        os.kill(int(engine["pid"]), signal.SIGKILL)
        killed = time.time()
        await writer.more(1)
        again = time.time() - killed
        assert again < 20, "the session must free its lock, not the server's limit of 61 s"
        house.count(f"{recipe}: rows again {again:.2f} s after the engine was killed")
    finally:
        await house.lazarus("sandbox", "fault", "clear")

    async def ended() -> dict[str, Any] | None:
        found = await house.lazarus("operation", "show", started["id"])
        return None if found["state"] == "running" else found

    done = await house.until(ended, "it is recovered and ends")
    await writer.more(10)
    await writer.stop()
    assert (done["state"], done["recoveries"]) == ("done", 1)
    assert done["facts"].get("held", {}) == {}
