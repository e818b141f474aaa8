"""Disruption budgets and what evictions may take."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.resources import BUDGETS, PODS
from lazarus_tui.sandbox.api.server import ApiServer


def budget(rig, name="orders", **spec):
    wanted = {"selector": {"matchLabels": {"app": "orders"}}} | spec
    rig.api.create(BUDGETS, {"metadata": {"name": name}, "spec": wanted}, "shop")


async def evict(rig, pod):
    server = ApiServer(rig.api.store, rig.registry, rig.clock, token="t")
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "shop"}}
    path = f"/api/v1/namespaces/shop/pods/{pod}/eviction"
    headers = {"content-type": "application/json", "authorization": "Bearer t"}
    answer = await server.handle(HttpRequest("POST", path, headers=headers, body=msgspec.json.encode(body)))
    return answer.status, msgspec.json.decode(answer.body)


@pytest.mark.parametrize(
    ("spec", "desired", "expected", "allowed"),
    [
        ({"minAvailable": 2}, 2, 3, 1),
        ({"minAvailable": "50%"}, 2, 3, 1),
        ({"maxUnavailable": 1}, 2, 3, 1),
        ({"maxUnavailable": "34%"}, 1, 3, 2),
        ({"maxUnavailable": 0}, 3, 3, 0),
        ({"minAvailable": 5}, 5, 3, 0),
    ],
)
async def test_figures(rig, spec, desired, expected, allowed):
    rig.statefulset(replicas=3)
    budget(rig, **spec)
    await rig.settle()
    status = rig.get(BUDGETS, "orders")["status"]
    assert status["currentHealthy"] == 3
    assert (status["desiredHealthy"], status["expectedPods"]) == (desired, expected)
    assert status["disruptionsAllowed"] == allowed
    (condition,) = status["conditions"]
    assert condition["reason"] == ("SufficientPods" if allowed else "InsufficientPods")


async def test_an_eviction_is_refused_with_the_figures_when_the_budget_is_spent(rig):
    rig.statefulset(replicas=2)
    budget(rig, minAvailable=2)
    await rig.settle()
    status, answer = await evict(rig, "orders-0")
    assert (status, answer["reason"]) == (429, "TooManyRequests")
    assert answer["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    (cause,) = answer["details"]["causes"]
    assert cause["reason"] == "DisruptionBudget"
    assert cause["message"] == "The disruption budget orders needs 2 healthy pods and has 2 currently"
    assert "deletionTimestamp" not in rig.get(PODS, "orders-0")["metadata"]


async def test_an_eviction_takes_from_the_budget_at_once(rig):
    rig.statefulset(replicas=3)
    budget(rig, maxUnavailable=1)
    await rig.settle()
    assert (await evict(rig, "orders-0"))[0] == 201
    assert (await evict(rig, "orders-1"))[0] == 429
    (target,) = [one for one in rig.get(PODS, "orders-0")["status"]["conditions"] if one["type"] == "DisruptionTarget"]
    assert target["reason"] == "EvictionByEvictionAPI"
    await rig.settle()
    assert rig.get(BUDGETS, "orders")["status"]["disruptionsAllowed"] == 1  # the set made a new pod
    assert "disruptedPods" not in rig.get(BUDGETS, "orders")["status"]


async def test_a_budget_that_was_not_looked_at_yet_lets_nobody_go(rig):
    rig.statefulset(replicas=2)
    await rig.settle()
    await rig.loop.stop()
    budget(rig, minAvailable=0)
    status, answer = await evict(rig, "orders-0")
    assert (status, answer["details"]["retryAfterSeconds"]) == (429, 10)
    assert "still being processed" in answer["details"]["causes"][0]["message"]


async def test_two_budgets_over_one_pod_are_an_error(rig):
    rig.statefulset(replicas=2)
    budget(rig, "one", minAvailable=0)
    budget(rig, "two", minAvailable=0)
    await rig.settle()
    status, answer = await evict(rig, "orders-0")
    assert status == 500
    assert "more than one PodDisruptionBudget" in answer["message"]


async def test_what_serves_nothing_may_always_go(rig):
    rig.statefulset(replicas=1)
    budget(rig, minAvailable=1)
    rig.pod("stuck", image="example.com/unknown:1")
    rig.api.patch(PODS, "stuck", {"metadata": {"labels": {"app": "orders"}}}, "shop")
    await rig.settle()
    assert (await evict(rig, "stuck"))[0] == 201


async def test_more_may_be_missing_than_there_are(rig):
    rig.statefulset(replicas=1)
    budget(rig, maxUnavailable=5)
    await rig.settle()
    found = rig.get(BUDGETS, "orders")["status"]
    assert (found["desiredHealthy"], found["disruptionsAllowed"]) == (0, 1)


async def test_a_ready_pod_that_is_ending_protects_nobody(rig):
    rig.statefulset(replicas=2)
    budget(rig, minAvailable=2)
    spec = {"containers": [{"name": "c", "image": "lazarus.dev/pause:1"}], "nodeSelector": {"none": "none"}}
    meta = {"name": "lingering", "labels": {"app": "orders"}, "finalizers": ["lazarus.dev/held"]}
    made = rig.api.create(PODS, {"metadata": meta, "spec": spec}, "shop")
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    rig.api.update_status(PODS, {**made, "status": ready})
    await rig.settle()
    assert rig.get(BUDGETS, "orders")["status"]["disruptionsAllowed"] == 1
    rig.api.delete(PODS, "lingering", "shop")
    await rig.settle()
    assert rig.get(PODS, "lingering")["metadata"]["deletionTimestamp"]
    assert rig.get(BUDGETS, "orders")["status"]["currentHealthy"] == 2
    assert (await evict(rig, "orders-0"))[0] == 429
