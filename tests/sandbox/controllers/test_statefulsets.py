"""StatefulSets as the real controller has them, above all where data can be lost."""

from __future__ import annotations

from lazarus_tui.model.resources import CLAIMS, PODS, REVISIONS, STATEFULSETS, VOLUMES


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


def relabel(rig, version):
    labels = {"spec": {"template": {"metadata": {"labels": {"app": "orders", "version": version}}}}}
    rig.api.patch(STATEFULSETS, "orders", labels, "shop")


def versions(rig):
    return [rig.get(PODS, name)["metadata"]["labels"].get("version") for name in rig.names(PODS)]


async def test_every_template_is_kept_as_a_revision_and_one_that_comes_back_becomes_the_newest(rig):
    rig.statefulset()
    await rig.settle()
    first = rig.get(STATEFULSETS, "orders")["status"]["updateRevision"]
    relabel(rig, "2")
    await rig.settle()
    revisions = {one["metadata"]["name"]: one for one in rig.api.list(REVISIONS, "shop")}
    assert sorted(one["revision"] for one in revisions.values()) == [1, 2]
    data = revisions[first]["data"]["spec"]["template"]
    assert (data["$patch"], data["metadata"]["labels"]) == ("replace", {"app": "orders"})
    assert revisions[first]["metadata"]["ownerReferences"][0]["name"] == "orders"
    assert rig.get(PODS, "orders-0")["metadata"]["labels"]["controller-revision-hash"] in revisions
    relabel(rig, None)
    await rig.settle()
    assert {one["metadata"]["name"]: one["revision"] for one in rig.api.list(REVISIONS, "shop")}[first] == 3
    assert rig.get(STATEFULSETS, "orders")["status"]["currentRevision"] == first


async def test_old_revisions_go_when_there_are_too_many(rig):
    rig.statefulset(revisionHistoryLimit=1)
    for version in "2345":
        relabel(rig, version)
        await rig.settle()
    assert sorted(one["revision"] for one in rig.api.list(REVISIONS, "shop")) == [3, 4]


async def test_below_the_partition_pods_stay_and_are_made_again_as_they_were(rig):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    rig.statefulset(replicas=3, updateStrategy=strategy)
    await rig.settle()
    relabel(rig, "2")
    await rig.settle()
    assert versions(rig) == [None, "2", "2"]
    rig.api.delete(PODS, "orders-0", "shop")
    await rig.settle()
    assert versions(rig) == [None, "2", "2"]
    status = rig.get(STATEFULSETS, "orders")["status"]
    assert (status["updatedReplicas"], status["currentReplicas"]) == (2, 1)
    assert status["currentRevision"] != status["updateRevision"]


async def test_on_delete_replaces_what_somebody_deletes(rig):
    rig.statefulset(replicas=2, updateStrategy={"type": "OnDelete"})
    await rig.settle()
    relabel(rig, "2")
    await rig.settle()
    assert versions(rig) == [None, None]
    rig.api.delete(PODS, "orders-1", "shop")
    await rig.settle()
    assert versions(rig) == [None, "2"]


async def test_ordinals_start_where_they_are_told_to(rig):
    rig.statefulset(replicas=2, ordinals={"start": 5})
    await rig.settle()
    assert rig.names(PODS) == ["orders-5", "orders-6"]
    assert rig.names(CLAIMS) == ["data-orders-5", "data-orders-6"]
    labels = rig.get(PODS, "orders-5")["metadata"]["labels"]
    assert labels["apps.kubernetes.io/pod-index"] == "5"
    assert labels["statefulset.kubernetes.io/pod-name"] == "orders-5"


async def test_the_next_pod_waits_until_the_one_before_has_been_ready_long_enough(rig):
    rig.statefulset(replicas=2, minReadySeconds=30)
    await rig.advance(20)
    assert rig.names(PODS) == ["orders-0"]
    assert rig.get(STATEFULSETS, "orders")["status"]["availableReplicas"] == 0
    await rig.advance(11)
    assert rig.names(PODS) == ["orders-0", "orders-1"]


async def test_a_pod_that_is_going_is_not_replaced_before_it_has_gone(rig):
    rig.statefulset()
    await rig.settle()
    uid = rig.get(PODS, "orders-0")["metadata"]["uid"]
    rig.api.patch(PODS, "orders-0", {"metadata": {"finalizers": ["example.com/slow"]}}, "shop")
    rig.api.delete(PODS, "orders-0", "shop")
    await rig.advance(300)
    assert rig.get(PODS, "orders-0")["metadata"]["uid"] == uid
    rig.api.patch(PODS, "orders-0", {"metadata": {"finalizers": None}}, "shop")
    await rig.settle()
    assert rig.get(PODS, "orders-0")["metadata"]["uid"] != uid


async def test_scaling_down_gets_stuck_on_pods_that_are_not_ready_unless_it_is_parallel(rig):
    rig.statefulset(replicas=3, podManagementPolicy="Parallel")
    rig.claim("data-other-0", "nowhere")
    await rig.settle()
    for name in ("orders-0", "orders-1"):
        ready = [{"type": "Ready", "status": "False"}]
        pod = rig.get(PODS, name)
        rig.api.update_status(PODS, {**pod, "status": pod["status"] | {"conditions": ready}})
    controller = next(one for one in rig.loop.controllers if one.name == "statefulset")
    owner = rig.get(STATEFULSETS, "orders")
    pods = {number: rig.get(PODS, f"orders-{number}") for number in range(3)}
    controller._bring_down(owner, {0: pods[0], 1: pods[1]}, [], True)
    assert "deletionTimestamp" not in rig.get(PODS, "orders-1")["metadata"]  # orders-0 is the one that is let go
    controller._bring_down(owner, {0: pods[0], 1: pods[1]}, [], False)
    assert rig.api.get(PODS, "orders-1", "shop") is None or rig.get(PODS, "orders-1")["metadata"]["deletionTimestamp"]


async def test_condemned_claims_belong_to_their_pod(rig):
    rig.statefulset(replicas=2, persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete", "whenDeleted": "Delete"})
    await rig.settle()
    uid = rig.get(PODS, "orders-1")["metadata"]["uid"]
    (before,) = rig.get(CLAIMS, "data-orders-1")["metadata"]["ownerReferences"]
    assert (before["kind"], before["controller"]) == ("StatefulSet", True)
    owners = []
    rig.api.subscribe(
        lambda kind, resource, obj, old: (
            owners.append(obj["metadata"].get("ownerReferences"))
            if resource == CLAIMS and obj["metadata"]["name"] == "data-orders-1"
            else None
        )
    )
    rig.scale("orders", 1)
    await rig.settle()
    assert [(one["kind"], one["uid"]) for one in owners[0]] == [("Pod", uid)]
    assert rig.names(CLAIMS) == ["data-orders-0"]
