"""Schedules that are stored: the engine stays for them, and the next one knows them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lazarus_tui.link.client import LinkFault
from tests.engine.scene import SANDBOX, Scene

POLICY = """
apiVersion: lazarus.io/v1alpha1
kind: SnapshotPolicy
name: nightly
workload: shop/orders
schedule: "0 2 * * *"
"""


async def test_a_stored_schedule_keeps_its_engine_up_and_survives_it(scene: Scene, tmp_path: Path) -> None:
    await scene.use()
    with pytest.raises(LinkFault, match="no StatefulSet shop/nothing"):
        await scene.call("policy.apply", context=SANDBOX, text=POLICY.replace("orders", "nothing"))
    await scene.call("policy.apply", context=SANDBOX, text=POLICY)
    assert (await scene.call("stats"))["stays_for_schedules"] == []  # it may not write
    row = await scene.call("policy.apply", context=SANDBOX, text=POLICY, writes="schedules")
    assert row["next"].endswith("T02:00:00Z")
    assert (await scene.call("stats"))["stays_for_schedules"] == [f"{SANDBOX}: shop/nightly"]
    await scene.__aexit__()
    async with Scene(tmp_path, scene.cluster, sandbox=True) as again:
        async with asyncio.timeout(10):
            while not (await again.call("stats"))["stays_for_schedules"]:  # connected by itself
                await asyncio.sleep(0.01)
        await again.call("policy.delete", context=SANDBOX, name="nightly")
        assert await again.call("policy.list", context=SANDBOX) == []
