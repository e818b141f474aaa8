"""Rollouts of Deployments: bounds, pauses, ways back, and what is said about them."""

from __future__ import annotations

import pytest

from lazarus_tui.model.resources import DEPLOYMENTS, PODS, REPLICASETS
from lazarus_tui.sandbox.controllers.rollouts import Bounds, proportional, size_of_new, sizes_of_old

REVISION = "deployment.kubernetes.io/revision"


def deployment(rig, replicas=4, image="lazarus.dev/pause:1", **spec):
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    wanted = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template} | spec
    rig.api.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": wanted}, "shop")


def change(rig, label="2", image="lazarus.dev/pause:1"):
    template = {
        "metadata": {"labels": {"app": "web", "v": label}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    }
    rig.api.patch(DEPLOYMENTS, "web", {"spec": {"template": template}}, "shop")


def patch(rig, **spec):
    rig.api.patch(DEPLOYMENTS, "web", {"spec": spec}, "shop")


def status(rig):
    return rig.get(DEPLOYMENTS, "web")["status"]


def condition(rig, kind):
    (found,) = [one for one in status(rig)["conditions"] if one["type"] == kind]
    return found["status"], found["reason"]


def sizes(rig):
    """Revision → replicas."""
    return {
        int(one["metadata"]["annotations"][REVISION]): one["spec"]["replicas"]
        for one in rig.api.list(REPLICASETS, "shop")
    }


async def test_a_rollout_stays_within_its_bounds(rig):
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    deployment(rig, strategy=rolling)
    await rig.settle()
    seen = []

    def watch(kind, resource, obj, old):
        if resource == REPLICASETS:
            ready = sum(
                (one.get("status") or {}).get("availableReplicas", 0) for one in rig.api.list(REPLICASETS, "shop")
            )
            seen.append((sum(sizes(rig).values()), ready))

    rig.api.subscribe(watch)
    change(rig)
    await rig.settle()
    assert sizes(rig) == {1: 0, 2: 4}
    assert max(total for total, _ in seen) == 5
    assert min(ready for _, ready in seen) >= 3
    assert condition(rig, "Progressing") == ("True", "NewReplicaSetAvailable")
    assert condition(rig, "Available") == ("True", "MinimumReplicasAvailable")


async def test_a_version_that_never_gets_ready_stops_at_the_bounds_and_runs_into_the_deadline(rig):
    deployment(rig, progressDeadlineSeconds=60)
    await rig.settle()
    change(rig, image="example.com/missing:1")
    await rig.advance(50)
    assert sizes(rig) == {1: 3, 2: 2}  # 25 % of four: one more, one less
    assert condition(rig, "Progressing") == ("True", "ReplicaSetUpdated")
    assert condition(rig, "Available") == ("True", "MinimumReplicasAvailable")
    assert status(rig)["unavailableReplicas"] == 2
    await rig.advance(20)
    assert condition(rig, "Progressing") == ("False", "ProgressDeadlineExceeded")
    change(rig, label="3")
    await rig.settle()
    assert condition(rig, "Progressing") == ("True", "NewReplicaSetAvailable")
    assert sizes(rig) == {1: 0, 2: 0, 3: 4}


async def test_a_template_that_comes_back_is_a_new_revision_of_its_old_replica_set(rig):
    deployment(rig, replicas=1)
    await rig.settle()
    (first,) = rig.names(REPLICASETS)
    original = rig.get(DEPLOYMENTS, "web")["spec"]["template"]
    change(rig)
    await rig.settle()
    back = {"template": {**original, "metadata": {"labels": {"app": "web", "v": None}}}}
    rig.api.patch(DEPLOYMENTS, "web", {"spec": back}, "shop")
    await rig.settle()
    notes = rig.get(REPLICASETS, first)["metadata"]["annotations"]
    assert (notes[REVISION], notes["deployment.kubernetes.io/revision-history"]) == ("3", "1")
    assert rig.get(DEPLOYMENTS, "web")["metadata"]["annotations"][REVISION] == "3"
    assert sizes(rig) == {2: 0, 3: 1}


async def test_old_versions_are_kept_up_to_the_limit(rig):
    deployment(rig, replicas=1, revisionHistoryLimit=1)
    for label in "234":
        change(rig, label=label)
        await rig.settle()
    assert sizes(rig) == {2: 0, 3: 1}


async def test_a_paused_one_scales_and_does_not_roll(rig):
    deployment(rig, replicas=2)
    await rig.settle()
    patch(rig, paused=True)
    change(rig)
    await rig.settle()
    assert sizes(rig) == {1: 2}
    assert condition(rig, "Progressing") == ("Unknown", "DeploymentPaused")
    patch(rig, replicas=3)
    await rig.settle()
    assert sizes(rig) == {1: 3}
    patch(rig, paused=False)
    await rig.settle()
    assert sizes(rig) == {1: 0, 2: 3}
    assert condition(rig, "Progressing") == ("True", "NewReplicaSetAvailable")


async def test_recreate_starts_the_new_when_the_last_old_pod_is_gone(rig):
    deployment(rig, replicas=2, strategy={"type": "Recreate"})
    await rig.settle()
    counts = []

    def watch(kind, resource, obj, old):
        if resource == PODS:
            there = [one for one in rig.api.list(PODS, "shop") if one["status"]["phase"] != "Succeeded"]
            labels = [one["metadata"]["labels"].get("v") for one in there]
            counts.append((labels.count(None), labels.count("2")))

    rig.api.subscribe(watch)
    change(rig)
    await rig.settle()
    assert counts[-1] == (0, 2)
    assert not any(old and new for old, new in counts)


async def test_a_pod_is_available_only_after_its_time(rig):
    deployment(rig, replicas=1, minReadySeconds=30)
    await rig.advance(20)
    assert status(rig)["readyReplicas"] == 1
    assert "availableReplicas" not in status(rig)
    assert condition(rig, "Available") == ("False", "MinimumReplicasUnavailable")
    await rig.advance(11)
    assert status(rig)["availableReplicas"] == 1
    assert condition(rig, "Available") == ("True", "MinimumReplicasAvailable")


async def test_scaling_in_the_middle_of_a_rollout_keeps_the_shares(rig):
    deployment(rig, replicas=4)
    await rig.settle()
    change(rig, image="example.com/missing:1")
    await rig.settle()
    assert sizes(rig) == {1: 3, 2: 2}
    patch(rig, replicas=8)
    await rig.settle()
    found = sizes(rig)
    assert sum(found.values()) == 10  # eight and a quarter of eight
    assert found[1] > 3
    assert found[2] > 2


def one(replicas, available=None):
    return {
        "spec": {"replicas": replicas},
        "status": {"availableReplicas": replicas if available is None else available},
    }


@pytest.mark.parametrize(
    ("strategy", "bounds"),
    [
        ({}, (10, 3, 2)),
        ({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}, (10, 0, 1)),
        ({"rollingUpdate": {"maxSurge": "5%", "maxUnavailable": "5%"}}, (10, 1, 0)),
        ({"type": "Recreate"}, (10, 0, 0)),
    ],
)
def test_bounds(strategy, bounds):
    found = Bounds.of({"spec": {"replicas": 10, "strategy": strategy}})
    assert (found.replicas, found.surge, found.unavailable) == bounds


def test_sizes():
    bounds = Bounds(10, 3, 2)
    assert size_of_new(bounds, None, [one(10)], recreate=False) == 3
    assert size_of_new(bounds, one(3), [one(8)], recreate=False) == 5
    assert size_of_new(bounds, one(12), [], recreate=False) == 10
    assert sizes_of_old(bounds, one(3, 0), [one(10)]) == [8]
    assert sizes_of_old(bounds, one(3, 0), [one(2, 0), one(8)]) == [0, 8]  # what does not serve goes first
    assert sizes_of_old(bounds, one(10), [one(3)]) == [0]
    assert proportional(Bounds(20, 5, 0), 13, [one(10), one(3)]) == [19, 6]
    assert proportional(Bounds(0, 0, 0), 13, [one(10), one(3)]) == [0, 0]
