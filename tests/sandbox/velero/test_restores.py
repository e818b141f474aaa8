"""Restores: the round trip of bytes, mapping, order, policies, modifiers, validation, and one at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lazarus_tui.model.resources import (
    BACKUPS,
    CLAIMS,
    CONFIGMAPS,
    DEPLOYMENTS,
    JOBS,
    LOCATIONS,
    NAMESPACES,
    POD_VOLUME_BACKUPS,
    POD_VOLUME_RESTORES,
    PODS,
    RESTORES,
    SERVICES,
    STATEFULSETS,
    VOLUMES,
)
from lazarus_tui.sandbox.velero.installation import Settings, phase


async def test_a_lost_namespace_comes_back_with_the_same_bytes(lab: Any) -> None:
    before, old_volume = lab.bytes_of(), lab.volume()
    assert before
    await lab.backup("b")
    await lab.lose()
    assert not old_volume.exists()

    restore = await lab.restore("r", "b")
    await lab.pass_(5)

    assert restore["status"]["phase"] == "Completed"
    assert restore["status"]["progress"]["itemsRestored"] == restore["status"]["progress"]["totalItems"] > 10
    assert lab.bytes_of() == before
    assert lab.volume() != old_volume
    assert lab.api.get(STATEFULSETS, "orders", "shop")["status"]["readyReplicas"] == 1
    assert lab.api.get(DEPLOYMENTS, "web", "shop")["status"]["readyReplicas"] == 1


async def test_a_restore_into_another_namespace_leaves_the_original_alone(lab: Any) -> None:
    before, volume = lab.bytes_of(), lab.volume()
    await lab.backup("b")
    restore = await lab.restore("r", "b", namespaceMapping={"shop": "shop-check"})
    await lab.pass_(5)

    assert restore["status"]["phase"] == "Completed"
    assert lab.bytes_of("shop-check") == before == lab.bytes_of("shop")
    assert lab.volume("shop") == volume
    assert lab.volume("shop-check") != volume
    assert lab.api.get(NAMESPACES, "shop-check")["metadata"]["labels"]["team"] == "shop"
    assert lab.api.get(STATEFULSETS, "orders", "shop-check")["status"]["readyReplicas"] == 1


async def test_what_is_made_carries_labels_and_no_old_identity(lab: Any) -> None:
    old = lab.api.get(STATEFULSETS, "orders", "shop")
    await lab.backup("b")
    await lab.lose()
    await lab.restore("r", "b")
    new = lab.api.get(STATEFULSETS, "orders", "shop")
    service = lab.api.get(SERVICES, "orders", "shop")
    await lab.pass_(2)
    (volume,) = lab.api.list(VOLUMES)

    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    for obj in (new, service):
        assert obj["metadata"]["labels"]["velero.io/backup-name"] == "b"
        assert obj["metadata"]["labels"]["velero.io/restore-name"] == "r"
    assert "labels" not in volume["metadata"], "the provisioner made it, not Velero (restore_finalizer_controller.go)"
    claim = lab.api.get(CLAIMS, "data-orders-0", "shop")
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]


async def test_the_pod_waits_for_its_volume_and_the_restore_for_the_pod(make_lab: Any) -> None:
    lab = await make_lab(settings=Settings(prepare_seconds=60))
    await lab.backup("b")
    await lab.lose()
    lab.create(RESTORES, "r", {"backupName": "b"})
    for _ in range(8):
        await lab.turn(1)

    pod = lab.api.get(PODS, "orders-0", "shop")
    (copy,) = lab.api.list(POD_VOLUME_RESTORES, "velero")
    restore = lab.get(RESTORES, "r")
    assert pod["spec"]["initContainers"][0]["name"] == "restore-wait"
    assert phase(pod) == "Pending"
    assert phase(copy) == "Accepted"
    assert phase(restore) == "InProgress"
    assert restore["status"]["progress"]["itemsRestored"] == restore["status"]["progress"]["totalItems"]

    await lab.over(RESTORES, "r")
    await lab.pass_(3)
    assert phase(lab.api.get(PODS, "orders-0", "shop")) == "Running"
    (copy,) = lab.api.list(POD_VOLUME_RESTORES, "velero")
    assert copy["status"]["progress"]["bytesDone"] == copy["status"]["progress"]["totalBytes"] > 0
    assert copy["status"]["node"]
    assert not (lab.volume() / ".velero").exists()  # restore-wait saw the done-file and cleaned up


async def test_what_exists_already_is_left_alone_and_said(lab: Any) -> None:
    await lab.backup("b")
    changed = {"data": {"currency": "USD"}}
    lab.api.patch(CONFIGMAPS, "shop-settings", changed, "shop")
    before = lab.bytes_of()
    restore = await lab.restore("r", "b")
    warnings = lab.artefact("RestoreResults", "r")["warnings"]["namespaces"]["shop"]

    assert restore["status"]["phase"] == "Completed"
    assert restore["status"]["warnings"] >= 1
    text = (
        "could not restore, ConfigMap:shop-settings already exists. Warning: the in-cluster version is different than "
        "the backed-up version"
    )
    assert text in warnings
    assert lab.api.get(CONFIGMAPS, "shop-settings", "shop")["data"]["currency"] == "USD"
    assert lab.bytes_of() == before
    assert lab.api.list(POD_VOLUME_RESTORES, "velero") == []


async def test_the_update_policy_brings_objects_back_but_never_volume_data(lab: Any) -> None:
    await lab.backup("b")
    lab.api.patch(CONFIGMAPS, "shop-settings", {"data": {"currency": "USD"}}, "shop")
    (lab.volume() / "new-file").write_text("written after the backup")
    await lab.restore("r", "b", existingResourcePolicy="update", includedResources=["configmaps", "pods"])

    settings = lab.api.get(CONFIGMAPS, "shop-settings", "shop")
    assert settings["data"]["currency"] == "EUR"
    assert settings["metadata"]["labels"]["velero.io/restore-name"] == "r"
    assert "shop/shop-settings(updated)" in lab.artefact("RestoreResourceList", "r")["v1/ConfigMap"]
    assert (lab.volume() / "new-file").exists()


async def test_one_at_a_time(make_lab: Any) -> None:
    lab = await make_lab(settings=Settings(prepare_seconds=20))
    await lab.backup("b")
    for name in ("one", "two"):
        lab.create(RESTORES, name, {"backupName": "b", "namespaceMapping": {"shop": f"shop-{name}"}})
    for _ in range(6):
        await lab.turn(1)
    assert lab.phase(RESTORES, "one") == "InProgress"
    assert phase(lab.get(RESTORES, "two")) == ""

    await lab.over(RESTORES, "two")
    one, two = lab.get(RESTORES, "one")["status"], lab.get(RESTORES, "two")["status"]
    assert one["phase"] == two["phase"] == "Completed"
    assert two["startTimestamp"] >= one["completionTimestamp"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "Either a backup or schedule must be specified as a source for the restore, but not both"),
        ({"backupName": "b", "scheduleName": "s"}, "but not both"),
        ({"backupName": "gone"}, "Error retrieving backup"),
        ({"scheduleName": "gone"}, "No backups found for schedule"),
        ({"backupName": "b", "existingResourcePolicy": "overwrite"}, "Invalid ExistingResourcePolicy: overwrite"),
        ({"backupName": "b", "includedResources": ["nodes"]}, "nodes are non-restorable resources"),
        ({"backupName": "b", "includedNamespaces": ["*", "a"]}, "Invalid included/excluded namespace lists"),
        (
            {
                "backupName": "b",
                "labelSelector": {"matchLabels": {"a": "b"}},
                "orLabelSelectors": [{"matchLabels": {}}],
            },
            "encountered labelSelector as well as orLabelSelectors in restore spec",
        ),
        (
            {"backupName": "b", "resourceModifier": {"kind": "configmap", "name": "gone"}},
            "failed to get resource modifiers configmap velero/gone",
        ),
        (
            {"backupName": "b", "resourceModifier": {"kind": "ConfigMap", "name": "two-keys"}},
            "illegal resource modifiers velero/two-keys configmap",
        ),
    ],
)
async def test_what_is_wrong_ends_in_failed_validation(lab: Any, spec: dict[str, Any], message: str) -> None:
    lab.api.create(CONFIGMAPS, {"metadata": {"name": "two-keys"}, "data": {"a": "", "b": ""}}, "velero")
    await lab.backup("b", includedResources=["configmaps"])
    lab.create(RESTORES, "wrong", spec)
    status = (await lab.over(RESTORES, "wrong"))["status"]

    assert status["phase"] == "FailedValidation"
    assert any(message in error for error in status["validationErrors"])
    assert "startTimestamp" not in status


async def test_a_backup_in_a_location_that_does_not_answer_is_refused(lab: Any) -> None:
    await lab.backup("b")
    lab.api.patch(LOCATIONS, "default", {"spec": {"config": {"s3Url": "https://gone.invalid"}}}, "velero")
    await lab.cluster.settle()
    status = (await lab.restore("r", "b"))["status"]

    assert status["validationErrors"] == ["The BSL default is unavailable, cannot retrieve the backup"]


async def test_a_schedule_as_source_means_its_newest_completed_backup(lab: Any) -> None:
    label = {"velero.io/schedule-name": "nightly"}
    only = {"includedNamespaces": ["shop"], "includedResources": ["configmaps"]}
    for name in ("older", "newer", "newest"):
        lab.create(BACKUPS, name, only, labels=label)
        await lab.over(BACKUPS, name)
        await lab.pass_(60)
    lab.api.patch(BACKUPS, "newest", {"status": {"phase": "PartiallyFailed"}}, "velero")
    lab.create(RESTORES, "r", {"scheduleName": "nightly"})
    restore = await lab.over(RESTORES, "r")

    assert restore["spec"]["backupName"] == "newer"
    assert restore["spec"]["scheduleName"] == "nightly"


async def test_the_spec_is_written_back_with_what_velero_never_restores(lab: Any) -> None:
    await lab.backup("b", includedResources=["configmaps"])
    restore = await lab.restore("r", "b")

    assert set(restore["spec"]["excludedResources"]) >= {"nodes", "events", "backups.velero.io", "restores.velero.io"}
    assert restore["metadata"]["finalizers"] == ["restores.velero.io/external-resources-finalizer"]


async def test_modifiers_change_objects_and_fail_open(lab: Any) -> None:
    rules = {
        "version": "v1",
        "resourceModifierRules": [
            {
                "conditions": {"groupResource": "deployments.apps", "namespaces": ["shop"]},
                "patches": [{"operation": "replace", "path": "/spec/replicas", "value": "0"}],
            },
            {
                "conditions": {"groupResource": "configmaps", "resourceNameRegex": "^shop-"},
                "mergePatches": [{"patchData": '{"data": {"greeting": null, "drill": "yes"}}'}],
            },
            {
                "conditions": {"groupResource": "services"},
                "patches": [{"operation": "replace", "path": "/spec/nothing/here", "value": "x"}],
            },
        ],
    }
    lab.api.create(CONFIGMAPS, {"metadata": {"name": "drill"}, "data": {"rules.yaml": json.dumps(rules)}}, "velero")
    await lab.backup("b")
    restore = await lab.restore(
        "r", "b", namespaceMapping={"shop": "drill"}, resourceModifier={"kind": "ConfigMap", "name": "drill"}
    )

    assert lab.api.get(DEPLOYMENTS, "web", "drill")["spec"]["replicas"] == 0
    assert lab.api.get(CONFIGMAPS, "shop-settings", "drill")["data"] == {"currency": "EUR", "drill": "yes"}
    assert lab.api.get(SERVICES, "orders", "drill") is not None  # restored without the rule that failed
    assert restore["status"]["phase"] == "PartiallyFailed"
    errors = lab.artefact("RestoreResults", "r")["errors"]["namespaces"]["drill"]
    assert any("services/orders" in error and "missing path" in error for error in errors)


async def test_damaged_volume_data_is_never_restored_as_if_it_were_good(lab: Any) -> None:
    await lab.backup("b")
    objects = lab.cluster.objects.root / "shop-velero-backups" / "kopia" / "shop" / "objects"
    for path in objects.glob("*/*"):
        path.chmod(0o600)
        path.write_bytes(b"rotten")
    restore = await lab.restore("r", "b", namespaceMapping={"shop": "copy"})

    assert restore["status"]["phase"] == "PartiallyFailed"
    assert "pod volume restore failed" in lab.artefact("RestoreResults", "r")["errors"]["namespaces"]["copy"][0]
    pod = lab.api.get(PODS, "orders-0", "copy")
    assert pod is None or phase(pod) == "Pending"


async def test_a_tarball_that_is_gone_or_cut_fails_the_restore(lab: Any) -> None:
    await lab.backup("b", includedResources=["configmaps"])
    path = lab.cluster.objects.root / "shop-velero-backups" / "backups" / "b" / "b.tar.gz"
    path.write_bytes(path.read_bytes()[:100])
    assert (await lab.restore("cut", "b"))["status"]["phase"] == "Failed"
    path.unlink()
    gone = (await lab.restore("gone", "b"))["status"]
    assert gone["phase"] == "Failed"
    assert gone["failureReason"]


async def test_finished_jobs_and_pods_are_not_restored(lab: Any) -> None:
    job = {
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "t", "image": "lazarus.dev/task:1"}]}}
    }
    lab.api.create(JOBS, {"metadata": {"name": "once"}, "spec": job}, "shop")
    await lab.pass_(5)
    await lab.backup("b")
    assert "shop/once" in lab.artefact("BackupResourceList", "b")["batch/v1/Job"]
    await lab.restore("r", "b", namespaceMapping={"shop": "copy"})

    assert lab.api.get(JOBS, "once", "copy") is None
    assert lab.artefact("RestoreResourceList", "r")["batch/v1/Job"] == ["copy/once(skipped)"]


async def test_deleting_a_restore_removes_its_files_and_needs_the_bucket(lab: Any) -> None:
    await lab.backup("b", includedResources=["configmaps"])
    await lab.restore("r", "b")
    folder = lab.cluster.objects.root / "shop-velero-backups" / "restores" / "r"
    assert folder.exists()
    url = lab.get(LOCATIONS, "default")["spec"]["config"]["s3Url"]
    lab.api.patch(LOCATIONS, "default", {"spec": {"config": {"s3Url": "https://gone.invalid"}}}, "velero")
    await lab.cluster.settle()
    lab.api.delete(RESTORES, "r", "velero")
    await lab.cluster.settle()
    assert lab.get(RESTORES, "r")["metadata"]["deletionTimestamp"]  # hangs, as Velero's does

    lab.api.patch(LOCATIONS, "default", {"spec": {"config": {"s3Url": url}}}, "velero")
    await lab.pass_(60)
    assert lab.api.get(RESTORES, "r", "velero") is None
    assert not folder.exists()


async def test_a_canceled_copy_makes_the_restore_partially_failed(make_lab: Any) -> None:
    lab = await make_lab()
    await lab.backup("b")
    assert lab.api.list(POD_VOLUME_BACKUPS, "velero")
    lab.api.subscribe(
        lambda kind, resource, obj, old: (
            lab.api.patch(POD_VOLUME_RESTORES, obj["metadata"]["name"], {"spec": {"cancel": True}}, "velero")
            if resource == POD_VOLUME_RESTORES and kind == "ADDED"
            else None
        )
    )
    restore = await lab.restore("r", "b", namespaceMapping={"shop": "copy"})

    assert restore["status"]["phase"] == "PartiallyFailed"
    assert "canceled" in lab.artefact("RestoreResults", "r")["errors"]["namespaces"]["copy"][0]


async def test_restore_hooks_run_in_the_restored_pod_and_failures_count(lab: Any) -> None:
    await lab.backup("b")
    one = {"container": "orders", "command": ["true"]}
    hooks = {
        "resources": [
            {
                "name": "after",
                "includedNamespaces": ["copy"],  # the target's name, not the original's
                "labelSelector": {"matchLabels": {"app": "orders"}},
                "postHooks": [{"exec": one}, {"exec": {**one, "command": ["false"], "waitForReady": True}}],
            },
            {"name": "never", "includedNamespaces": ["shop"], "postHooks": [{"exec": one}]},
        ]
    }
    restore = await lab.restore("r", "b", namespaceMapping={"shop": "copy"}, hooks=hooks)

    assert restore["status"]["hookStatus"] == {"hooksAttempted": 2, "hooksFailed": 1}
    assert restore["status"]["phase"] == "PartiallyFailed"
    assert "exit code 1" in lab.artefact("RestoreResults", "r")["errors"]["namespaces"]["copy"][0]


async def test_a_hook_whose_container_never_runs_is_given_up(lab: Any) -> None:
    marks = {
        "post.hook.restore.velero.io/command": '["true"]',
        "post.hook.restore.velero.io/wait-timeout": "20s",
        "init.hook.restore.velero.io/container-image": "example.com/nowhere:1",
        "init.hook.restore.velero.io/command": "true",
    }
    lab.api.patch(PODS, "orders-0", {"metadata": {"annotations": marks}}, "shop")
    await lab.backup("b")
    restore = await lab.restore("r", "b", namespaceMapping={"shop": "copy"})
    pod = lab.api.get(PODS, "orders-0", "copy")

    assert [one["name"] for one in pod["spec"]["initContainers"]] == ["restore-wait", "velero-restore-init-hook"]
    assert restore["status"]["hookStatus"] == {"hooksAttempted": 1, "hooksFailed": 1}
    assert "was not executed" in lab.artefact("RestoreResults", "r")["errors"]["namespaces"]["copy"][0]
