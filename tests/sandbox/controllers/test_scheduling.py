"""Where pods may go, where daemons do go, and the words for it."""

from __future__ import annotations

import pytest

from lazarus_tui.model.resources import DAEMONSETS, EVENTS, NODES, PODS, REVISIONS

NODE = "sandbox-node"
HOPELESS = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."


def affinity(operator, *values):
    expression = {"key": "kubernetes.io/os", "operator": operator} | ({"values": list(values)} if values else {})
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def message(rig, name):
    (condition,) = [one for one in rig.get(PODS, name)["status"]["conditions"] if one["type"] == "PodScheduled"]
    return condition.get("message", "")


@pytest.mark.parametrize(
    "spec",
    [{"nodeSelector": {"disk": "ssd"}}, {"affinity": affinity("In", "plan9")}, {"affinity": affinity("DoesNotExist")}],
)
async def test_a_pod_that_no_node_suits_waits_and_says_why(rig, spec):
    rig.pod("choosy", **spec)
    await rig.settle()
    pod = rig.get(PODS, "choosy")
    assert pod["status"]["phase"] == "Pending"
    text = f"0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. {HOPELESS}"
    assert message(rig, "choosy") == text
    (told,) = [one for one in rig.api.list(EVENTS, "shop") if one["reason"] == "FailedScheduling"]
    assert (told["message"], told["type"], told["source"]) == (text, "Warning", {"component": "default-scheduler"})


async def test_it_goes_as_soon_as_the_node_suits(rig):
    rig.pod("choosy", nodeSelector={"disk": "ssd"}, affinity=affinity("In", "linux", "windows"))
    await rig.settle()
    rig.api.patch(NODES, NODE, {"metadata": {"labels": {"disk": "ssd"}}})
    await rig.settle()
    assert rig.get(PODS, "choosy")["status"]["phase"] == "Running"


async def test_taints_keep_away_whom_no_toleration_covers(rig):
    rig.api.patch(NODES, NODE, {"spec": {"taints": [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]}})
    rig.pod("plain")
    rig.pod("wrong", tolerations=[{"key": "dedicated", "value": "web", "effect": "NoSchedule"}])
    rig.pod("right", tolerations=[{"key": "dedicated", "value": "db"}])
    rig.pod("any", tolerations=[{"operator": "Exists"}])
    await rig.settle()
    assert message(rig, "plain").startswith(
        "0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: db}. "
    )
    phases = {name: rig.get(PODS, name)["status"]["phase"] for name in ("plain", "wrong", "right", "any")}
    assert phases == {"plain": "Pending", "wrong": "Pending", "right": "Running", "any": "Running"}


async def test_a_cordon_is_a_taint_too(rig):
    rig.api.patch(NODES, NODE, {"spec": {"unschedulable": True}})
    rig.pod("waiting")
    await rig.settle()
    assert message(rig, "waiting") == f"0/1 nodes are available: 1 node(s) were unschedulable. {HOPELESS}"
    (taint,) = rig.get(NODES, NODE, None)["spec"]["taints"]
    assert (taint["key"], taint["effect"]) == ("node.kubernetes.io/unschedulable", "NoSchedule")
    rig.api.patch(NODES, NODE, {"spec": {"unschedulable": None}})
    await rig.settle()
    assert "taints" not in rig.get(NODES, NODE, None)["spec"]
    assert rig.get(PODS, "waiting")["status"]["phase"] == "Running"


async def test_pods_that_do_not_bear_each_other_do_not_share_a_node(rig):
    term = {"labelSelector": {"matchLabels": {"app": "orders"}}, "topologyKey": "kubernetes.io/hostname"}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    container = {"name": "main", "image": "lazarus.dev/pause:1"}
    template = {"metadata": {"labels": {"app": "orders"}}, "spec": {"affinity": apart, "containers": [container]}}
    rig.statefulset(replicas=2, template=template, volumeClaimTemplates=[])
    await rig.settle()
    assert "1 node(s) didn't match pod anti-affinity rules" in message(rig, "orders-1")


async def test_a_gated_pod_is_not_looked_at(rig):
    rig.pod("gated", schedulingGates=[{"name": "example.com/wait"}])
    await rig.settle()
    (condition,) = rig.get(PODS, "gated")["status"]["conditions"]
    assert condition["reason"] == "SchedulingGated"
    rig.api.patch(PODS, "gated", {"spec": {"schedulingGates": []}}, "shop")
    await rig.settle()
    assert rig.get(PODS, "gated")["status"]["phase"] == "Running"


def daemonset(rig, **spec):
    container = {"name": "agent", "image": "velero/velero:v1.17.0"}
    template = {"metadata": {"labels": {"name": "agent"}}, "spec": {"containers": [container]} | spec.pop("pod", {})}
    wanted = {"selector": {"matchLabels": {"name": "agent"}}, "template": template} | spec
    rig.api.create(DAEMONSETS, {"metadata": {"name": "agent"}, "spec": wanted}, "shop")


def relabel(rig, version):
    labels = {"spec": {"template": {"metadata": {"labels": {"name": "agent", "v": version}}}}}
    rig.api.patch(DAEMONSETS, "agent", labels, "shop")


async def test_a_daemon_runs_on_a_cordoned_node_but_not_where_its_selector_forbids(rig):
    rig.api.patch(NODES, NODE, {"spec": {"unschedulable": True}})
    daemonset(rig)
    await rig.settle()
    (name,) = rig.names(PODS)
    assert rig.get(PODS, name)["status"]["phase"] == "Running"
    rig.api.patch(DAEMONSETS, "agent", {"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}}, "shop")
    await rig.settle()
    assert rig.names(PODS) == []
    assert rig.get(DAEMONSETS, "agent")["status"]["desiredNumberScheduled"] == 0


async def test_a_new_template_replaces_the_daemon_and_on_delete_waits(rig):
    daemonset(rig)
    await rig.settle()
    before = rig.names(PODS)
    relabel(rig, "2")
    await rig.settle()
    (name,) = rig.names(PODS)
    assert name not in before
    assert rig.get(DAEMONSETS, "agent")["status"]["updatedNumberScheduled"] == 1
    assert sorted(one["revision"] for one in rig.api.list(REVISIONS, "shop")) == [1, 2]
    rig.api.patch(
        DAEMONSETS, "agent", {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}, "shop"
    )
    relabel(rig, "3")
    await rig.settle()
    assert rig.names(PODS) == [name]
    assert "updatedNumberScheduled" not in rig.get(DAEMONSETS, "agent")["status"]
    rig.api.delete(PODS, name, "shop")
    await rig.settle()
    assert rig.get(DAEMONSETS, "agent")["status"]["updatedNumberScheduled"] == 1
