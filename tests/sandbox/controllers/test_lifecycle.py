"""Owners, namespaces and what they take with them."""

from __future__ import annotations

import pytest

from lazarus_tui.model.resources import (
    CLAIMS,
    CONFIGMAPS,
    CRDS,
    DEPLOYMENTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICASETS,
    SECRETS,
    SERVICEACCOUNTS,
    VOLUMES,
    Resource,
)
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.controllers.nodes import MAX_PODS
from lazarus_tui.sandbox.controllers.pods import owner_reference

TREES = Resource("shop.example", "v1", "trees", "Tree")


def configmap(rig, name, owners=(), **meta):
    references = [owner_reference(owner, CONFIGMAPS) | {"controller": False} for owner in owners]
    return rig.api.create(
        CONFIGMAPS, {"metadata": {"name": name, "ownerReferences": references} | meta, "data": {"k": "v"}}, "shop"
    )


async def test_a_namespace_is_born_with_its_account_and_certificate(rig):
    assert rig.names(SERVICEACCOUNTS) == ["default"]
    assert rig.get(CONFIGMAPS, "kube-root-ca.crt")["data"] == {"ca.crt": "PEM"}
    rig.api.delete(CONFIGMAPS, "kube-root-ca.crt", "shop")
    await rig.settle()
    assert rig.names(CONFIGMAPS) == ["kube-root-ca.crt"]


async def test_a_deleted_namespace_takes_all_with_it_and_its_data(rig):
    rig.statefulset()
    rig.api.create(SECRETS, {"metadata": {"name": "key"}, "data": {}}, "shop")
    await rig.settle()
    folder = rig.directory("data-orders-0")
    rig.api.delete(NAMESPACES, "shop")
    await rig.settle()
    assert rig.api.get(NAMESPACES, "shop") is None
    for kind in rig.kinds():
        if kind.namespaced:
            assert rig.names(kind) == [], kind.plural
    assert rig.names(VOLUMES, None) == []
    assert not folder.exists()


async def test_a_stuck_finalizer_holds_the_namespace_and_is_named(rig):
    configmap(rig, "stuck", finalizers=["example.com/slow"])
    rig.statefulset()
    await rig.settle()
    rig.api.delete(NAMESPACES, "shop")
    await rig.settle()
    namespace = rig.get(NAMESPACES, "shop", None)
    assert namespace["status"]["phase"] == "Terminating"
    conditions = {one["type"]: one for one in namespace["status"]["conditions"]}
    assert conditions["NamespaceContentRemaining"]["message"].endswith("configmaps has 1 resource instances")
    assert "example.com/slow in 1 resource instances" in conditions["NamespaceFinalizersRemaining"]["message"]
    assert rig.names(PODS) == []
    with pytest.raises(ApiError, match="being terminated"):
        configmap(rig, "new")
    rig.api.patch(CONFIGMAPS, "stuck", {"metadata": {"finalizers": None}}, "shop")
    await rig.settle()
    assert rig.api.get(NAMESPACES, "shop") is None


async def test_custom_objects_go_with_the_namespace(rig):
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    rig.api.create(
        CRDS,
        {
            "metadata": {"name": "trees.shop.example"},
            "spec": {
                "group": "shop.example",
                "scope": "Namespaced",
                "names": {"plural": "trees", "singular": "tree", "kind": "Tree", "listKind": "TreeList"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            },
        },
    )
    rig.api.create(TREES, {"metadata": {"name": "oak", "finalizers": ["example.com/fell"]}}, "shop")
    rig.api.delete(NAMESPACES, "shop")
    await rig.settle()
    assert rig.get(TREES, "oak")["metadata"]["deletionTimestamp"]
    rig.api.patch(TREES, "oak", {"metadata": {"finalizers": None}}, "shop")
    await rig.settle()
    assert rig.api.get(NAMESPACES, "shop") is None


async def test_what_is_owned_goes_when_its_last_owner_has_gone(rig):
    first, second = configmap(rig, "first"), configmap(rig, "second")
    configmap(rig, "both", [first, second])
    await rig.settle()
    rig.api.delete(CONFIGMAPS, "first", "shop")
    await rig.settle()
    references = rig.get(CONFIGMAPS, "both")["metadata"]["ownerReferences"]
    assert [one["name"] for one in references] == ["second"]
    rig.api.delete(CONFIGMAPS, "second", "shop")
    await rig.settle()
    assert rig.names(CONFIGMAPS) == ["kube-root-ca.crt"]


async def test_an_owner_that_never_was_is_as_good_as_gone(rig):
    ghost = {"metadata": {"name": "ghost", "uid": "0000"}}
    configmap(rig, "orphan", [ghost])
    await rig.settle()
    assert "orphan" not in rig.names(CONFIGMAPS)


async def test_a_namesake_with_another_uid_is_not_the_owner(rig):
    owner = configmap(rig, "owner")
    configmap(rig, "owned", [owner])
    rig.api.delete(CONFIGMAPS, "owner", "shop")
    configmap(rig, "owner")
    await rig.settle()
    assert "owned" not in rig.names(CONFIGMAPS)


async def test_foreground_removes_the_owner_last(rig):
    owner = configmap(rig, "owner")
    configmap(rig, "slow", [owner], finalizers=["example.com/slow"])
    await rig.settle()
    rig.api.delete(CONFIGMAPS, "owner", "shop", propagation="Foreground")
    await rig.settle()
    assert rig.get(CONFIGMAPS, "owner")["metadata"]["deletionTimestamp"]
    assert rig.get(CONFIGMAPS, "slow")["metadata"]["deletionTimestamp"]
    rig.api.patch(CONFIGMAPS, "slow", {"metadata": {"finalizers": None}}, "shop")
    await rig.settle()
    assert rig.names(CONFIGMAPS) == ["kube-root-ca.crt"]


async def test_orphan_leaves_what_was_owned(rig):
    owner = configmap(rig, "owner")
    configmap(rig, "left", [owner])
    await rig.settle()
    rig.api.delete(CONFIGMAPS, "owner", "shop", propagation="Orphan")
    await rig.settle()
    assert rig.names(CONFIGMAPS) == ["kube-root-ca.crt", "left"]
    assert "ownerReferences" not in rig.get(CONFIGMAPS, "left")["metadata"]


def deployment(rig, **spec):
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "lazarus.dev/pause:1"}]},
    }
    wanted = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template} | spec
    return rig.api.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": wanted}, "shop")


async def test_a_deployment_runs_and_takes_its_pods_with_it(rig):
    deployment(rig)
    await rig.settle()
    status = rig.get(DEPLOYMENTS, "web")["status"]
    assert (status["readyReplicas"], status["observedGeneration"]) == (2, 1)
    assert {one["type"]: one["status"] for one in status["conditions"]} == {"Available": "True", "Progressing": "True"}
    rig.api.delete(DEPLOYMENTS, "web", "shop")
    await rig.settle()
    assert rig.names(REPLICASETS) == []
    assert rig.names(PODS) == []


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
async def test_a_new_template_replaces_all_pods(rig, strategy):
    deployment(rig, strategy={"type": strategy})
    await rig.settle()
    before = set(rig.names(PODS))
    rig.api.patch(DEPLOYMENTS, "web", {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}, "shop")
    await rig.settle()
    await rig.advance(1)
    after = set(rig.names(PODS))
    assert len(after) == 2
    assert not before & after
    status = rig.get(DEPLOYMENTS, "web")["status"]
    assert (status["updatedReplicas"], status["observedGeneration"]) == (2, 2)
    assert len(rig.names(REPLICASETS)) == 2


async def test_scaling_to_zero_ends_all_pods(rig):
    deployment(rig)
    await rig.settle()
    rig.api.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 0}}, "shop")
    await rig.settle()
    assert rig.names(PODS) == []
    assert "readyReplicas" not in rig.get(DEPLOYMENTS, "web")["status"]


async def test_restored_replicasets_and_pods_are_adopted_not_doubled(rig):
    deployment(rig)
    await rig.settle()
    before = rig.names(PODS)
    rig.api.delete(DEPLOYMENTS, "web", "shop", propagation="Orphan")
    await rig.settle()
    deployment(rig)
    await rig.settle()
    assert rig.names(PODS) == before
    assert len(rig.names(REPLICASETS)) == 1


async def test_a_cordoned_node_takes_no_pod_until_it_is_opened(rig):
    rig.api.patch(NODES, "sandbox-node", {"spec": {"unschedulable": True}})
    rig.pod("lonely")
    await rig.settle()
    assert rig.get(PODS, "lonely")["status"]["conditions"][0]["reason"] == "Unschedulable"
    rig.api.patch(NODES, "sandbox-node", {"spec": {"unschedulable": None}})
    await rig.settle()
    assert rig.get(PODS, "lonely")["status"]["phase"] == "Running"


async def test_the_node_takes_so_many_pods_and_the_next_one_waits_for_room(rig):
    deployment(rig, replicas=MAX_PODS + 1)
    await rig.settle()
    phases = {name: rig.get(PODS, name)["status"]["phase"] for name in rig.names(PODS)}
    assert sorted(phases.values()) == ["Pending"] + ["Running"] * MAX_PODS
    (waiting,) = (name for name, phase in phases.items() if phase == "Pending")
    assert "Too many pods" in rig.get(PODS, waiting)["status"]["conditions"][0]["message"]
    rig.pod("later")
    await rig.settle()
    rig.api.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 2}}, "shop")
    await rig.settle()
    assert rig.get(PODS, "later")["status"]["phase"] == "Running"


async def test_a_restart_of_the_controllers_changes_nothing(rig):
    rig.statefulset()
    deployment(rig)
    await rig.settle()
    before = {name: rig.get(PODS, name)["metadata"]["uid"] for name in rig.names(PODS)}
    await rig.loop.stop()
    await rig.loop.start()
    await rig.settle()
    assert {name: rig.get(PODS, name)["metadata"]["uid"] for name in rig.names(PODS)} == before
    assert rig.names(CLAIMS) == ["data-orders-0"]
