"""Snapshots of a volume that a real process writes to."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time

from lazarus_tui.sandbox.dataplane.ledger import is_stopped
from lazarus_tui.sandbox.snapshots.driver import DirectoryDriver


async def test_every_cut_under_load_is_sound_and_holds_all_that_was_acknowledged(node, tmp_path):
    await node.orders()
    # How long pods may stand still is no matter here: on a machine that stops for seconds they do so for longer.
    driver = DirectoryDriver(node.api, node.clock, node.volumes, freezer=node.kubelet, freeze_most=60.0)
    handle = node.data().name
    placed, stop = [], asyncio.Event()

    async def customers():
        while not stop.is_set():
            with contextlib.suppress(OSError):  # what was not acknowledged is asked for again
                placed.append((await node.ask("POST", "/orders"))[1]["id"])

    load = [asyncio.create_task(customers()) for _ in range(2)]
    found = []
    for number in range(4):
        seen = len(placed)
        await node.until(lambda seen=seen: len(placed) > seen + 5)
        acknowledged = max(placed)
        began = time.monotonic()
        stored = await driver.cut(f"snapshot-{number}", handle, {})
        assert 0 <= stored.frozen_milliseconds <= (time.monotonic() - began) * 1000
        await driver.restore(stored.handle, f"pvc-{number}")
        with sqlite3.connect(node.volumes.of_handle(f"pvc-{number}") / "orders.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            found.append(database.execute("SELECT COUNT(*), MAX(id) FROM orders").fetchone())
        database.close()
        assert found[-1][1] >= acknowledged
    torn = await driver.cut("snapshot-torn", handle, {"freeze": "false"})
    assert torn.frozen_milliseconds == -1
    stop.set()
    await asyncio.gather(*load)
    assert [count for count, _ in found] == [last for _, last in found], "no order is missing in between"
    assert sorted(set(found)) == found


async def test_what_runs_by_exec_stands_still_too_and_what_is_asked_for_meanwhile_waits(node):
    await node.orders()
    session = await node.kubelet.exec("shop", "orders-0", "", ["cat"], stdin=True, tty=False)
    output = session.output()
    await session.write_stdin(b"one\n")
    assert await anext(output) == (1, b"one\n")
    async with node.kubelet.frozen([("shop", "data-orders-0")]):
        assert is_stopped(session.pid)
        later = asyncio.create_task(node.run("orders-0", "echo", "later"))
        await session.write_stdin(b"two\n")
        await asyncio.sleep(0)
        assert not later.done()
    assert await anext(output) == (1, b"two\n")
    assert (await later)[:2] == (0, b"later\n")
    await session.close_stdin()
    assert await session.wait() == 0
    await output.aclose()
