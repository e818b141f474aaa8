"""Claims and volumes: who gets what, and when data is gone for good."""

from __future__ import annotations

import pytest

from lazarus_tui.model.resources import CLAIMS, EVENTS, PODS, STORAGECLASSES, VOLUMES
from lazarus_tui.sandbox.controllers.quantities import quantity


def status(rig, resource, name, namespace="shop"):
    return rig.get(resource, name, namespace)["status"]["phase"]


def reasons(rig, name):
    return {one["reason"] for one in rig.api.list(EVENTS, "shop") if one["involvedObject"]["name"] == name}


async def test_immediate_binds_at_once_and_records_the_capacity(rig):
    claim = rig.claim("data")
    await rig.settle()
    bound = rig.get(CLAIMS, "data")
    volume = rig.get(VOLUMES, bound["spec"]["volumeName"], None)
    assert bound["status"] == {
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
    }
    assert volume["status"]["phase"] == "Bound"
    assert volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"]
    assert rig.directory("data").is_dir()


async def test_wait_for_first_consumer_waits_for_a_pod(rig):
    rig.claim("data", "standard")
    await rig.settle()
    assert status(rig, CLAIMS, "data") == "Pending"
    assert list(rig.volumes.handles()) == []
    assert reasons(rig, "data") == {"WaitForFirstConsumer"}
    rig.pod("reader", claim="data")
    await rig.settle()
    assert status(rig, CLAIMS, "data") == "Bound"
    assert rig.get(CLAIMS, "data")["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] == "sandbox-node"
    assert status(rig, PODS, "reader") == "Running"


async def test_a_claim_in_use_outlives_its_deletion_until_the_pod_is_gone(rig):
    rig.claim("data")
    rig.pod("reader", claim="data")
    await rig.settle()
    folder = rig.directory("data")
    rig.api.delete(CLAIMS, "data", "shop")
    await rig.settle()
    assert rig.get(CLAIMS, "data")["metadata"]["deletionTimestamp"]
    assert folder.is_dir()
    rig.api.delete(PODS, "reader", "shop")
    await rig.settle()
    assert rig.api.get(CLAIMS, "data", "shop") is None
    assert not folder.exists()


async def test_reclaim_delete_removes_the_directory(rig):
    rig.claim("data")
    await rig.settle()
    folder = rig.directory("data")
    (folder / "file").write_text("data")
    rig.api.delete(CLAIMS, "data", "shop")
    await rig.settle()
    assert rig.names(VOLUMES, None) == []
    assert not folder.exists()


async def test_reclaim_retain_releases_the_volume_and_keeps_the_data(rig):
    rig.claim("data", "kept")
    await rig.settle()
    folder, name = rig.directory("data"), rig.get(CLAIMS, "data")["spec"]["volumeName"]
    (folder / "file").write_text("data")
    rig.api.delete(CLAIMS, "data", "shop")
    await rig.settle()
    assert status(rig, VOLUMES, name, None) == "Released"
    assert (folder / "file").read_text() == "data"


async def test_policy_patched_to_retain_before_the_deletion_saves_the_data(rig):
    rig.claim("data")
    await rig.settle()
    folder, name = rig.directory("data"), rig.get(CLAIMS, "data")["spec"]["volumeName"]
    rig.api.patch(VOLUMES, name, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    rig.api.delete(CLAIMS, "data", "shop")
    await rig.settle()
    assert folder.is_dir()
    assert status(rig, VOLUMES, name, None) == "Released"


async def test_a_released_volume_is_not_given_to_a_namesake(rig):
    rig.claim("data", "kept")
    await rig.settle()
    name = rig.get(CLAIMS, "data")["spec"]["volumeName"]
    rig.api.delete(CLAIMS, "data", "shop")
    await rig.settle()
    rig.claim("data", "kept")
    await rig.settle()
    assert rig.get(CLAIMS, "data")["spec"]["volumeName"] != name
    assert status(rig, VOLUMES, name, None) == "Released"


async def test_a_released_volume_is_rebound_by_name_once_its_old_uid_is_cleared(rig):
    rig.claim("data", "kept")
    await rig.settle()
    folder, name = rig.directory("data"), rig.get(CLAIMS, "data")["spec"]["volumeName"]
    (folder / "file").write_text("data")
    rig.api.delete(CLAIMS, "data", "shop")
    await rig.settle()
    rig.claim("data", "kept", volumeName=name)
    await rig.settle()
    assert status(rig, CLAIMS, "data") == "Pending"
    assert "FailedBinding" in reasons(rig, "data")
    rig.api.patch(VOLUMES, name, {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}})
    await rig.settle()
    assert status(rig, CLAIMS, "data") == "Bound"
    assert status(rig, VOLUMES, name, None) == "Bound"
    assert (rig.directory("data") / "file").read_text() == "data"


async def test_a_volume_whose_claim_came_back_with_another_uid_stays_released(rig):
    rig.claim("data", "kept")
    await rig.settle()
    name = rig.get(CLAIMS, "data")["spec"]["volumeName"]
    rig.api.patch(VOLUMES, name, {"spec": {"claimRef": {"uid": "somebody-else"}}})
    await rig.settle()
    assert status(rig, VOLUMES, name, None) == "Released"
    assert status(rig, CLAIMS, "data") == "Lost"


async def test_a_claim_whose_volume_vanished_is_lost(rig):
    rig.claim("data", volumeName="never-there")
    await rig.settle()
    assert status(rig, CLAIMS, "data") == "Pending"


async def test_a_data_source_never_turns_into_an_empty_volume(rig):
    source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "yesterday"}
    rig.claim("data", dataSource=source)
    await rig.settle()
    assert status(rig, CLAIMS, "data") == "Pending"
    assert list(rig.volumes.handles()) == []
    assert reasons(rig, "data") == {"ExternalProvisioning", "Provisioning", "ProvisioningFailed"}


async def test_a_pod_of_a_pending_claim_says_why_it_waits_and_starts_later(rig):
    rig.claim("data", "later")
    rig.pod("reader", claim="data")
    await rig.settle()
    condition = rig.get(PODS, "reader")["status"]["conditions"][0]
    assert condition["reason"] == "Unschedulable"
    assert "unbound immediate PersistentVolumeClaims" in condition["message"]
    rig.storage_class("later", mode="Immediate")
    await rig.settle()
    assert status(rig, PODS, "reader") == "Running"


async def test_a_waiting_volume_of_the_class_is_taken_before_a_new_one_is_made(rig):
    rig.volumes.create("old-data")
    volume = {
        "metadata": {"name": "old-data"},
        "spec": {
            "capacity": {"storage": "2Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "immediate",
            "csi": {"driver": rig.get(STORAGECLASSES, "immediate", None)["provisioner"], "volumeHandle": "old-data"},
        },
    }
    rig.api.create(VOLUMES, volume)
    await rig.settle()
    rig.claim("data")
    await rig.settle()
    assert rig.get(CLAIMS, "data")["spec"]["volumeName"] == "old-data"
    assert rig.get(CLAIMS, "data")["status"]["capacity"] == {"storage": "2Gi"}


@pytest.mark.parametrize(
    ("text", "expected"), [("1Gi", 2**30), ("1500M", 1_500_000_000), ("0.5Ki", 512), ("10", 10), ("1k", 1000)]
)
def test_quantities(text, expected):
    assert quantity(text) == expected


@pytest.mark.parametrize("text", ["", "1 Gi", "-1", "Gi", "1GiB"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="quantity"):
        quantity(text)


async def test_a_pod_that_was_never_scheduled_holds_no_claim(rig):
    rig.claim("data")
    rig.pod("waiting", claim="data", nodeSelector={"disk": "none"})
    await rig.settle()
    rig.api.delete(CLAIMS, "data", "shop")
    await rig.settle()
    assert rig.api.get(CLAIMS, "data", "shop") is None


async def test_a_claim_of_a_pod_of_its_own_is_held_by_it(rig):
    spec = {"storageClassName": "immediate", "accessModes": ["ReadWriteOnce"]}
    template = {"spec": spec | {"resources": {"requests": {"storage": "1Gi"}}}}
    rig.pod("scratch", volumes=[{"name": "tmp", "ephemeral": {"volumeClaimTemplate": template}}])
    await rig.settle()
    assert status(rig, PODS, "scratch") == "Running"
    rig.api.delete(CLAIMS, "scratch-tmp", "shop")
    await rig.settle()
    assert rig.get(CLAIMS, "scratch-tmp")["metadata"]["deletionTimestamp"]
