"""A restore from the point to Velero's report, its faults, and taking it back."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from lazarus_tui.model.resources import (
    BACKUPS,
    CLAIMS,
    CONFIGMAPS,
    DEPLOYMENTS,
    LOCATIONS,
    NAMESPACES,
    POD_VOLUME_RESTORES,
    RESTORES,
)
from lazarus_tui.model.steps import Outcome, Seen, StepStopped
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.velero import restore
from lazarus_tui.velero.restore_finish import Finalize, Results, Settle
from lazarus_tui.velero.restore_steps import Contents, Create, Objects, Preflight, Queue, Volumes
from tests.velero.lab import OP, VELERO, Lab, World, merge
from tests.velero.source import HELD, Source

PARAMS: dict[str, Any] = {
    "velero": VELERO, "backup": "b1", "name": "", "spec": {"includedNamespaces": ["shop"]},
    "targets": ["shop"], "sources": {"shop": "shop"}, "settle": 1.0,
}  # fmt: skip
OLD = "2020-01-01T00:00:00Z"
NAME = f"b1-{OP[:8]}"


def phase(world: World, value: str, **status: Any) -> Any:
    return lambda: merge(world.at(RESTORES, NAME), {"status": {"phase": value, **status}})


def copy(world: World, state: str, message: str = "", claim: str = "c1") -> Any:
    """``claim``: the uid of the claim that is filled, "" for an emptyDir."""

    def happen() -> None:
        uid = world.at(RESTORES, NAME)["metadata"]["uid"]
        moved = 10 if state == "Completed" else 5
        filled = {"velero.io/pvc-uid": claim} if claim else {}
        world.put(
            POD_VOLUME_RESTORES, "r1", metadata={"labels": {"velero.io/restore-uid": uid, **filled}},
            spec={"pod": {"namespace": "shop", "name": "orders-0"}, "volume": "data"},
            status={"phase": state, "message": message, "progress": {"totalBytes": 10, "bytesDone": moved}},
        )  # fmt: skip

    return happen


async def begun(lab: Lab) -> None:
    for step in (Preflight, Contents, Create):
        assert (await lab.run(step(PARAMS))).seen is Seen.DONE


@pytest.mark.usefixtures("point")
async def test_a_good_restore_tells_when_each_stage_ended(lab: Lab) -> None:
    world = lab.world
    await begun(lab)
    assert lab.facts["restore.before"] == {"shop": ""}
    assert lab.facts["restore.volumes"] == ["shop/data-orders-0"]
    await lab.run(Queue(PARAMS), lambda: None, phase(world, "InProgress"))
    await lab.run(
        Objects(PARAMS), lambda: None, phase(world, "InProgress", progress={"totalItems": 3, "itemsRestored": 3})
    )
    copy(world, "InProgress")()
    await lab.run(Volumes(PARAMS), lambda: None, copy(world, "Completed"))
    await lab.run(Finalize(PARAMS), phase(world, "Finalizing"), phase(world, "Completed"))
    await lab.run(Settle(PARAMS))
    seen = await lab.run(Results(PARAMS))
    assert seen.seen is Seen.DONE
    assert lab.facts["restore.verdict"] == "PASSED"
    assert lab.verdicts == [], "Completed proves nothing: only checks may say PASSED"
    times = [lab.facts[f"restore.t{n}"] for n in (4, 5, 6, 7, 8)]
    assert times == sorted(times)
    assert times[0] < times[-1]
    created = world.at(RESTORES, NAME)
    assert created["spec"] == {"includedNamespaces": ["shop"], "backupName": "b1"}


@pytest.mark.usefixtures("point")
async def test_the_point_may_be_chosen_by_an_earlier_step(lab: Lab) -> None:
    lab.facts["point.name"] = "b1"
    assert (await lab.run(Preflight({**PARAMS, "backup": ""}))).seen is Seen.DONE
    del lab.facts["point.name"]
    assert "no recovery point" in (await lab.stopped(Preflight({**PARAMS, "backup": ""}))).what


@pytest.mark.usefixtures("point")
async def test_it_says_who_is_ahead_in_the_queue(lab: Lab) -> None:
    await begun(lab)
    lab.world.put(RESTORES, "other", status={"phase": "InProgress"})
    assert "queued behind restore other" in (await Queue(PARAMS).observe(lab)).detail


@pytest.mark.usefixtures("point")
@pytest.mark.parametrize("step", [Queue, Objects, Volumes, Finalize, Settle])
async def test_a_restore_that_vanishes_fails_in_every_stage(lab: Lab, step: Any) -> None:
    await begun(lab)
    lab.world.drop(RESTORES, NAME)
    seen = await lab.run(step(PARAMS))
    assert seen.seen is Seen.FAILED
    assert "deleted" in seen.detail


@pytest.mark.usefixtures("point")
async def test_a_volume_without_data_is_never_called_restored(lab: Lab) -> None:
    empty = {"pvcName": "data-orders-0", "pvcNamespace": "shop", "skipped": True, "skippedReason": "none"}
    lab.world.artefacts[("BackupVolumeInfos", "b1")] = gzip.compress(json.dumps([empty]).encode())
    await begun(lab)
    phase(lab.world, "Completed")()
    await lab.run(Settle(PARAMS))
    seen = await lab.run(Results(PARAMS))
    assert lab.facts["restore.verdict"] == "FAILED"
    assert "shop/data-orders-0 came back EMPTY" in seen.detail


@pytest.mark.usefixtures("point")
async def test_an_unreadable_volume_list_is_inconclusive(lab: Lab) -> None:
    lab.world.artefacts[("BackupVolumeInfos", "b1")] = None
    await begun(lab)
    phase(lab.world, "Completed")()
    await lab.run(Settle(PARAMS))
    await lab.run(Results(PARAMS))
    assert lab.verdicts == [Verdict.INCONCLUSIVE]


@pytest.mark.usefixtures("point")
async def test_a_restore_in_parts_goes_on_to_the_checks_but_has_failed(lab: Lab) -> None:
    await begun(lab)
    phase(lab.world, "PartiallyFailed", errors=1)()
    copy(lab.world, "Failed", "no space left on device")()
    lab.world.artefacts[("RestoreResults", NAME)] = gzip.compress(
        json.dumps({"errors": {"namespaces": {"shop": ['exceeded quota: "compute"']}}}).encode()
    )
    await lab.run(Settle(PARAMS))
    seen = await lab.run(Results(PARAMS))
    assert seen.seen is Seen.DONE
    assert lab.verdicts == [Verdict.FAILED]
    assert "no space left" in seen.detail
    assert "a quota is full" in seen.detail


@pytest.mark.usefixtures("point")
async def test_a_server_restart_in_the_middle_stops_with_its_meaning(lab: Lab) -> None:
    await begun(lab)
    reason = 'found a restore with status "InProgress" during the server starting, mark it as "Failed"'
    phase(lab.world, "Failed", failureReason=reason)()
    await lab.run(Settle(PARAMS))
    seen = await lab.run(Results(PARAMS))
    assert seen.seen is Seen.FAILED
    assert "run it again" in seen.hint


@pytest.mark.usefixtures("point")
@pytest.mark.parametrize(
    ("spoil", "state", "word"),
    [
        (lambda w: w.drop(BACKUPS, "b1"), Seen.FAILED, "gone"),
        (lambda w: merge(w.at(BACKUPS, "b1"), {"status": {"phase": "Deleting"}}), Seen.FAILED, "Deleting"),
        (lambda w: w.drop(LOCATIONS, "default"), Seen.FAILED, "gone"),
        (lambda w: merge(w.at(LOCATIONS, "default"), {"status": {"phase": "Unavailable"}}), Seen.WAITING, "default"),
        (lambda w: w.put(NAMESPACES, "shop", "", metadata={"deletionTimestamp": "2026-06-01T12:00:00Z"}),
         Seen.WAITING, "being deleted"),
    ],
)  # fmt: skip
async def test_preflight_looks_once_more(lab: Lab, spoil: Any, state: Seen, word: str) -> None:
    spoil(lab.world)
    seen = await lab.run(Preflight(PARAMS), looks=3)
    assert seen.seen is state
    assert word in seen.detail


async def restored(lab: Lab) -> World:
    await begun(lab)
    phase(lab.world, "Completed")()
    lab.clock.seconds += 2
    lab.world.put(NAMESPACES, "shop", "")
    lab.world.put(DEPLOYMENTS, "web", "shop", metadata={"labels": {"velero.io/restore-name": NAME}})
    lab.world.put(CONFIGMAPS, "kube-root-ca.crt", "shop")
    return lab.world


@pytest.mark.usefixtures("point")
async def test_a_restore_that_velero_begins_while_it_is_taken_back_is_not_called_undone(lab: Lab) -> None:
    await lab.run(Create(PARAMS))
    lab.world.outcomes = [Outcome.CONFLICT]
    lab.world.after_write = lambda write: merge(lab.world.at(RESTORES, NAME), {"status": {"phase": "InProgress"}})
    with pytest.raises(StepStopped, match="cannot stop a running restore") as stopped:
        await Create(PARAMS).undo(lab)
    assert stopped.value.park


@pytest.mark.usefixtures("point")
async def test_undo_deletes_the_namespace_the_restore_made(lab: Lab) -> None:
    world = await restored(lab)
    uid = world.at(NAMESPACES, "shop", "")["metadata"]["uid"]
    await Create(PARAMS).undo(lab)
    deleted = [w for w in world.writes if w.verb == "delete" and w.resource is NAMESPACES]
    assert [(w.name, w.uid) for w in deleted] == [("shop", uid)]


@pytest.mark.usefixtures("point")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda lab: lab.world.put(DEPLOYMENTS, "theirs", "shop"),
        lambda lab: lab.facts.update({"restore.before": {"shop": "an-old-uid"}}),
        lambda lab: lab.facts.update({"restore.before": {}}),
        lambda lab: merge(lab.world.at(NAMESPACES, "shop", ""), {"metadata": {"creationTimestamp": OLD}}),
        lambda lab: merge(lab.world.at(RESTORES, NAME), {"status": {"phase": "InProgress"}}),
    ],
)  # fmt: skip
async def test_undo_never_deletes_what_is_not_its_own(lab: Lab, spoil: Any) -> None:
    await restored(lab)
    spoil(lab)
    with pytest.raises(StepStopped):
        await Create(PARAMS).undo(lab)
    assert not [w for w in lab.world.writes if w.verb == "delete" and w.resource is NAMESPACES]


async def test_a_plan_into_nothing_creates_everything_and_can_be_undone(source: Source) -> None:
    plan = await restore.plan(source, {"backup": "b1", "namespaces": ["shop"]}, source.clock)
    lines = [f"{e.verb} {e.what}" for e in plan.effects]
    assert "create namespace shop" in lines
    assert "create 2 Deployment in shop" in lines
    assert not [line for line in lines if "Event" in line or "ReplicaSet" in line or "velero" in line]
    assert plan.danger == "changes"
    assert "delete namespace shop" in plan.undo
    assert plan.losses == ()


async def test_a_plan_over_something_says_what_is_left_as_it_is(source: Source) -> None:
    source.put(NAMESPACES, "shop", "")
    source.put(DEPLOYMENTS, "web", "shop")
    source.put(CLAIMS, "data-orders-0", "shop", status={"phase": "Bound"})
    plan = await restore.plan(source, {"backup": "b1", "namespaces": ["shop"]}, source.clock)
    lines = [f"{e.verb} {e.what}" for e in plan.effects]
    assert "create 1 Deployment in shop" in lines
    assert "skip 1 Deployment in shop" in lines
    assert "volume shop/data-orders-0 exists: its data is NOT overwritten" in plan.warnings
    assert "2 objects exist already and are left as they are" in plan.warnings
    assert plan.undo == ""


async def test_overwriting_destroys_and_says_what_is_lost(source: Source) -> None:
    source.put(NAMESPACES, "shop", "")
    source.put(DEPLOYMENTS, "web", "shop")
    params = {"backup": "b1", "namespaces": ["shop"], "existing_policy": "update"}
    plan = await restore.plan(source, params, source.clock)
    assert plan.danger == "destroys"
    assert plan.target == "shop"
    assert plan.losses == ("1 existing object is patched back to its state in the backup",)


async def test_hazards_are_named_before_the_start(source: Source) -> None:
    source.contents["BackupVolumeInfos"] = [
        {**HELD, "skipped": True, "pvInfo": {"reclaimPolicy": "Retain"}},
        {**HELD, "pvcName": "files", "skipped": True, "skippedReason": "hostPath"},
    ]
    source.put(RESTORES, "busy", status={"phase": "InProgress"})
    plan = await restore.plan(source, {"backup": "b1", "namespaces": ["shop"]}, source.clock)
    text = " ".join(plan.warnings)
    assert "ORIGINAL storage" in text
    assert "comes back EMPTY" in text
    assert "restore busy comes first" in text


@pytest.mark.parametrize(("errors", "words"), [(1, "PartiallyFailed (1 error):"), (2, "PartiallyFailed (2 errors):")])
async def test_a_backup_of_which_a_part_failed_says_how_much(source: Source, errors: int, words: str) -> None:
    merge(source.at(BACKUPS, "b1"), {"status": {"phase": "PartiallyFailed", "errors": errors}})
    plan = await restore.plan(source, {"backup": "b1", "namespaces": ["shop"]}, source.clock)
    assert words in " ".join(plan.warnings)


async def test_velero_itself_stays_out_unless_it_is_named(source: Source) -> None:
    plan = await restore.plan(source, {"backup": "b1"}, source.clock)
    assert plan.params["spec"]["excludedNamespaces"] == ["velero"]


@pytest.mark.usefixtures("point")
@pytest.mark.parametrize(
    ("params", "spoil", "word"),
    [
        ({"backup": "nope"}, lambda w: None, "no backup nope"),
        ({}, lambda w: None, "which backup"),
        ({"backup": "b1"}, lambda w: merge(w.at(BACKUPS, "b1"), {"status": {"phase": "InProgress"}}), "InProgress"),
        ({"backup": "b1"}, lambda w: merge(w.at(BACKUPS, "b1"), {"status": {"expiration": OLD}}), "expired"),
        ({"backup": "b1"}, lambda w: merge(w.at(LOCATIONS, "default"), {"status": {"phase": "Unavailable"}}), "answer"),
        ({"backup": "b1", "existing_policy": "overwrite"}, lambda w: None, "existing_policy"),
    ],
)  # fmt: skip
async def test_what_cannot_be_restored_is_refused(world: World, params: Any, spoil: Any, word: str) -> None:
    spoil(world)
    with pytest.raises(restore.PlanRefused, match=word):
        await restore.plan(world, {"velero": VELERO, **params}, world.clock)


async def _restored_over(lab: Lab, *after: Any) -> None:
    world = lab.world
    world.put(NAMESPACES, "shop", "")
    world.put(CLAIMS, "data-orders-0", "shop")
    await begun(lab)
    for happens in (phase(world, "Completed"), *after):
        happens()
    for step in (Queue, Objects, Volumes, Finalize, Settle, Results):
        await lab.run(step(PARAMS))


@pytest.mark.usefixtures("point")
async def test_a_volume_that_was_there_before_is_not_called_restored(lab: Lab) -> None:
    await _restored_over(lab)
    assert lab.facts["restore.untouched"] == ["shop/data-orders-0"]
    assert lab.facts["restore.verdict"] == Verdict.FAILED
    assert "NOTHING was restored into it" in lab.facts["restore.words"]
    assert "another namespace" in lab.facts["restore.advice"]


@pytest.mark.usefixtures("point")
async def test_a_volume_that_was_there_and_was_filled_through_a_new_pod_is(lab: Lab) -> None:
    await _restored_over(lab, copy(lab.world, "Completed"))
    assert lab.facts["restore.untouched"] == []
    assert lab.facts["restore.verdict"] == Verdict.PASSED


@pytest.mark.usefixtures("point")
async def test_a_filled_empty_dir_of_a_pod_is_no_volume_that_was_restored(lab: Lab) -> None:
    await _restored_over(lab, copy(lab.world, "Completed", claim=""))
    assert lab.facts["restore.copies"] == 0
    assert lab.facts["restore.untouched"] == ["shop/data-orders-0"]
    assert lab.facts["restore.verdict"] == Verdict.FAILED


@pytest.mark.usefixtures("point")
async def test_without_volumes_over_a_live_namespace_nothing_is_measured_on_its_data(lab: Lab) -> None:
    params = {**PARAMS, "spec": {**PARAMS["spec"], "restorePVs": False, "excludedResources": ["pods"]}}
    lab.world.put(NAMESPACES, "shop", "")
    lab.world.put(CLAIMS, "data-orders-0", "shop")
    await begun(lab)
    lab.facts.pop("restore.volumes", None)
    await lab.run(Contents(params))
    phase(lab.world, "Completed")()
    for step in (Queue, Objects, Volumes, Finalize, Settle, Results):
        await lab.run(step(params))
    assert lab.facts["restore.verdict"] == Verdict.INCONCLUSIVE
    assert "still with the data from before: shop/data-orders-0" in lab.facts["restore.words"]
    assert "EMPTY" not in lab.facts["restore.words"]
    assert lab.facts["restore.untouched"] == ["shop/data-orders-0"], "which is what keeps figures from being taken"


@pytest.mark.usefixtures("point")
async def test_nothing_is_restored_on_the_disks_of_the_original(lab: Lab) -> None:
    """Also where the plan was made without the point's list of volumes, which is read now."""
    native = {**HELD, "backupMethod": "NativeSnapshot", "nativeSnapshotInfo": {"Phase": "Completed"}}
    lab.world.artefacts[("BackupVolumeInfos", "b1")] = gzip.compress(json.dumps([native]).encode())
    await lab.run(Preflight(PARAMS))
    spec = {**PARAMS["spec"], "restorePVs": False}
    with pytest.raises(StepStopped, match="shop/data-orders-0 back on the ORIGINAL disks"):
        await lab.run(Contents({**PARAMS, "spec": spec}))
    assert [write.resource for write in lab.world.writes if write.resource == RESTORES] == []
    for more in ({"includeClusterResources": False}, {"excludedResources": ["persistentvolumes", "pods"]}):
        lab.facts.pop("restore.volumes", None)
        assert (await lab.run(Contents({**PARAMS, "spec": {**spec, **more}}))).seen is Seen.DONE


@pytest.mark.usefixtures("point")
async def test_volumes_left_out_on_request_are_never_called_restored(lab: Lab) -> None:
    params = {**PARAMS, "spec": {**PARAMS["spec"], "restorePVs": False, "excludedResources": ["pods"]}}
    await begun(lab)
    lab.facts.pop("restore.volumes", None)
    seen = await lab.run(Contents(params))
    assert "left out on request: shop/data-orders-0" in seen.detail
    phase(lab.world, "Completed")()
    for step in (Queue, Objects, Volumes, Finalize, Settle, Results):
        await lab.run(step(params))
    assert lab.facts["restore.verdict"] == "INCONCLUSIVE"
    assert "EMPTY: shop/data-orders-0" in lab.facts["restore.words"]


async def test_the_plan_knows_whether_anything_that_runs_comes_back(source: Source) -> None:
    assert (await restore.plan(source, {"backup": "b1"}, source.clock)).params["workloads"] is True
    source.contents["BackupResourceList"] = {"v1/ConfigMap": ["shop/settings"]}
    assert (await restore.plan(source, {"backup": "b1"}, source.clock)).params["workloads"] is False
    source.contents.clear()
    assert (await restore.plan(source, {"backup": "b1"}, source.clock)).params["workloads"] is True, "not known"
