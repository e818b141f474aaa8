"""Backups: phases, defaults, validation, the queue, what is taken, volumes, hooks and artefacts."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lazarus_tui.model.resources import (
    BACKUPS,
    CONFIGMAPS,
    LOCATIONS,
    NAMESPACES,
    POD_VOLUME_BACKUPS,
    PODS,
    REPOSITORIES,
)
from lazarus_tui.sandbox.velero.installation import Settings, phase
from lazarus_tui.sandbox.velero.layout import artefact_key

BUCKET = "shop-velero-backups"


def names(lab: Any, backup: str) -> set[str]:
    data = lab.cluster.objects.bucket(BUCKET).get(artefact_key("BackupContents", backup))
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        return set(tar.getnames())


async def test_it_runs_through_every_phase_in_order(make_lab: Any) -> None:
    lab = await make_lab(settings=Settings(prepare_seconds=5, item_seconds=0.1))
    seen: list[str] = []
    lab.api.subscribe(
        lambda kind, resource, obj, old: (
            seen.append(phase(obj)) if resource == BACKUPS and (not seen or seen[-1] != phase(obj)) else None
        )
    )

    await lab.backup("all-phases")

    assert seen == ["", "Queued", "ReadyToStart", "InProgress", "Finalizing", "Completed"]


async def test_a_finished_backup_says_what_velero_says(lab: Any) -> None:
    backup = await lab.backup("b", ttl="1h")
    status, spec = backup["status"], backup["spec"]

    assert status["phase"] == "Completed"
    assert status["startTimestamp"] == "2026-03-04T09:10:47Z"
    assert status["expiration"] == "2026-03-04T10:10:47Z"  # counted from the start
    assert status["completionTimestamp"] >= status["startTimestamp"]
    assert status["version"] == 1
    assert status["formatVersion"] == "1.1.0"
    assert status["progress"]["itemsBackedUp"] == status["progress"]["totalItems"] > 10
    assert spec["storageLocation"] == "default"
    assert spec["csiSnapshotTimeout"] == "10m0s"
    assert spec["itemOperationTimeout"] == "4h0m0s"
    assert backup["metadata"]["labels"]["velero.io/storage-location"] == "default"
    assert backup["metadata"]["annotations"]["velero.io/source-cluster-k8s-major-version"] == "1"


async def test_an_empty_spec_takes_everything_and_gets_the_defaults(lab: Any) -> None:
    lab.create(BACKUPS, "bare")
    backup = await lab.over(BACKUPS, "bare")

    assert backup["status"]["phase"] == "Completed"
    assert backup["spec"]["includedNamespaces"] == ["*"]
    assert backup["spec"]["ttl"] == "720h0m0s"
    listed = lab.artefact("BackupResourceList", "bare")
    assert "shop" in listed["v1/Namespace"]
    assert "velero" in listed["v1/Namespace"]
    assert "storage.k8s.io/v1/StorageClass" in listed


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"storageLocation": "nowhere"}, "nowhere was not found"),
        ({"storageLocation": "offsite"}, "BackupStorageLocation offsite is in Unavailable status."),
        ({"includedNamespaces": ["a", "*"]}, "includes list must either contain '*' only"),
        ({"includedNamespaces": ["a"], "excludedNamespaces": ["a"]}, "an item in the includes list: a"),
        ({"includedNamespaces": ["a**"]}, "invalid wildcard pattern"),
        ({"excludedResources": ["*"]}, "excludes list cannot contain '*'"),
        (
            {"includedResources": ["pods"], "includedNamespaceScopedResources": ["pods"]},
            "They cannot be used together",
        ),
        (
            {"labelSelector": {"matchLabels": {"a": "b"}}, "orLabelSelectors": [{"matchLabels": {"a": "b"}}]},
            "encountered labelSelector as well as orLabelSelectors in backup spec",
        ),
        ({"resourcePolicy": {"kind": "configmap", "name": "gone"}}, "fail to get ResourcePolicies"),
        ({"resourcePolicy": {"kind": "configmap", "name": "policy"}}, "the sandbox's Velero has no volume policies"),
        ({"volumeSnapshotLocations": ["gone"]}, "a VolumeSnapshotLocation CRD for the location gone"),
    ],
)
async def test_what_is_wrong_ends_in_failed_validation(lab: Any, spec: dict[str, Any], message: str) -> None:
    lab.api.create(CONFIGMAPS, {"metadata": {"name": "policy"}, "data": {"p": "version: v1"}}, "velero")
    lab.create(BACKUPS, "wrong", spec)
    status = (await lab.over(BACKUPS, "wrong"))["status"]

    assert status["phase"] == "FailedValidation"
    assert any(message in error for error in status["validationErrors"])
    assert "startTimestamp" not in status
    assert "expiration" in status
    assert not (lab.cluster.objects.root / BUCKET / "backups" / "wrong").exists()


async def test_a_read_only_location_takes_no_backup(lab: Any) -> None:
    lab.api.patch(LOCATIONS, "default", {"spec": {"accessMode": "ReadOnly"}}, "velero")
    status = (await lab.backup("refused"))["status"]

    assert "currently in read-only mode" in status["validationErrors"][0]


async def test_one_runs_while_the_others_queue_in_order(make_lab: Any) -> None:
    lab = await make_lab(settings=Settings(prepare_seconds=30))
    for name in ("first", "second", "third"):
        lab.create(BACKUPS, name, {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True})
    await lab.quiet()

    assert lab.phase(BACKUPS, "first") == "InProgress"
    assert (lab.phase(BACKUPS, "second"), lab.get(BACKUPS, "second")["status"]["queuePosition"]) == ("Queued", 1)
    assert (lab.phase(BACKUPS, "third"), lab.get(BACKUPS, "third")["status"]["queuePosition"]) == ("Queued", 2)

    await lab.over(BACKUPS, "first")
    await lab.quiet()
    assert lab.get(BACKUPS, "third")["status"]["queuePosition"] == 1
    third = await lab.over(BACKUPS, "third")
    assert third["status"]["startTimestamp"] >= lab.get(BACKUPS, "second")["status"]["completionTimestamp"]


async def test_a_name_that_is_in_the_bucket_already_fails(lab: Any) -> None:
    await lab.backup("taken")
    lab.api.patch(LOCATIONS, "default", {"spec": {"backupSyncPeriod": "0s"}}, "velero")
    lab.api.delete(BACKUPS, "taken", "velero")
    status = (await lab.backup("taken"))["status"]

    assert status["phase"] == "Failed"
    assert status["failureReason"] == "backup already exists in object storage"


async def test_the_tarball_has_veleros_layout(lab: Any) -> None:
    await lab.backup("laid-out")
    found = names(lab, "laid-out")

    assert "metadata/version" in found
    for place in (
        "pods/namespaces/shop/orders-0",
        "statefulsets.apps/namespaces/shop/orders",
        "namespaces/cluster/shop",
    ):
        kind, rest = place.split("/", 1)
        assert f"resources/{kind}/{rest}.json" in found
        assert f"resources/{kind}/v1-preferredversion/{rest}.json" in found


async def test_every_artefact_is_in_the_bucket(lab: Any) -> None:
    await lab.backup("complete")
    found = {path.name for path in (lab.cluster.objects.root / BUCKET / "backups" / "complete").iterdir()}

    assert found == {
        "velero-backup.json",
        "complete.tar.gz",
        "complete-logs.gz",
        "complete-results.gz",
        "complete-resource-list.json.gz",
        "complete-volumeinfo.json.gz",
        "complete-volumesnapshots.json.gz",
        "complete-itemoperations.json.gz",
        "complete-podvolumebackups.json.gz",
    }
    log = lab.cluster.objects.bucket(BUCKET).get(artefact_key("BackupLog", "complete"))
    assert b"backup=velero/complete" in gzip.decompress(log)
    assert lab.artefact("BackupResults", "complete") == {"errors": {}, "warnings": {}}


async def test_a_pod_volume_is_copied_with_its_bytes(lab: Any) -> None:
    await lab.backup("bytes")
    (copy,) = lab.api.list(POD_VOLUME_BACKUPS, "velero", labels={"velero.io/backup-name": "bytes"})
    size = sum(path.stat().st_size for path in lab.volume().rglob("*") if path.is_file())

    assert copy["status"]["phase"] == "Completed"
    assert copy["status"]["progress"] == {"totalBytes": size, "bytesDone": size}
    assert size > 10_000
    assert copy["metadata"]["annotations"]["velero.io/pvc-name"] == "data-orders-0"
    assert copy["metadata"]["ownerReferences"][0]["name"] == "bytes"
    assert "finalizers" not in copy["metadata"]
    (info,) = lab.artefact("BackupVolumeInfos", "bytes")
    assert (info["pvcName"], info["backupMethod"], info["skipped"]) == ("data-orders-0", "PodVolumeBackup", False)
    assert info["pvbInfo"]["size"] == size
    assert info["result"] == "succeeded"
    (repository,) = lab.api.list(REPOSITORIES, "velero")
    assert repository["status"]["phase"] == "Ready"


async def test_unchanged_data_is_stored_once(lab: Any) -> None:
    await lab.backup("one")
    await lab.backup("two")
    (second,) = lab.api.list(POD_VOLUME_BACKUPS, "velero", labels={"velero.io/backup-name": "two"})

    assert second["status"]["incrementalBytes"] == 0


async def test_opt_in_without_annotation_completes_without_any_volume_data(lab: Any) -> None:
    backup = await lab.backup("hollow", defaultVolumesToFsBackup=False)

    assert backup["status"]["phase"] == "Completed"
    assert lab.api.list(POD_VOLUME_BACKUPS, "velero") == []
    (info,) = lab.artefact("BackupVolumeInfos", "hollow")
    assert info["skipped"] is True
    assert info["skippedReason"] == "volumeSnapshot: no applicable volumesnapshotter found"


async def test_a_volume_can_opt_out_and_in_by_annotation(lab: Any) -> None:
    out = {"metadata": {"annotations": {"backup.velero.io/backup-volumes-excludes": "data"}}}
    lab.api.patch(PODS, "orders-0", out, "shop")
    await lab.backup("opted-out")
    (info,) = lab.artefact("BackupVolumeInfos", "opted-out")
    assert info["skippedReason"] == "podvolume: opted out due to annotation in pod orders-0"

    into = {"metadata": {"annotations": {"backup.velero.io/backup-volumes": "data"}}}
    lab.api.patch(PODS, "orders-0", into, "shop")
    await lab.backup("opted-in", defaultVolumesToFsBackup=False)
    (info,) = lab.artefact("BackupVolumeInfos", "opted-in")
    assert info["backupMethod"] == "PodVolumeBackup"


async def test_a_volume_that_cannot_be_read_makes_it_partially_failed(lab: Any) -> None:
    lab.volume().joinpath("orders.db").unlink()
    lab.volume().joinpath("orders.db").mkdir(mode=0o700)
    broken = lab.volume().rename(lab.volume().with_name("elsewhere"))
    backup = await lab.backup("broken")

    assert broken.exists()
    assert backup["status"]["phase"] == "PartiallyFailed"
    assert backup["status"]["errors"] == 1
    results = lab.artefact("BackupResults", "broken")
    assert "pod volume backup failed" in results["errors"]["namespaces"]["shop"][0]


async def test_a_canceled_copy_makes_it_partially_failed(make_lab: Any) -> None:
    lab = await make_lab(settings=Settings(fs_backup_timeout=100))
    lab.api.subscribe(
        lambda kind, resource, obj, old: (
            lab.api.patch(POD_VOLUME_BACKUPS, obj["metadata"]["name"], {"spec": {"cancel": True}}, "velero")
            if resource == POD_VOLUME_BACKUPS and kind == "ADDED"
            else None
        )
    )
    backup = await lab.backup("stopped")

    assert backup["status"]["phase"] == "PartiallyFailed"
    assert "pod volume backup canceled" in lab.artefact("BackupResults", "stopped")["errors"]["namespaces"]["shop"][0]


async def test_copies_that_take_too_long_leave_no_file_system_data_at_all(make_lab: Any) -> None:
    lab = await make_lab(settings=Settings(prepare_seconds=500, fs_backup_timeout=60))
    lab.create(BACKUPS, "late", {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True})
    await lab.turn(61)

    assert lab.phase(BACKUPS, "late") == "PartiallyFailed"
    assert lab.artefact("BackupResults", "late")["errors"]["velero"] == [
        "timed out waiting for all PodVolumeBackups to complete"
    ]
    (info,) = lab.artefact("BackupVolumeInfos", "late")
    assert info["skipped"] is True


@pytest.mark.parametrize(
    ("spec", "inside", "outside"),
    [
        ({"includedResources": ["configmaps"]}, {"v1/ConfigMap", "v1/Namespace"}, {"v1/Pod", "apps/v1/StatefulSet"}),
        ({"excludedResources": ["secrets"]}, {"v1/Pod"}, {"v1/Secret"}),
        ({"labelSelector": {"matchLabels": {"app": "web"}}}, {"apps/v1/Deployment"}, {"apps/v1/StatefulSet"}),
        ({"includedNamespaceScopedResources": ["statefulsets.apps"]}, {"apps/v1/StatefulSet"}, {"v1/Pod"}),
        ({}, {"v1/PersistentVolume", "storage.k8s.io/v1/StorageClass"}, {"v1/Node"}),
        ({"includeClusterResources": False}, {"v1/PersistentVolumeClaim"}, {"v1/PersistentVolume"}),
        ({"includeClusterResources": True}, {"v1/Node"}, set()),
    ],
)
async def test_filters_decide_what_is_inside(lab: Any, spec: Any, inside: set[str], outside: set[str]) -> None:
    backup = await lab.backup("filtered", **spec)
    listed = set(lab.artefact("BackupResourceList", "filtered"))

    assert backup["status"]["phase"] == "Completed"
    assert inside <= listed
    assert not outside & listed


async def test_objects_and_namespaces_can_be_left_out_by_label(lab: Any) -> None:
    mark = {"metadata": {"labels": {"velero.io/exclude-from-backup": "true"}}}
    lab.api.patch(CONFIGMAPS, "shop-settings", mark, "shop")
    lab.api.create(NAMESPACES, {"metadata": {"name": "hidden", **mark["metadata"]}})
    await lab.cluster.settle()
    backup = await lab.backup("marked", includedNamespaces=["*"])
    listed = lab.artefact("BackupResourceList", "marked")

    assert backup["spec"]["excludedNamespaces"] == ["hidden"]
    assert "hidden" not in listed["v1/Namespace"]
    assert "shop/shop-settings" not in listed["v1/ConfigMap"]


async def test_named_objects_come_first(lab: Any) -> None:
    await lab.backup("ordered", orderedResources={"services": "shop/web,shop/orders", "pods": "shop/orders-0"})
    data = lab.cluster.objects.bucket(BUCKET).get(artefact_key("BackupContents", "ordered"))
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        order = [name for name in tar.getnames() if name.startswith("resources/services/namespaces/")]

    assert [name.rpartition("/")[2] for name in order] == ["web.json", "orders.json"]


async def test_hooks_run_and_failures_count(lab: Any) -> None:
    good = {"name": "g", "pre": [{"exec": {"container": "orders", "command": ["true"]}}]}
    bad = {"name": "b", "labelSelector": {"matchLabels": {"app": "orders"}}, "post": [{"exec": {"command": ["false"]}}]}
    good["labelSelector"] = bad["labelSelector"]
    backup = await lab.backup("hooked", hooks={"resources": [good, bad]})

    assert backup["status"]["hookStatus"] == {"hooksAttempted": 2, "hooksFailed": 1}
    assert backup["status"]["phase"] == "PartiallyFailed"


async def test_an_explicit_fail_of_a_pre_hook_leaves_the_pod_out(lab: Any) -> None:
    marks = {
        "pre.hook.backup.velero.io/command": '["false"]',
        "pre.hook.backup.velero.io/on-error": "Fail",
        "post.hook.backup.velero.io/command": "true",
    }
    lab.api.patch(PODS, "orders-0", {"metadata": {"annotations": marks}}, "shop")
    backup = await lab.backup("hook-fails")

    assert backup["status"]["hookStatus"] == {"hooksAttempted": 1, "hooksFailed": 1}  # its post hook did not run
    assert "shop/orders-0" not in lab.artefact("BackupResourceList", "hook-fails")["v1/Pod"]
    assert lab.api.list(POD_VOLUME_BACKUPS, "velero") == []


async def test_the_pods_stand_still_while_their_volume_is_copied_and_only_then(lab: Any) -> None:
    moments: list[str] = []
    node, site = lab.cluster.velero.node, lab.cluster.velero

    class Watched:
        name = node.name
        directory = staticmethod(node.directory)

        @asynccontextmanager
        async def frozen(self, pod: Any) -> AsyncIterator[None]:
            async with node.frozen(pod):
                moments.append(f"frozen {pod['metadata']['name']}")
                yield
                moments.append("thawed")

    site.node = Watched()
    lab.api.subscribe(
        lambda kind, resource, obj, old: moments.append(phase(obj)) if resource == POD_VOLUME_BACKUPS else None
    )
    await lab.backup("still")

    order = [moment for index, moment in enumerate(moments) if index == 0 or moments[index - 1] != moment]
    assert order == [
        "New",
        "Accepted",
        "Prepared",
        "InProgress",
        "frozen orders-0",
        "InProgress",
        "thawed",
        "InProgress",
        "Completed",
    ]


async def test_progress_is_written_at_most_once_a_second(make_lab: Any) -> None:
    lab = await make_lab(settings=Settings(item_seconds=0.5))
    seen: list[dict[str, int]] = []
    lab.api.subscribe(
        lambda kind, resource, obj, old: (
            seen.append(obj["status"]["progress"])
            if resource == BACKUPS
            and old
            and (obj.get("status") or {}).get("progress")
            and obj["status"]["progress"] != (old.get("status") or {}).get("progress")
            else None
        )
    )
    await lab.backup("paced")

    done = [progress["itemsBackedUp"] for progress in seen]
    assert done == sorted(done)
    assert 3 <= len(done) < done[-1]
    assert done[-1] == seen[-1]["totalItems"]
