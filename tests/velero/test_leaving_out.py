"""A restore without the data of volumes: what Velero leaves out then, and what it would fill all the same."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.objects import Backup, BackupStatus
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import BACKUPS
from lazarus_tui.model.volumes import Coverage, Held, HeldVolume
from lazarus_tui.velero import leaving_out, restore
from lazarus_tui.velero.leaving_out import stays_empty
from tests.velero.lab import merge
from tests.velero.source import Source

FILES = HeldVolume("shop/data", Held.CAPTURED, "PodVolumeBackup")
DISK = HeldVolume("shop/disk", Held.CAPTURED, "CSISnapshot")
NOTHING = HeldVolume("shop/none", Held.ABSENT, "PodVolumeBackup")
ALL = (FILES, DISK, NOTHING)


@pytest.mark.parametrize(
    ("spec", "empty"),
    [
        ({}, []),
        ({"restorePVs": True}, []),
        ({"restorePVs": False}, ["shop/disk"]),
        ({"excludedResources": ["pods"]}, ["shop/data", "shop/none"]),
        ({"restorePVs": False, "excludedResources": ["po"]}, ["shop/data", "shop/disk", "shop/none"]),
    ],
)
def test_restore_pvs_is_about_snapshots_and_files_come_with_their_pods(spec: dict[str, Any], empty: list[str]) -> None:
    assert [one.claim for one in ALL if stays_empty(spec, one)] == empty


def test_where_no_data_is_wanted_pods_stay_out_if_velero_would_fill_their_volumes() -> None:
    spec, notes = leaving_out.emptied({"restorePVs": False, "excludedResources": ["jobs.batch"]}, ALL, ())
    assert spec["excludedResources"] == ["jobs.batch", "pods"]
    assert notes == [
        "pods stay out, and their workloads make new ones (those of no workload do not come back): Velero would fill "
        "volumes of shop/data"
    ]
    for given, volumes in (
        ({"restorePVs": False}, (DISK, NOTHING)),
        ({"restorePVs": True}, ALL),
        ({}, ALL),
        ({"restorePVs": False, "excludedResources": ["Pods"]}, ALL),
    ):
        assert leaving_out.emptied(given, volumes, ()) == (given, [])


@pytest.mark.parametrize("kind", ["persistentvolumes", "pv", "PersistentVolumeClaims", "pvc"])
def test_pods_that_would_wait_for_ever_are_refused(kind: str) -> None:
    with pytest.raises(PlanRefused, match=r"pods of shop/data would wait for ever") as refused:
        leaving_out.refuse_waiting({"excludedResources": [kind]}, ALL, ())
    assert "leave out pods, too" in refused.value.hint
    leaving_out.refuse_waiting({"excludedResources": [kind]}, (DISK, NOTHING), ())
    leaving_out.refuse_waiting({"excludedResources": [kind, "pods"]}, ALL, ["shop/web-1"])
    with pytest.raises(PlanRefused, match=r"and pod shop/web-1 would wait for ever"):
        leaving_out.refuse_waiting({"excludedResources": [kind]}, (DISK,), ["shop/web-1"])
    with pytest.raises(PlanRefused, match=r"pods of shop/data and pods shop/a, shop/b would wait for ever"):
        leaving_out.refuse_waiting({"excludedResources": [kind]}, ALL, ["shop/b", "shop/a"])


async def test_the_plan_keeps_what_the_option_promises(source: Source) -> None:
    params = {"backup": "b1", "namespaces": ["shop"], "restore_volumes": False}
    plan = await restore.plan(source, params, source.clock)
    assert plan.params["spec"]["excludedResources"] == ["pods"]
    assert plan.params["spec"]["restorePVs"] is False
    assert "EMPTY" in next(one.detail for one in plan.effects if one.what == "volume shop/data-orders-0")
    assert any("pods stay out" in one for one in plan.warnings)
    given = {"backup": "b1", "namespaces": ["shop"], "exclude_resources": ["persistentvolumeclaims"]}
    with pytest.raises(PlanRefused, match="would wait for ever"):
        await restore.plan(source, given, source.clock)


def scratch(pod: str, **changes: Any) -> dict[str, Any]:
    """The entry of an emptyDir that was copied by files: it has no claim."""
    space, _, name = pod.partition("/")
    made = {"podName": name, "podNamespace": space, "volumeName": "cache", "Phase": "Completed", "size": 10}
    return {"backupMethod": "PodVolumeBackup", "result": "succeeded", "pvbInfo": {**made, **changes}}


async def test_the_plan_sees_the_empty_dirs_that_velero_fills(source: Source) -> None:
    """``backup.velero.io/backup-volumes`` names them, and their pods wait as those of claims do."""
    disk = {"pvcName": "data-orders-0", "pvcNamespace": "shop", "backupMethod": "CSISnapshot",
            "csiSnapshotInfo": {"ReadyToUse": True}}  # fmt: skip
    elsewhere, failed = scratch("other/web-1"), scratch("shop/web-2", Phase="Failed") | {"result": "failed"}
    given = {"backup": "b1", "namespaces": ["shop"], "exclude_resources": ["persistentvolumes"]}
    source.contents["BackupVolumeInfos"] = [disk, elsewhere, failed]
    await restore.plan(source, given, source.clock)
    source.contents["BackupVolumeInfos"] = [disk, elsewhere, failed, scratch("shop/web-1")]
    with pytest.raises(PlanRefused, match=r"by files, and pod shop/web-1 would wait for ever"):
        await restore.plan(source, given, source.clock)
    plan = await restore.plan(source, {"backup": "b1", "namespaces": ["shop"], "restore_volumes": False}, source.clock)
    assert plan.params["spec"]["excludedResources"] == ["pods"]
    assert any("volumes of pod shop/web-1" in one for one in plan.warnings)


NATIVE = HeldVolume("shop/native", Held.CAPTURED, "NativeSnapshot")
FAILED = HeldVolume("shop/failed", Held.ABSENT, "NativeSnapshot")


def test_volumes_of_native_snapshots_never_come_back_without_their_data() -> None:
    """Velero restores their PersistentVolumes as they were (pkg/restore/pv_restorer.go), whatever the snapshot says."""
    with pytest.raises(PlanRefused, match=r"shop/failed, shop/native back on the ORIGINAL disks") as refused:
        leaving_out.refuse_originals({"restorePVs": False}, (*ALL, NATIVE, FAILED))
    assert "with their data" in refused.value.hint
    leaving_out.refuse_originals({"restorePVs": False}, ALL)
    leaving_out.refuse_originals({"restorePVs": False, "excludedResources": ["pv"]}, (NATIVE,))
    leaving_out.refuse_originals({"restorePVs": True}, (NATIVE,))
    leaving_out.refuse_originals({}, (NATIVE,))


async def test_the_plan_refuses_a_copy_on_the_disks_of_the_original(source: Source) -> None:
    native = {"pvcName": "data-orders-0", "pvcNamespace": "shop", "backupMethod": "NativeSnapshot",
              "result": "succeeded", "nativeSnapshotInfo": {"Phase": "Completed"}}  # fmt: skip
    source.contents["BackupVolumeInfos"] = [native]
    given = {"backup": "b1", "namespaces": ["shop"], "namespace_mapping": {"shop": "copy"}}
    await restore.plan(source, given, source.clock)
    with pytest.raises(PlanRefused, match="shop/data-orders-0 back on the ORIGINAL disks"):
        await restore.plan(source, {**given, "restore_volumes": False}, source.clock)
    other = {**native, "pvcNamespace": "bank"}
    source.contents["BackupVolumeInfos"] = [other]
    await restore.plan(source, {**given, "restore_volumes": False}, source.clock)


async def test_a_volume_list_that_cannot_be_read_leaves_the_data_of_claims_unknown(source: Source) -> None:
    """Nothing that is unknown is called empty, and the plan says what that may mean for the disks of the original."""
    del source.contents["BackupVolumeInfos"]
    merge(source.at(BACKUPS, "b1"), {"status": {"volumeSnapshotsAttempted": 2}})
    given = {"backup": "b1", "namespaces": ["shop"], "restore_volumes": False}
    plan = await restore.plan(source, given, source.clock)
    assert [one.detail for one in plan.effects if one.what == "volume shop/data-orders-0"] == [
        "data unknown: the backup's volume list has not been read"
    ]
    assert (
        "the backup has 2 native snapshots, and without their data Velero brings volumes back on the ORIGINAL disks: "
        "unless the list can be read when the restore begins, it stops before it makes anything"
    ) in plan.warnings
    for other in ({"restore_volumes": True}, {"exclude_resources": ["persistentvolumes", "persistentvolumeclaims"]}):
        plan = await restore.plan(source, {**given, **other}, source.clock)
        assert not [one for one in plan.warnings if "ORIGINAL disks" in one]


@pytest.mark.parametrize(
    ("spec", "complete", "count", "maybe"),
    [
        ({"restorePVs": False}, False, 1, True),
        ({"restorePVs": False}, True, 1, False),
        ({"restorePVs": False}, False, 0, False),
        ({"restorePVs": True}, False, 1, False),
        ({}, False, 1, False),
        ({"restorePVs": False, "excludedResources": ["pv"]}, False, 1, False),
        ({"restorePVs": False, "includeClusterResources": False}, False, 1, False),
    ],
)
def test_disks_of_the_original_are_feared_where_nobody_can_say(
    spec: dict[str, Any], complete: bool, count: int, maybe: bool
) -> None:
    backup = Backup(status=BackupStatus(volume_snapshots_attempted=count))
    said = leaving_out.maybe_on_originals(spec, Coverage(complete=complete), backup)
    assert ("1 native snapshot, and" in said) is maybe
    assert bool(said) is maybe
