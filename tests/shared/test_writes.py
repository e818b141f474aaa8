"""Every Velero object that Lazarus writes is accepted by the CRDs of every supported Velero, and kept whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lazarus_tui.drill.rehearse_steps import Decoy
from lazarus_tui.model.plan import Plan, PlanRefused
from lazarus_tui.model.resources import (
    BACKUPS,
    CRDS,
    DELETE_REQUESTS,
    DOWNLOAD_REQUESTS,
    RESTORES,
    SCHEDULES,
    STATUS_REQUESTS,
    Resource,
)
from lazarus_tui.model.steps import Step, StepStopped
from lazarus_tui.velero import OPERATIONS, artefacts, server_status
from tests.shared.real import VELERO, VERSIONS, Bench, World, missing

TYPES = {one.kind: one for one in OPERATIONS}
DONE = {"phase": "Completed", "startTimestamp": "2026-01-01T00:00:00Z", "expiration": "2036-01-01T00:00:00Z"}
# As full as a person may write one; every field has been in Velero since 1.14.
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"tier": "hot"}},
    "includedNamespaces": ["shop"],
    "excludedNamespaceScopedResources": ["events"],
    "labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["orders"]}]},
    "snapshotVolumes": None,
    "snapshotMoveData": False,
    "defaultVolumesToFsBackup": True,
    "storageLocation": "default",
    "ttl": "72h0m0s",
    "csiSnapshotTimeout": "10m0s",
    "itemOperationTimeout": "4h0m0s",
    "orderedResources": {"pods": "shop/a,shop/b"},
    "resourcePolicy": {"kind": "configmap", "name": "policy"},
    "uploaderConfig": {"parallelFilesUpload": 4},
    "hooks": {"resources": [{"name": "freeze", "pre": [{"exec": {"command": ["sync"], "timeout": "30s"}}]}]},
}
FORMS: list[dict[str, Any]] = [
    {"namespaces": ["shop"]},
    {"namespaces": ["shop"], "resources": ["pods", "persistentvolumeclaims"], "labels": {"app": "orders"},
     "storage_location": "default", "ttl": "72h", "snapshot_volumes": False, "fs_backup": True},
    {"excluded_namespaces": ["kube-system"]},
]  # fmt: skip
RESTORE_FORMS: list[dict[str, Any]] = [
    {},
    {"namespaces": ["shop"], "namespace_mapping": {"shop": "shop-copy"}, "existing_policy": "update",
     "restore_volumes": False, "exclude_resources": ["ingresses.networking.k8s.io"]},
    {"name": "mine", "restore_volumes": True, "existing_policy": "none"},
]  # fmt: skip


class _Alone:
    """A catalogue without steps of other subjects."""

    def steps(self, kind: str, plan: Plan) -> list[Step]:
        return []


async def carried_out(bench: Bench, kind: str, **params: Any) -> Plan:
    """Plan it with the real planner, then let every step that has something to write write it."""
    plan = await TYPES[kind].plan(bench.reader, {"velero": VELERO, **params}, bench.clock)
    writers = [step for step in TYPES[kind].steps(plan, _Alone()) if step.mutates]
    assert writers, f"{kind} has no step that writes"
    for step in writers:
        await step.act(bench)  # type: ignore[arg-type]
    return plan


def whole(bench: Bench, plural: str) -> None:
    """At least one object of this kind was written, and what lies in the cluster is what was sent."""
    found = [(write, kept) for write, kept in bench.kept if write.resource.plural == plural]
    assert found, f"no {plural} was written"
    for write, kept in found:
        assert missing(without_nulls(write.body), kept) == [], write.name


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


def a_backup(world: World, name: str = "b1", **status: Any) -> None:
    spec = {"includedNamespaces": ["shop"], "storageLocation": "default"}
    world.put(BACKUPS, name, spec=spec, status={**DONE, **status})


def a_schedule(world: World, **spec: Any) -> None:
    world.put(SCHEDULES, "hot", metadata={"annotations": {"note": "x"}},
              spec={"schedule": "0 * * * *", "template": TEMPLATE, **spec})  # fmt: skip


def test_all_supported_versions_are_here() -> None:
    assert [version.rpartition(".")[0] for version in VERSIONS] == ["v1.14", "v1.15", "v1.16", "v1.17", "v1.18"]


@pytest.mark.parametrize("form", FORMS)
async def test_a_backup_from_the_form(bench: Bench, form: dict[str, Any]) -> None:
    plan = await carried_out(bench, "velero.backup", **form)
    whole(bench, "backups")
    assert not [warning for warning in plan.warnings if "left out" in warning]


@pytest.mark.parametrize("owner", [True, False])
async def test_a_backup_by_schedule_keeps_the_whole_template(world: World, bench: Bench, owner: bool) -> None:
    a_schedule(world, useOwnerReferencesInBackup=owner)
    plan = await carried_out(bench, "velero.run-schedule", schedule="hot")
    whole(bench, "backups")
    made = world.get(BACKUPS, plan.target)
    assert made["spec"]["hooks"] == TEMPLATE["hooks"]
    assert made["metadata"]["labels"]["velero.io/schedule-name"] == "hot"
    assert bool(made["metadata"].get("ownerReferences")) is owner


@pytest.mark.parametrize("form", RESTORE_FORMS)
async def test_a_restore(world: World, bench: Bench, form: dict[str, Any]) -> None:
    a_backup(world)
    await carried_out(bench, "velero.restore", backup="b1", **form)
    whole(bench, "restores")


async def test_a_backup_is_deleted_by_a_request(world: World, bench: Bench) -> None:
    a_backup(world)
    await carried_out(bench, "velero.delete-backup", backup="b1")
    whole(bench, "deletebackuprequests")
    (request,) = world.api.list(DELETE_REQUESTS, VELERO)
    assert request["spec"] == {"backupName": "b1"}
    assert request["metadata"]["labels"]["velero.io/backup-uid"] == world.get(BACKUPS, "b1")["metadata"]["uid"]


async def test_records_are_deleted_plainly(world: World, bench: Bench) -> None:
    a_backup(world, "b2", phase="FailedValidation")
    world.put(RESTORES, "r1", spec={"backupName": "b2"}, status={"phase": "Completed"})
    await carried_out(bench, "velero.delete-restore", restore="r1")
    await carried_out(bench, "velero.delete-backup", backup="b2")
    assert not world.api.list(RESTORES, VELERO)
    assert not world.api.list(BACKUPS, VELERO)


@pytest.mark.parametrize("skip", [True, False])
async def test_a_schedule_is_paused_and_unpaused(world: World, bench: Bench, skip: bool) -> None:
    a_schedule(world)
    await carried_out(bench, "velero.pause-schedule", schedule="hot")
    assert world.get(SCHEDULES, "hot")["spec"]["paused"] is True
    await carried_out(bench, "velero.unpause-schedule", schedule="hot", skip_immediately=skip)
    whole(bench, "schedules")
    spec = world.get(SCHEDULES, "hot")["spec"]
    assert (spec["paused"], spec.get("skipImmediately", False)) == (False, skip)
    assert spec["template"] == without_nulls(TEMPLATE) | {"snapshotVolumes": None}, "the patch touches nothing else"


@pytest.mark.parametrize("kind", artefacts.KINDS)
async def test_every_artefact_can_be_asked_for(world: World, bench: Bench, kind: str) -> None:
    await artefacts.download(bench, VELERO, kind, "b1", owner="me")  # type: ignore[arg-type]
    whole(bench, "downloadrequests")
    assert not world.api.list(DOWNLOAD_REQUESTS, VELERO), "the request is removed when it has served"


async def test_the_question_to_the_server(world: World, bench: Bench) -> None:
    found = await server_status.ask(bench, VELERO, owner=bench.op)  # type: ignore[arg-type]
    assert found is not None
    assert found.version == "v1.2.3"
    whole(bench, "serverstatusrequests")
    assert not world.api.list(STATUS_REQUESTS, VELERO)


async def test_the_rehearsals_own_backup(bench: Bench) -> None:
    await Decoy("shop", VELERO, "decoy").act(bench)  # type: ignore[arg-type]
    whole(bench, "backups")


def forget(world: World, resource: Resource, *fields: str) -> None:
    """The CRD of an older release: it has never heard of these fields of the spec."""
    crd = json.loads(json.dumps(world.api.get(CRDS, resource.group_resource)))
    for version in crd["spec"]["versions"]:
        for field in fields:
            del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][field]
    world.api.update(CRDS, crd)


async def test_what_a_schedule_holds_for_a_newer_velero_is_left_out_and_said(world: World, bench: Bench) -> None:
    a_schedule(world)
    forget(world, BACKUPS, "resourcePolicy", "uploaderConfig")
    plan = await carried_out(bench, "velero.run-schedule", schedule="hot")
    whole(bench, "backups")
    assert not {"resourcePolicy", "uploaderConfig"} & set(world.get(BACKUPS, plan.target)["spec"])
    (warning,) = [text for text in plan.warnings if "left out" in text]
    assert "spec.resourcePolicy, spec.uploaderConfig" in warning


async def test_what_a_person_asked_for_and_the_cluster_would_drop_is_refused(world: World, bench: Bench) -> None:
    a_backup(world)
    a_schedule(world, paused=True)
    for resource, field in ((BACKUPS, "ttl"), (RESTORES, "restorePVs"), (SCHEDULES, "skipImmediately")):
        forget(world, resource, field)
    asked: list[tuple[str, dict[str, Any], str]] = [
        ("velero.backup", {"namespaces": ["shop"], "ttl": "72h"}, "spec.ttl"),
        ("velero.restore", {"backup": "b1", "restore_volumes": False}, "spec.restorePVs"),
        ("velero.unpause-schedule", {"schedule": "hot", "skip_immediately": True}, "spec.skipImmediately"),
    ]
    for kind, params, field in asked:
        with pytest.raises(PlanRefused, match=field) as refused:
            await TYPES[kind].plan(bench.reader, {"velero": VELERO, **params}, bench.clock)
        assert "crds" in refused.value.hint
    await carried_out(bench, "velero.backup", namespaces=["shop"])


async def test_a_field_that_slips_through_is_refused_by_the_server(world: World, bench: Bench) -> None:
    """The plan was made before the CRDs were replaced by older ones: nothing half-meant is made."""
    plan = await TYPES["velero.backup"].plan(bench.reader, {"velero": VELERO, **FORMS[1]}, bench.clock)
    forget(world, BACKUPS, "ttl")
    (create,) = [step for step in TYPES["velero.backup"].steps(plan, _Alone()) if step.mutates]
    with pytest.raises(StepStopped, match=r"spec\.ttl"):
        await create.act(bench)  # type: ignore[arg-type]
    assert not world.api.list(BACKUPS, VELERO)
