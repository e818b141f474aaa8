"""The order book as a real process: what it says is on disk, and what a copy of a frozen volume is worth."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3

from lazarus_tui.model.resources import PODS, STATEFULSETS
from lazarus_tui.sandbox.dataplane.content import ContentStore
from lazarus_tui.sandbox.dataplane.ledger import start_mark


def pids(node):
    return [int(entry.name) for entry in (node.root / "pids").iterdir()]


async def test_orders_are_numbered_counted_and_dated(node):
    await node.orders()
    answers = [await node.ask("POST", "/orders") for _ in range(3)]
    assert [(status, order["id"]) for status, order in answers] == [(201, 1), (201, 2), (201, 3)]
    status, stats = await node.ask("GET", "/stats")
    assert status == 200
    assert (stats["orders"], stats["last_id"], stats["last_at"]) == (3, 3, answers[2][1]["at"])
    assert len(stats["checksum"]) == 64
    assert stats["last_at"].endswith("Z")
    assert await node.ask("GET", "/orders/ids") == (200, [1, 2, 3])
    assert await node.ask("GET", "/healthz") == (200, b"ok")
    assert (await node.ask("GET", "/nothing"))[0] == 404


async def test_killed_it_restarts_with_every_order_it_acknowledged(node):
    await node.orders()
    for _ in range(5):
        await node.ask("POST", "/orders")
    (pid,) = pids(node)
    os.kill(pid, signal.SIGKILL)
    await node.until(lambda: node.container("orders-0")["restartCount"] == 1 and node.ready("orders-0"))
    assert await node.ask("GET", "/orders/ids") == (200, [1, 2, 3, 4, 5])
    last = node.container("orders-0")["lastState"]["terminated"]
    assert (last["exitCode"], last["signal"]) == (137, 9)
    status, order = await node.ask("POST", "/orders")
    assert (status, order["id"]) == (201, 6)


async def test_a_deleted_pod_comes_back_with_its_data(node):
    await node.orders()
    await node.ask("POST", "/orders")
    uid = node.get(PODS, "orders-0")["metadata"]["uid"]
    node.api.delete(PODS, "orders-0", "shop")
    await node.until(lambda: node.ready("orders-0") and node.get(PODS, "orders-0")["metadata"]["uid"] != uid)
    assert (await node.ask("GET", "/stats"))[1]["orders"] == 1


async def test_a_frozen_copy_under_load_is_sound_and_the_shop_goes_on(node, tmp_path):
    await node.orders()
    placed, stop = [], asyncio.Event()

    async def customers():
        while not stop.is_set():
            with contextlib.suppress(OSError):  # what was not acknowledged is asked for again
                placed.append((await node.ask("POST", "/orders"))[1]["id"])

    load = [asyncio.create_task(customers()) for _ in range(2)]
    store = ContentStore(tmp_path / "store")
    counts = []
    for round_ in range(4):
        seen = len(placed)
        await node.until(lambda seen=seen: len(placed) > seen + len(load))
        async with node.kubelet.frozen([("shop", "data-orders-0")]) as pods:
            assert pods == [("shop", "orders-0")]
            before = len(placed)
            await asyncio.to_thread(store.save, f"g{round_}", node.data())
            assert len(placed) <= before + len(load)
        store.restore(f"g{round_}", tmp_path / f"copy{round_}")
        with sqlite3.connect(tmp_path / f"copy{round_}" / "orders.db") as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            ids = [row[0] for row in db.execute("SELECT id FROM orders ORDER BY id")]
        db.close()
        assert ids == list(range(1, len(ids) + 1))
        assert len(ids) >= before
        counts.append(len(ids))
    stop.set()
    await asyncio.gather(*load)
    assert counts == sorted(set(counts))
    assert node.container("orders-0")["restartCount"] == 0


async def test_two_freezes_at_once_thaw_with_the_last(node):
    await node.orders()
    claims = [("shop", "data-orders-0")]
    async with node.kubelet.frozen(claims):
        async with node.kubelet.frozen(claims):
            pass
        ask = asyncio.create_task(node.ask("GET", "/stats"))
        done, _ = await asyncio.wait({ask}, timeout=0.1)
        assert not done
    assert (await ask)[0] == 200


async def test_claims_nobody_mounts_freeze_nobody(node):
    await node.orders()
    async with node.kubelet.frozen([("shop", "other"), ("elsewhere", "data-orders-0")]) as pods:
        assert pods == []
        assert (await node.ask("GET", "/stats"))[0] == 200


async def test_scaled_to_zero_no_process_is_left(node):
    await node.orders()
    (pid,) = pids(node)
    node.api.patch(STATEFULSETS, "orders", {"spec": {"replicas": 0}}, "shop")
    await node.until(lambda: node.api.get(PODS, "orders-0", "shop") is None)
    assert start_mark(pid) == ""
    assert pids(node) == []


async def test_after_a_crash_of_the_sandbox_pods_are_started_again(node):
    await node.orders()
    await node.ask("POST", "/orders")
    await node.loop.stop()
    node.build()
    await node.loop.start()
    await node.until(lambda: node.container("orders-0")["restartCount"] == 1 and node.ready("orders-0"))
    assert (await node.ask("GET", "/stats"))[1]["orders"] == 1


async def test_with_one_loopback_address_ports_are_mapped(mapped_node):
    node = mapped_node
    await node.orders()
    assert node.get(PODS, "orders-0")["status"]["podIP"] == "127.0.0.1"
    assert (await node.ask("POST", "/orders"))[0] == 201
    reader, writer = await node.kubelet.connect("shop", "orders-0", 8080)
    writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert (await reader.read()).endswith(b"ok")
    writer.close()
    await writer.wait_closed()
