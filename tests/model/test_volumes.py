"""What a backup holds of each claim, from its volume list and its copies."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from lazarus_tui.model.objects import VolumeCopy
from lazarus_tui.model.volumes import Held, VolumeInfoError, coverage, parse_volume_infos


def entry(**changes: Any) -> dict[str, Any]:
    base = {
        "pvcName": "data",
        "pvcNamespace": "shop",
        "pvName": "pv-1",
        "backupMethod": "PodVolumeBackup",
        "snapshotDataMoved": False,
        "skipped": False,
        "result": "succeeded",
        "pvbInfo": {"snapshotHandle": "k1", "size": 4096, "Phase": "Completed", "podName": "orders-0"},
        "pvInfo": {"reclaimPolicy": "Delete", "labels": {}},
    }
    return {**base, **changes}


def pvb(phase: str, message: str = "", size: int = 4096) -> VolumeCopy:
    return msgspec.convert(
        {
            "metadata": {"annotations": {"velero.io/pvc-name": "data"}},
            "spec": {"pod": {"namespace": "shop", "name": "orders-0"}, "volume": "data"},
            "status": {"phase": phase, "message": message, "progress": {"totalBytes": size, "bytesDone": size}},
        },
        VolumeCopy,
    )


def held(entries: Any, *copies: VolumeCopy) -> Any:
    infos = None if entries is None else parse_volume_infos(json.dumps(entries))
    return coverage(infos, copies).of("shop", "data")


def test_a_finished_file_copy_is_captured_with_its_bytes() -> None:
    volume = held([entry()], pvb("Completed"))
    assert (volume.held, volume.size, volume.method, volume.reclaim_policy) == (
        Held.CAPTURED,
        4096,
        "PodVolumeBackup",
        "Delete",
    )


CSI = {"backupMethod": "CSISnapshot", "pvbInfo": None}


@pytest.mark.parametrize(
    ("changes", "state", "word"),
    [
        ({"skipped": True, "skippedReason": "no fit", "backupMethod": ""}, Held.ABSENT, "no fit"),
        ({"skipped": True, "backupMethod": ""}, Held.ABSENT, "skipped"),
        ({"backupMethod": "", "result": ""}, Held.ABSENT, "no backup method"),
        ({"backupMethod": "Telepathy"}, Held.ABSENT, "Telepathy"),
        ({"result": "failed"}, Held.ABSENT, "failed"),
        ({"pvbInfo": {"Phase": "Failed"}}, Held.ABSENT, "Failed"),
        ({"result": "", "pvbInfo": {}}, Held.UNKNOWN, "not recorded"),
        ({"result": "unknown", "pvbInfo": {"Phase": "unknown"}}, Held.UNKNOWN, "not recorded"),
        ({**CSI, "csiSnapshotInfo": {"size": 9, "ReadyToUse": True}}, Held.CAPTURED, ""),
        ({**CSI, "csiSnapshotInfo": {"size": 9, "ReadyToUse": False}}, Held.ABSENT, "never ready"),
        (
            {**CSI, "snapshotDataMoved": True, "snapshotDataMovementInfo": {"Phase": "Completed"}},
            Held.CAPTURED,
            "",
        ),
        (
            {**CSI, "snapshotDataMoved": True, "snapshotDataMovementInfo": {"Phase": "Canceled"}, "result": ""},
            Held.ABSENT,
            "Canceled",
        ),
        ({"backupMethod": "NativeSnapshot", "nativeSnapshotInfo": {"Phase": "Completed"}}, Held.CAPTURED, ""),
    ],
)
def test_each_method_and_each_way_to_hold_nothing(changes: dict[str, Any], state: Held, word: str) -> None:
    volume = held([entry(**changes)])
    assert volume.held is state
    assert word in volume.reason


def test_a_copy_that_fails_after_the_list_was_written_counts() -> None:
    volume = held([entry()], pvb("Failed", "data path restarted"))
    assert volume.held is Held.ABSENT
    assert "data path restarted" in volume.reason
    assert held([entry()], pvb("InProgress")).held is Held.UNKNOWN
    assert held([entry()], pvb("Failed"), pvb("Completed")).held is Held.CAPTURED


def test_without_the_list_only_finished_copies_count() -> None:
    assert held(None, pvb("Completed")).held is Held.CAPTURED
    assert held(None, pvb("Canceled")).held is Held.ABSENT
    assert held(None, pvb("Accepted")).held is Held.UNKNOWN
    assert held(None).held is Held.UNKNOWN


def test_a_claim_that_the_list_does_not_name_is_absent() -> None:
    assert held([entry(pvcName="other")]).held is Held.ABSENT
    assert held([]).held is Held.ABSENT


def test_a_moved_snapshot_is_found_by_its_data_upload() -> None:
    upload = msgspec.convert(
        {"spec": {"sourcePVC": "data", "sourceNamespace": "shop"}, "status": {"phase": "Failed"}}, VolumeCopy
    )
    moved = {**CSI, "snapshotDataMoved": True, "snapshotDataMovementInfo": {"Phase": "Completed"}}
    assert held([entry(**moved)], upload).held is Held.ABSENT


def test_bytes_of_all_captured_volumes_are_added() -> None:
    infos = parse_volume_infos([entry(), entry(pvcName="b", pvbInfo={"size": 6, "Phase": "Completed"})])
    assert coverage(infos).size == 4102


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"nope", b"\xff\xfe", b'"x"'])
def test_what_is_no_volume_list_is_said(data: bytes) -> None:
    with pytest.raises(VolumeInfoError):
        parse_volume_infos(data)


def test_wrong_types_inside_an_entry_do_no_harm() -> None:
    volume = held([entry(pvbInfo="?", result=3, pvInfo=[], skipped="yes")])
    assert volume.held is Held.UNKNOWN
    assert parse_volume_infos(b"null") == ()


def test_pods_of_which_other_volumes_than_claims_were_copied() -> None:
    loose = entry(
        pvcName="", pvcNamespace="", pvbInfo={"podName": "web-1", "podNamespace": "shop", "Phase": "Completed"}
    )
    failed = entry(pvcName="", result="failed", pvbInfo={"podName": "web-2", "podNamespace": "shop", "Phase": "Failed"})
    late = msgspec.convert({"spec": {"pod": {"namespace": "shop", "name": "web-3"}, "volume": "cache"},
                            "status": {"phase": "Completed"}}, VolumeCopy)  # fmt: skip
    gone = msgspec.structs.replace(late, status=msgspec.structs.replace(late.status, phase="Canceled"))
    assert coverage(parse_volume_infos([entry(), loose, failed]), [pvb("Completed")]).pods == {"shop/web-1"}
    assert coverage(None, [late]).pods == {"shop/web-3"}, "also of a pod that had gone when the list was written"
    assert coverage(None, [gone]).pods == frozenset()
