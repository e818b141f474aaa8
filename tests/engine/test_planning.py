"""Plans that know what a backup holds: read through the gate, and never where writing is not allowed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model.plan import Plan
from lazarus_tui.model.resources import BACKUPS
from lazarus_tui.model.steps import ArtefactReader
from lazarus_tui.sandbox.cluster import SandboxCluster
from tests.engine.scene import Scene, running_cluster

BACKUP = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "full"}}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SandboxCluster]:
    """With one finished backup of the shop and its volume."""
    async with running_cluster(tmp_path / "cluster") as cluster:
        spec = {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True, "storageLocation": "default"}
        cluster.api.create(BACKUPS, {**BACKUP, "spec": spec}, "velero")
        async with asyncio.timeout(60):
            while (cluster.api.get(BACKUPS, "full", "velero") or {}).get("status", {}).get("phase") != "Completed":
                await asyncio.sleep(0.02)
        yield cluster


async def restore_plan(scene: Scene, **params: Any) -> Plan:
    await scene.use()
    wanted = {"kind": "velero.restore", "context": scene.context, "params": {"backup": "full", **params}}
    return await scene.client.call("plan.make", wanted, Plan)


def lines(plan: Plan) -> list[tuple[str, str]]:
    return [(effect.verb, effect.what) for effect in plan.effects]


async def test_a_restore_beside_the_original_names_every_object_and_its_volume(
    tmp_path: Path, cluster: SandboxCluster
) -> None:
    async with Scene(tmp_path, cluster, sandbox=True) as scene:
        plan = await restore_plan(scene, namespace_mapping={"shop": "shop-copy"})
        assert ("create", "namespace shop-copy") in lines(plan)
        assert ("create", "1 StatefulSet in shop-copy") in lines(plan)
        volume = next(effect for effect in plan.effects if effect.what == "volume shop-copy/data-orders-0")
        assert (volume.verb, volume.detail[:13]) == ("create", "with its data")
        assert not any("read" in warning for warning in plan.warnings)


async def test_a_restore_over_the_original_says_what_is_left_alone_and_what_an_update_changes(
    tmp_path: Path, cluster: SandboxCluster
) -> None:
    async with Scene(tmp_path, cluster, sandbox=True) as scene:
        plan = await restore_plan(scene)
        assert ("skip", "1 StatefulSet in shop") in lines(plan)
        assert ("skip", "volume shop/data-orders-0") in lines(plan)
        asked: list[str] = []
        stop = cluster.api.subscribe(lambda kind, resource, new, old: asked.append(resource.plural))
        update = await restore_plan(scene, existing_policy="update")
        assert ("change", "1 StatefulSet in shop") in lines(update)
        assert update.losses
        assert "downloadrequests" not in asked, "what was read once is kept"
        stop()


async def test_a_read_only_context_is_planned_for_without_a_write(tmp_path: Path, cluster: SandboxCluster) -> None:
    async with Scene(tmp_path, cluster, sandbox=False) as prod:
        asked: list[str] = []
        stop = cluster.api.subscribe(lambda kind, resource, new, old: asked.append(resource.plural))
        plan = await restore_plan(prod, namespace_mapping={"shop": "shop-copy"})
        assert any("read-only" in text and "each object is unknown" in text for text in plan.warnings)
        assert not any("StatefulSet" in effect.what for effect in plan.effects)
        assert "downloadrequests" not in asked
        await prod.call("context.arm", context="prod", minutes=5)
        armed = await restore_plan(prod, namespace_mapping={"shop": "shop-copy"})
        assert ("create", "1 StatefulSet in shop-copy") in lines(armed)
        assert "downloadrequests" in asked
        stop()


def test_the_engine_hands_planners_what_they_ask_for() -> None:
    from lazarus_tui.engine.planning import PlanningReader

    assert issubclass(PlanningReader, ArtefactReader)
