"""Beside: the data of the set appears in another namespace; what runs and the set itself are not touched."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import CLAIMS, NAMESPACES, STATEFULSETS, VOLUMES
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from lazarus_tui.snapshots.beside.copies import free, stripped
from tests.engine.world import Engine
from tests.snapshots.stage import NAME, SPACE, Stage, staged
from tests.snapshots.test_inplace import all_say, prepared, undo, volumes


async def beside(stage: Stage, engine: Engine, **params: Any) -> Operation:
    wanted = {"namespace": SPACE, "statefulset": NAME, "into": "copy", **params}
    plan = await engine.passing(engine.registry.plan("snapshots.restore-beside", engine.cluster, wanted, stage.clock))
    return await engine.run(plan)


def texts(stage: Stage, space: str) -> dict[str, str]:
    found = {}
    for claim in stage.api.list(CLAIMS, space):
        volume = stage.api.get(VOLUMES, claim["spec"].get("volumeName", ""))
        name = claim["metadata"]["name"]
        found[name] = (stage.cluster.volumes.path(volume) / "data").read_text() if volume else "unbound"
    return found


@pytest.mark.parametrize("storage", ["standard", "immediate"])
async def test_the_copy_runs_on_the_sets_data_and_undo_leaves_nothing_of_it(storage: str) -> None:
    async with staged(replicas=2, storage=storage) as (stage, engine):
        old = await prepared(stage)
        stored = set(stage.cluster.driver.storage.handles())
        done = await beside(stage, engine, run=True, replicas=2)
        assert (done.state, done.message) == (OpState.DONE, "")
        assert texts(stage, "copy") == {"data-db-0": "before data-db-0", "data-db-1": "before data-db-1"}
        assert all_say(stage, "after")
        assert volumes(stage) == old
        undone = await undo(engine, done)
        assert undone.state is OpState.UNDONE, undone.message
        assert stage.api.get(NAMESPACES, "copy") is None
        assert len(stage.api.list(CONTENTS)) == 2
        assert set(stage.cluster.driver.storage.handles()) == stored
        assert stage.sets()[0].usable
        assert volumes(stage) == old
        assert stage.ready() == 2


async def test_claims_alone_wait_for_a_pod_where_their_class_does() -> None:
    async with staged(replicas=1) as (stage, engine):
        await prepared(stage)
        done = await beside(stage, engine)
        assert done.state is OpState.DONE
        assert texts(stage, "copy") == {"data-db-0": "unbound"}
        assert stage.api.get(STATEFULSETS, NAME, "copy") is None


async def test_a_namespace_that_was_there_stays_there() -> None:
    async with staged(replicas=1, storage="immediate") as (stage, engine):
        await prepared(stage)
        stage.api.create(NAMESPACES, {"metadata": {"name": "copy"}})
        done = await beside(stage, engine)
        await undo(engine, done)
        assert stage.api.get(NAMESPACES, "copy") is not None
        assert stage.api.list(CLAIMS, "copy") == []
        assert stage.api.list(SNAPSHOTS, "copy") == []


async def test_what_is_in_the_way_is_refused() -> None:
    async with staged(replicas=1, storage="immediate") as (stage, engine):
        await prepared(stage)
        with pytest.raises(PlanRefused, match="beside means another namespace"):
            await beside(stage, engine, into=SPACE)
        await beside(stage, engine)
        with pytest.raises(PlanRefused, match="claim copy/data-db-0 exists already"):
            await beside(stage, engine)


def test_a_stripped_copy_has_no_ties() -> None:
    labels = {"app": "db", "app.kubernetes.io/instance": "shop", "argocd.argoproj.io/x": "y"}
    found = {
        "metadata": {"name": "db", "uid": "u", "labels": labels, "ownerReferences": [{"kind": "Operator"}]},
        "spec": {
            "selector": {"matchLabels": {"app": "db", "app.kubernetes.io/instance": "shop"}}, "replicas": 5,
            "template": {
                "metadata": {"labels": labels, "annotations": {"x": "y"}},
                "spec": {"containers": [{"name": "db"}], "serviceAccountName": "db", "affinity": {}},
            },
            "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"},
        },
        "status": {"replicas": 5},
    }  # fmt: skip
    copy = stripped(found, "other", 1)
    assert copy["metadata"] == {"name": "db", "namespace": "other", "labels": {"app": "db"}}
    assert copy["spec"]["template"]["metadata"] == {"labels": {"app": "db", "app.kubernetes.io/instance": "shop"}}
    assert copy["spec"]["template"]["spec"] == {"containers": [{"name": "db"}], "automountServiceAccountToken": False}
    assert copy["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert free({"helm.sh/chart": "x", "team": "a"}) == {"team": "a"}
