"""StatefulSets as the real controller has them, above all where data can be lost."""

from __future__ import annotations

from lazarus_tui.model.resources import CLAIMS, PODS, STATEFULSETS, VOLUMES


async def test_pods_and_claims_come_in_order(rig):
    rig.statefulset(replicas=3)
    await rig.settle()
    assert rig.names(PODS) == ["orders-0", "orders-1", "orders-2"]
    assert rig.names(CLAIMS) == ["data-orders-0", "data-orders-1", "data-orders-2"]
    status = rig.get(STATEFULSETS, "orders")["status"]
    assert (status["readyReplicas"], status["observedGeneration"]) == (3, 1)
    assert status["currentRevision"] == status["updateRevision"]


async def test_the_next_pod_waits_for_the_one_before(rig):
    rig.claim("data-orders-0", "nowhere")
    rig.statefulset(replicas=2)
    await rig.settle()
    assert rig.names(PODS) == ["orders-0"]
    assert rig.get(PODS, "orders-0")["status"]["phase"] == "Pending"


async def test_parallel_waits_for_nobody(rig):
    rig.claim("data-orders-0", "nowhere")
    rig.statefulset(replicas=2, podManagementPolicy="Parallel")
    await rig.settle()
    assert rig.names(PODS) == ["orders-0", "orders-1"]


async def test_scaling_down_keeps_the_data_and_scaling_up_finds_it(rig):
    rig.statefulset(replicas=2)
    await rig.settle()
    (rig.directory("data-orders-1") / "orders.db").write_text("precious")
    rig.scale("orders", 0)
    await rig.settle()
    assert rig.names(PODS) == []
    rig.scale("orders", 2)
    await rig.settle()
    assert (rig.directory("data-orders-1") / "orders.db").read_text() == "precious"


async def test_retention_delete_when_scaled_destroys_the_data_of_the_ordinals_that_go(rig):
    rig.statefulset(replicas=2, persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete", "whenDeleted": "Retain"})
    await rig.settle()
    kept, doomed = rig.directory("data-orders-0"), rig.directory("data-orders-1")
    for folder in (kept, doomed):
        (folder / "orders.db").write_text("precious")
    rig.scale("orders", 1)
    await rig.settle()
    assert rig.names(CLAIMS) == ["data-orders-0"]
    assert (kept / "orders.db").exists()
    assert not doomed.exists()


async def test_retention_delete_when_deleted_destroys_all_data(rig):
    rig.statefulset(persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete", "whenScaled": "Retain"})
    await rig.settle()
    folder = rig.directory("data-orders-0")
    rig.api.delete(STATEFULSETS, "orders", "shop")
    await rig.settle()
    assert rig.names(CLAIMS) == []
    assert rig.names(VOLUMES, None) == []
    assert not folder.exists()


async def test_policy_patched_to_retain_before_the_deletion_saves_the_data(rig):
    rig.statefulset(persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete", "whenScaled": "Delete"})
    await rig.settle()
    folder = rig.directory("data-orders-0")
    retain = {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}}}
    rig.api.patch(STATEFULSETS, "orders", retain, "shop")
    await rig.settle()
    assert "ownerReferences" not in rig.get(CLAIMS, "data-orders-0")["metadata"]
    rig.api.delete(STATEFULSETS, "orders", "shop")
    await rig.settle()
    assert rig.names(PODS) == []
    assert folder.is_dir()


async def test_scaled_up_before_its_claim_is_back_it_gets_a_blank_volume(rig):
    rig.statefulset()
    await rig.settle()
    (rig.directory("data-orders-0") / "orders.db").write_text("precious")
    rig.scale("orders", 0)
    await rig.settle()
    rig.api.delete(CLAIMS, "data-orders-0", "shop")
    await rig.settle()
    rig.scale("orders", 1)
    await rig.settle()
    assert list(rig.directory("data-orders-0").iterdir()) == []
    assert rig.get(STATEFULSETS, "orders")["status"]["readyReplicas"] == 1


async def test_a_new_template_replaces_pods_and_keeps_their_volumes(rig):
    rig.statefulset(replicas=2)
    await rig.settle()
    before = {name: rig.get(PODS, name)["metadata"]["uid"] for name in rig.names(PODS)}
    (rig.directory("data-orders-0") / "orders.db").write_text("precious")
    labels = {"spec": {"template": {"metadata": {"labels": {"app": "orders", "version": "2"}}}}}
    rig.api.patch(STATEFULSETS, "orders", labels, "shop")
    await rig.settle()
    after = {name: rig.get(PODS, name)["metadata"]["uid"] for name in rig.names(PODS)}
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    assert (rig.directory("data-orders-0") / "orders.db").exists()
    status = rig.get(STATEFULSETS, "orders")["status"]
    assert status["updatedReplicas"] == 2
    assert status["currentRevision"] == status["updateRevision"]


async def test_restored_pods_without_owner_are_adopted_not_doubled(rig):
    rig.statefulset()
    await rig.settle()
    uid = rig.get(PODS, "orders-0")["metadata"]["uid"]
    rig.api.delete(STATEFULSETS, "orders", "shop", propagation="Orphan")
    await rig.settle()
    assert "ownerReferences" not in rig.get(PODS, "orders-0")["metadata"]
    rig.statefulset()
    await rig.settle()
    pod = rig.get(PODS, "orders-0")
    assert pod["metadata"]["uid"] == uid
    assert pod["metadata"]["ownerReferences"][0]["uid"] == rig.get(STATEFULSETS, "orders")["metadata"]["uid"]
