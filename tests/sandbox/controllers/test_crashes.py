"""The sandbox dies after any reconcile and comes back: nothing is made twice, nothing is lost."""

from __future__ import annotations

import pytest

from lazarus_tui.model.resources import CLAIMS, NAMESPACES, PODS, STATEFULSETS, VOLUMES


async def crash_after(rig, changes):
    """All controllers end once ``changes`` commits were made, and new ones start; False when it was over before."""
    seen = 0

    def count(*_):
        nonlocal seen
        seen += 1
        if seen == changes:
            for task in rig.loop._tasks:
                task.cancel()

    unsubscribe = rig.api.subscribe(count)
    for _ in range(500):
        if seen >= changes or all(one.idle for one in rig.loop.controllers):
            break
        await rig.clock.advance(0)
    unsubscribe()
    crashed = seen >= changes
    await rig.loop.stop()
    rig.build()
    await rig.loop.start()
    await rig.settle()
    return crashed


@pytest.mark.parametrize("changes", range(1, 40, 3))
async def test_a_stateful_set_comes_up_once(rig, changes):
    rig.statefulset(replicas=2)
    await crash_after(rig, changes)
    await rig.advance(60)
    assert rig.names(PODS) == ["orders-0", "orders-1"]
    assert rig.names(CLAIMS) == ["data-orders-0", "data-orders-1"]
    assert len(rig.names(VOLUMES, None)) == 2
    assert sorted(rig.volumes.handles()) == sorted(rig.names(VOLUMES, None))
    assert rig.get(STATEFULSETS, "orders")["status"]["readyReplicas"] == 2


@pytest.mark.parametrize("changes", range(1, 30, 3))
async def test_a_namespace_goes_whole_and_with_its_data(rig, changes):
    rig.statefulset(replicas=2)
    await rig.settle()
    rig.api.delete(NAMESPACES, "shop")
    await crash_after(rig, changes)
    await rig.advance(60)
    assert rig.api.get(NAMESPACES, "shop") is None
    assert rig.names(VOLUMES, None) == []
    assert list(rig.volumes.handles()) == []


@pytest.mark.parametrize("changes", range(1, 20, 3))
async def test_scaling_down_with_retained_claims_loses_no_byte(rig, changes):
    rig.statefulset(replicas=2)
    await rig.settle()
    (rig.directory("data-orders-1") / "orders.db").write_text("precious")
    rig.scale("orders", 0)
    await crash_after(rig, changes)
    rig.scale("orders", 2)
    await rig.advance(60)
    assert (rig.directory("data-orders-1") / "orders.db").read_text() == "precious"
    assert rig.get(STATEFULSETS, "orders")["status"]["readyReplicas"] == 2


async def test_the_crashes_above_do_hit(rig):
    rig.statefulset(replicas=2)
    assert await crash_after(rig, 37)
