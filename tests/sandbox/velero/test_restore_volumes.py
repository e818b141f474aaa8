"""When a restore fills volumes by files, and when it leaves them empty or their pods waiting."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, POD_VOLUME_RESTORES, PODS, RESTORES, VOLUMES
from lazarus_tui.sandbox.velero import remake
from lazarus_tui.sandbox.velero.installation import phase


async def test_without_volume_data_the_claim_comes_back_empty(lab: Any) -> None:
    await lab.backup("hollow", defaultVolumesToFsBackup=False)
    await lab.lose()
    restore = await lab.restore("r", "hollow")
    await lab.pass_(3)

    assert restore["status"]["phase"] == "Completed"  # which is why a phase word proves nothing
    assert lab.bytes_of() == {}


@pytest.mark.parametrize("kind", ["persistentvolumes", "persistentvolumeclaims"])
async def test_nobody_fills_volumes_where_their_kind_is_excluded_and_the_pod_waits(lab: Any, kind: str) -> None:
    await lab.backup("b")
    await lab.lose()
    restore = await lab.restore("r", "b", excludedResources=[kind])
    await lab.pass_(30)

    assert restore["status"]["phase"] == "Completed"
    assert lab.api.list(POD_VOLUME_RESTORES, "velero") == []
    pod = lab.api.get(PODS, "orders-0", "shop")
    assert pod["spec"]["initContainers"][0]["name"] == "restore-wait"
    assert phase(pod) == "Pending"


async def test_without_what_is_of_the_cluster_volumes_are_filled_and_claims_keep_their_volumes_name(lab: Any) -> None:
    await lab.backup("b")
    was = lab.api.get(CLAIMS, "data-orders-0", "shop")["spec"]["volumeName"]
    lab.create(RESTORES, "r", {"backupName": "b", "includeClusterResources": False,
                               "namespaceMapping": {"shop": "copy"}})  # fmt: skip
    for _ in range(8):
        await lab.turn(1)

    assert lab.api.get(CLAIMS, "data-orders-0", "copy")["spec"]["volumeName"] == was  # only a modifier takes it off
    assert len(lab.api.list(POD_VOLUME_RESTORES, "velero")) == 1


async def test_restore_pvs_false_is_about_snapshots_and_files_come_with_their_pods(lab: Any) -> None:
    await lab.backup("b")
    await lab.restore("r", "b", restorePVs=False, namespaceMapping={"shop": "full"})
    await lab.pass_(3)
    assert lab.bytes_of("full") == lab.bytes_of("shop") != {}

    await lab.restore("r2", "b", restorePVs=False, namespaceMapping={"shop": "bare"}, excludedResources=["pods"])
    await lab.pass_(3)
    assert phase(lab.api.get(PODS, "orders-0", "bare")) == "Running", "its workload made it anew"
    assert lab.bytes_of("bare") == {}
    assert len(lab.api.list(POD_VOLUME_RESTORES, "velero")) == 1


async def test_modifiers_see_what_velero_itself_puts_into_a_pod(lab: Any) -> None:
    """Its own actions come first (pkg/restore/restore.go)."""
    rule = {
        "conditions": {
            "groupResource": "pods",
            "matches": [{"path": "/spec/initContainers/0/name", "value": "restore-wait"}],
        },
        "mergePatches": [{"patchData": '{"metadata": {"annotations": {"seen": "yes"}}}'}],
    }
    text = json.dumps({"version": "v1", "resourceModifierRules": [rule]})
    lab.api.create(CONFIGMAPS, {"metadata": {"name": "drill"}, "data": {"rules.yaml": text}}, "velero")
    await lab.backup("b")
    modifier = {"kind": "ConfigMap", "name": "drill"}
    restore = await lab.restore("r", "b", namespaceMapping={"shop": "drill"}, resourceModifier=modifier)
    await lab.pass_(3)

    assert restore["status"]["phase"] == "Completed"
    assert lab.api.get(PODS, "orders-0", "drill")["metadata"]["annotations"]["seen"] == "yes"
    others = [pod for pod in lab.api.list(PODS, "drill") if not pod["spec"].get("initContainers")]
    assert others
    assert all("seen" not in (pod["metadata"].get("annotations") or {}) for pod in others)
    assert lab.bytes_of("drill") == lab.bytes_of("shop") != {}


def test_what_waits_has_the_security_context_of_the_first_container() -> None:
    context = {"capabilities": {"add": ["IPC_LOCK"]}}
    pod: dict[str, Any] = {"spec": {"containers": [{"name": "a", "securityContext": context}, {"name": "b"}]}}
    remake.wait_for_volumes(pod, "uid", ["data"])
    assert pod["spec"]["initContainers"][0]["securityContext"] == context
    bare: dict[str, Any] = {"spec": {"containers": [{"name": "b"}, {"name": "a", "securityContext": context}]}}
    remake.wait_for_volumes(bare, "uid", ["data"])
    assert "securityContext" not in bare["spec"]["initContainers"][0]


async def test_a_new_volume_gets_labels_and_policy_of_the_original_and_none_of_the_restore(lab: Any) -> None:
    """So a copy of what is kept by its policy is kept, too (pkg/controller/restore_finalizer_controller.go)."""
    was = lab.api.get(CLAIMS, "data-orders-0", "shop")["spec"]["volumeName"]
    kept = {"metadata": {"labels": {"team": "shop"}}, "spec": {"persistentVolumeReclaimPolicy": "Retain"}}
    lab.api.patch(VOLUMES, was, kept)
    await lab.backup("b")
    lab.api.patch(VOLUMES, was, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    await lab.restore("r", "b", namespaceMapping={"shop": "copy"})
    await lab.pass_(3)

    name = lab.api.get(CLAIMS, "data-orders-0", "copy")["spec"]["volumeName"]
    volume = lab.api.get(VOLUMES, name)
    assert name != was
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert volume["metadata"]["labels"] == {"team": "shop"}
    assert lab.bytes_of("copy") == lab.bytes_of("shop") != {}
