"""Plans of backups, schedules and deletions; which Velero there is; the choice of a point."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import (
    BACKUPS,
    CRDS,
    DAEMONSETS,
    DELETE_REQUESTS,
    DEPLOYMENTS,
    LOCATIONS,
    RESTORES,
    SCHEDULES,
)
from lazarus_tui.model.steps import Outcome, Seen
from lazarus_tui.velero import backup, choose, deletion, discover, preview, schedules, served
from tests.velero.lab import VELERO, Lab, World, merge

TEMPLATE = {"includedNamespaces": ["shop"], "storageLocation": "default", "ttl": "72h0m0s"}


def schedule(world: World, **spec: Any) -> None:
    world.put(
        SCHEDULES, "hot", metadata={"labels": {"tier": "hot"}, "annotations": {"note": "x"}},
        spec={"schedule": "0 * * * *", "template": TEMPLATE, **spec},
    )  # fmt: skip


async def test_a_backup_plan_freezes_its_name_and_names_the_volumes(world: World) -> None:
    plan = await backup.plan(world, {"namespaces": ["shop"], "fs_backup": True, "ttl": "3h"}, world.clock)
    assert plan.target == "shop-20260601120000"
    assert plan.params["spec"] == {
        "includedNamespaces": ["shop"],
        "ttl": "3h0m0s",
        "defaultVolumesToFsBackup": True,
    }
    assert [e.what for e in plan.effects] == [
        "backups.velero.io/shop-20260601120000",
        "copy of volume shop/data-orders-0",
    ]
    assert plan.estimate is None
    assert plan.warnings == ()


async def test_a_backup_that_nothing_can_snapshot_does_not_promise_copies(world: World) -> None:
    plan = await backup.plan(world, {"namespaces": ["shop"]}, world.clock)
    assert "NO data" in plan.warnings[0]
    assert "--fs-backup" in plan.warnings[1]
    assert [e.detail for e in plan.effects if "volume" in e.what] == ["perhaps not, see below"]


async def test_a_cluster_with_snapshot_classes_is_trusted_to_snapshot(world: World) -> None:
    world.put(backup.SNAPSHOT_CLASSES, "fast", namespace="")
    plan = await backup.plan(world, {"namespaces": ["shop"]}, world.clock)
    assert plan.warnings == ()


async def test_a_backup_without_volumes_warns(world: World) -> None:
    plan = await backup.plan(world, {"namespaces": ["shop"], "snapshot_volumes": False}, world.clock)
    assert "no volume data" in plan.warnings[0]


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"name": "Not Valid"}, "valid name"),
        ({"name": "taken"}, "already"),
        ({"namespaces": ["nowhere"]}, "no namespace nowhere"),
        ({"ttl": "7d"}, "168h"),
        ({"storage_location": "nowhere"}, "no storage location nowhere"),
        ({"storage_location": "frozen"}, "read-only"),
        ({"storage_location": "away"}, "dial tcp"),
        ({"from_schedule": "nowhere"}, "no schedule nowhere"),
    ],
)
async def test_what_velero_would_refuse_is_refused_before(world: World, params: dict[str, Any], word: str) -> None:
    world.put(BACKUPS, "taken")
    world.put(LOCATIONS, "frozen", spec={"accessMode": "ReadOnly"}, status={"phase": "Available"})
    world.put(LOCATIONS, "away", status={"phase": "Unavailable", "message": "dial tcp"})
    with pytest.raises(PlanRefused, match=word):
        await backup.plan(world, {"velero": VELERO, **params}, world.clock)
    assert world.writes == []


async def test_running_a_schedule_makes_what_the_schedule_would_make(world: World) -> None:
    schedule(world, useOwnerReferencesInBackup=True, paused=True)
    plan = await backup.plan_run(world, {"schedule": "hot"}, world.clock)
    assert plan.params["name"] == "hot-20260601120000"
    assert plan.params["spec"] == TEMPLATE
    assert plan.params["labels"] == {"tier": "hot", "velero.io/schedule-name": "hot"}
    assert plan.params["annotations"] == {"note": "x"}
    assert plan.params["owner"]["kind"] == "Schedule"
    assert "paused" in plan.warnings[0]


async def test_the_estimate_is_the_median_of_the_same_series(world: World) -> None:
    for n, seconds in enumerate((10, 20, 60)):
        start = world.clock.now() - timedelta(hours=n)
        world.put(BACKUPS, f"shop-2026053100000{n}", status={
            "phase": "Completed", "startTimestamp": rfc3339(start),
            "completionTimestamp": rfc3339(start + timedelta(seconds=seconds))})  # fmt: skip
    plan = await backup.plan(world, {"namespaces": ["shop"]}, world.clock)
    assert plan.estimate is not None
    assert (plan.estimate.low, plan.estimate.high) == (10, 60)
    assert plan.estimate.basis == "median 20 s of the last 3 runs of shop"


async def test_unpausing_without_an_instant_run_is_one_patch(lab: Lab) -> None:
    schedule(lab.world, paused=True)
    lab.clock.seconds += 7200
    plan = await schedules.plan_unpause(lab.world, {"schedule": "hot", "skip_immediately": True}, lab.clock)
    assert "overdue; that run is skipped" in plan.warnings[0]
    (step,) = schedules.steps(plan, None)  # type: ignore[arg-type]
    assert (await lab.run(step)).seen is Seen.DONE
    assert [write.body for write in lab.world.writes] == [{"spec": {"paused": False, "skipImmediately": True}}]
    lab.world.outcomes = [Outcome.AMBIGUOUS]
    await step.undo(lab)
    assert lab.world.at(SCHEDULES, "hot")["spec"]["paused"] is True


async def test_pausing_twice_or_a_replaced_schedule_is_refused(lab: Lab) -> None:
    schedule(lab.world)
    plan = await schedules.plan_pause(lab.world, {"schedule": "hot"}, lab.clock)
    assert any("expire" in warning for warning in plan.warnings)
    schedule(lab.world)
    (step,) = schedules.steps(plan, None)  # type: ignore[arg-type]
    assert (await lab.run(step)).seen is Seen.DIVERGED
    with pytest.raises(PlanRefused, match="not paused"):
        await schedules.plan_unpause(lab.world, {"schedule": "hot"}, lab.clock)


async def test_deleting_a_backup_names_all_that_goes(lab: Lab) -> None:
    lab.world.put(BACKUPS, "b1", status={"phase": "Completed"})
    lab.world.put(RESTORES, "r1", spec={"backupName": "b1"})
    lab.world.put(RESTORES, "r2", spec={"backupName": "b2"})
    plan = await deletion.plan_backup(lab.world, {"backup": "b1"}, lab.clock)
    assert plan.danger == "destroys"
    assert [e.what for e in plan.effects] == ["backups.velero.io/b1", "restores.velero.io/r1"]
    (step,) = deletion.steps_backup(plan, None)  # type: ignore[arg-type]
    assert (await lab.run(step, lambda: lab.world.drop(BACKUPS, "b1"))).seen is Seen.DONE
    (write,) = lab.world.writes
    assert (write.verb, write.resource, write.body["spec"]) == ("create", DELETE_REQUESTS, {"backupName": "b1"})


async def test_a_deletion_that_fails_says_why_and_what_is_left(lab: Lab) -> None:
    lab.world.put(BACKUPS, "b1", status={"phase": "Completed"})
    plan = await deletion.plan_backup(lab.world, {"backup": "b1"}, lab.clock)
    (step,) = deletion.steps_backup(plan, None)  # type: ignore[arg-type]

    def fail() -> None:
        merge(lab.world.at(BACKUPS, "b1"), {"status": {"phase": "Deleting"}})
        for key, item in lab.world.objects.items():
            if key[0] == "deletebackuprequests":
                item["status"] = {"phase": "Processed", "errors": ["repository shop is not ready"]}

    seen = await lab.run(step, fail)
    assert seen.seen is Seen.FAILED
    assert "not ready" in seen.detail
    assert "do not rely on this backup" in seen.hint


@pytest.mark.parametrize("phase", ["InProgress", "ReadyToStart", "FinalizingPartiallyFailed"])
async def test_a_running_backup_is_not_deleted(world: World, phase: str) -> None:
    world.put(BACKUPS, "b1", status={"phase": phase})
    with pytest.raises(PlanRefused, match="still running"):
        await deletion.plan_backup(world, {"backup": "b1", "velero": VELERO}, world.clock)


async def test_a_queued_backup_goes_plainly_unless_it_begins(lab: Lab) -> None:
    lab.world.put(BACKUPS, "b1", status={"phase": "Queued"})
    plan = await deletion.plan_backup(lab.world, {"backup": "b1"}, lab.clock)
    (step,) = deletion.steps_backup(plan, None)  # type: ignore[arg-type]
    merge(lab.world.at(BACKUPS, "b1"), {"status": {"phase": "InProgress"}})
    assert (await lab.run(step)).seen is Seen.FAILED
    assert lab.world.writes == []
    merge(lab.world.at(BACKUPS, "b1"), {"status": {"phase": "Queued"}})
    assert (await lab.run(step)).seen is Seen.DONE
    assert [(w.verb, w.resource_version) for w in lab.world.writes] == [("delete", "1")]


async def test_a_restore_record_goes_but_not_while_it_runs(lab: Lab) -> None:
    lab.world.put(RESTORES, "r1", status={"phase": "InProgress"})
    with pytest.raises(PlanRefused, match="would not stop it"):
        await deletion.plan_restore(lab.world, {"restore": "r1"}, lab.clock)
    merge(lab.world.at(RESTORES, "r1"), {"status": {"phase": "Completed"}})
    plan = await deletion.plan_restore(lab.world, {"restore": "r1"}, lab.clock)
    (step,) = deletion.steps_restore(plan, None)  # type: ignore[arg-type]
    assert (await lab.run(step)).seen is Seen.DONE


def server(world: World, namespace: str, image: str = "velero/velero:v1.18.2") -> None:
    container = {"image": image, "command": ["/velero"], "args": ["server"]}
    spec = {"template": {"spec": {"containers": [container]}}}
    labels = {"labels": {"component": "velero"}}
    world.put(DEPLOYMENTS, "velero", namespace, metadata=labels, spec=spec, status={"readyReplicas": 1})


async def test_velero_is_found_with_its_version_and_agents(world: World) -> None:
    server(world, VELERO)
    world.put(DAEMONSETS, "node-agent", VELERO, status={"numberReady": 3})
    (found,) = await discover.installations(world)
    assert (found.namespace, found.version, found.ready, found.node_agents) == (VELERO, "v1.18.2", True, 3)
    assert found.supported is True
    assert found.cron_rule == "velero"


async def test_the_cron_rule_follows_the_version(world: World) -> None:
    server(world, VELERO, "registry.example:5000/velero:v1.19.0-rc.1@sha256:aa")
    (found,) = await discover.installations(world)
    assert (found.release, found.cron_rule) == ((1, 19), "velero-1.19")


async def test_none_and_several_veleros_are_said(world: World) -> None:
    world.put(LOCATIONS, "other", "backup-system")
    with pytest.raises(PlanRefused, match=r"backup-system, velero"):
        await discover.velero_namespace(world)
    assert await discover.velero_namespace(World(), "mine") == "mine"
    with pytest.raises(PlanRefused, match="no Velero"):
        await discover.velero_namespace(World())


def crd(world: World, **known: Any) -> None:
    schema = {"properties": {"spec": {"type": "object", "properties": known}}}
    world.put(CRDS, "backups.velero.io", "", spec={"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]})


async def test_what_the_crd_does_not_know_is_found_at_any_depth(world: World) -> None:
    spec = {"ttl": "1h", "hooks": {"resources": [{"name": "a", "future": 1}]}, "orderedResources": {"pods": "a"}}
    assert await served.served(world, BACKUPS, spec) == (spec, []), "without a CRD nobody can tell"
    hooks = {"properties": {"resources": {"items": {"properties": {"name": {}}}}}}
    crd(world, hooks=hooks, orderedResources={"additionalProperties": {"type": "string"}})
    kept, lost = await served.served(world, BACKUPS, spec)
    assert kept == {"hooks": {"resources": [{"name": "a"}]}, "orderedResources": {"pods": "a"}}
    assert lost == ["spec.ttl", "spec.hooks.resources[0].future"]


async def test_a_plan_never_asks_for_what_the_cluster_would_drop(world: World) -> None:
    crd(world, includedNamespaces={"items": {}}, storageLocation={})
    with pytest.raises(PlanRefused, match=r"does not know spec\.ttl"):
        await backup.plan(world, {"namespaces": ["shop"], "ttl": "3h"}, world.clock)
    schedule(world)
    plan = await backup.plan_run(world, {"schedule": "hot"}, world.clock)
    assert plan.params["spec"] == {"includedNamespaces": ["shop"], "storageLocation": "default"}
    assert "spec.ttl" in plan.warnings[0]


async def test_a_preview_counts_what_the_backup_would_hold(world: World) -> None:
    world.put(DEPLOYMENTS, "web", "shop")
    found = await preview.preview_backup(world, {"namespaces": ["shop"]}, world.clock)
    assert found["namespaces"] == ["shop"]
    assert found["objects"] == {"deployments.apps": 1, "persistentvolumeclaims": 1}
    assert found["claims"] == ["shop/data-orders-0"]
    refused = await preview.preview_backup(world, {"namespaces": ["nowhere"]}, world.clock)
    assert refused["warnings"] == ["there is no namespace nowhere"]


async def test_the_choice_passes_over_newer_points_and_says_why(lab: Lab) -> None:
    held = {
        "pvcName": "data-orders-0",
        "pvcNamespace": "shop",
        "backupMethod": "PodVolumeBackup",
        "result": "succeeded",
    }
    lists = {"good": [held], "older": [held], "bare": [{**held, "skipped": True, "skippedReason": "no method"}]}
    ages = {"older": 9, "good": 5, "config": 4, "bare": 3, "broken": 2, "away": 1}
    for name, age in ages.items():
        spec: dict[str, Any] = {"includedNamespaces": ["shop"], "storageLocation": "default"}
        spec |= {"includedResources": ["configmaps"]} if name == "config" else {}
        spec |= {"storageLocation": "offsite"} if name == "away" else {}
        start = lab.clock.now() - timedelta(hours=age)
        phase = "PartiallyFailed" if name == "broken" else "Completed"
        lab.world.put(BACKUPS, name, spec=spec, status={"phase": phase, "startTimestamp": rfc3339(start)})
        if name in lists:
            lab.world.artefacts[("BackupVolumeInfos", name)] = gzip.compress(json.dumps(lists[name]).encode())
    lab.world.put(LOCATIONS, "offsite", status={"phase": "Unavailable", "message": "i/o timeout"})
    step = choose.Choose({"velero": VELERO, "namespace": "shop", "claims": ["data-orders-0"]})
    seen = await lab.run(step)
    assert seen.seen is Seen.DONE
    assert lab.facts["point.name"] == "good"
    assert [view["name"] for view in lab.facts["point.passed"]] == ["away", "broken", "bare", "config"]
    reasons = {view["name"]: " ".join(view["reasons"]) for view in lab.facts["point.passed"]}
    assert "i/o timeout" in reasons["away"]
    assert "no method" in reasons["bare"]
    assert not [url for url in lab.fetched if "away" in url or "older" in url], "only what matters is fetched"
    writes = len(lab.world.writes)
    await lab.run(step)
    assert len(lab.world.writes) == writes, "chosen once, remembered for ever"


async def test_without_a_usable_point_nothing_is_chosen(lab: Lab) -> None:
    lab.world.put(
        BACKUPS,
        "b1",
        spec={"includedNamespaces": ["shop"]},
        status={"phase": "Failed", "startTimestamp": "2026-06-01T11:00:00Z"},
    )
    stop = await lab.stopped(choose.Choose({"velero": VELERO, "namespace": "shop", "claims": []}))
    assert stop.park
    assert "Failed" in stop.hint
