"""Schedules that are stored: the engine stays for them, and the next one knows them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from lazarus_tui.link.client import LinkFault
from lazarus_tui.model.proof_policies import Standing, Subject
from lazarus_tui.model.verdict import Verdict
from tests.engine.scene import SANDBOX, Scene

POLICY = """
apiVersion: lazarus.io/v1alpha1
kind: SnapshotPolicy
name: nightly
workload: shop/orders
schedule: "0 2 * * *"
"""
PROOFS = """
apiVersion: lazarus.io/v1alpha1
kind: ProofPolicy
name: shop
workloads: [{namespace: shop}]
points: [on-completion]
"""


async def connected(scene: Scene) -> None:
    """Until the engine stays for what is stored, and has connected its context by itself."""
    async with asyncio.timeout(60):
        while True:
            found = await scene.call("stats")
            if found["stays_for_schedules"] and found["contexts"][SANDBOX] != "connecting":
                return
            await asyncio.sleep(0.01)


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
        await connected(again)
        await again.call("policy.delete", context=SANDBOX, name="nightly")
        assert await again.call("policy.list", context=SANDBOX) == []


async def test_a_policy_stands_behind_its_workloads_only_in_the_cluster_that_is_there_now(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.use()
    await scene.call("proof-policy.enable", context=SANDBOX, name="shop")
    table, key = scene.house.timetable, (SANDBOX, "shop", "shop")
    assert table.green() == {key: False}, "never proven"
    good = Standing(subject=Subject("shop"), verdict=Verdict.PASSED, green=True)
    row = table.proofs.row
    monkeypatch.setattr(table.proofs, "row", lambda one: msgspec.structs.replace(row(one), standings=(good,)))
    connection = scene.house.contexts.in_use[SANDBOX]
    async with asyncio.timeout(60):
        while connection.row.state != "ready":
            await asyncio.sleep(0.01)
    assert table.green() == {key: True}
    table._book.get(SANDBOX, "shop").cluster_uid = "another"
    assert table.green() == {key: False}


async def test_a_policy_that_comes_along_is_enabled_by_its_name_and_keeps_its_engine_up(
    scene: Scene, tmp_path: Path
) -> None:
    await scene.use()
    assert await scene.call("proof-policy.list", context=SANDBOX) == []
    with pytest.raises(LinkFault, match="no policy 'shpo' comes with Lazarus"):
        await scene.call("proof-policy.enable", context=SANDBOX, name="shpo")
    row = await scene.call("proof-policy.enable", context=SANDBOX, name="shop")
    assert (row["enabled"], row["policy"]["writes"]) == (True, "schedules")
    assert [one["subject"]["namespace"] for one in row["standings"]] == ["shop"]
    assert (await scene.call("stats"))["stays_for_schedules"] == [f"{SANDBOX}: proofs of shop"]
    assert scene.house.timetable.owed().keys() == {(SANDBOX, "shop")}
    text = PROOFS.replace("points", "notify: [pager]\npoints")
    with pytest.raises(LinkFault, match="there is no sink 'pager'"):
        await scene.call("proof-policy.apply", context=SANDBOX, text=text)
    await scene.__aexit__()
    async with Scene(tmp_path, scene.cluster, sandbox=True) as again:
        await connected(again)
        row = await again.call("proof-policy.enable", context=SANDBOX, name="shop", enabled=False)
        assert (row["enabled"], (await again.call("stats"))["stays_for_schedules"]) == (False, [])
        assert (await again.call("proof.queue", context=SANDBOX))["entries"] == []
        await again.call("proof-policy.delete", context=SANDBOX, name="shop")
        assert await again.call("proof-policy.list", context=SANDBOX) == []
