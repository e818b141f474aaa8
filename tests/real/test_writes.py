"""Writes: preconditions, server-side apply, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from real_world import World

from lazarus_tui.kube.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Pushback
from lazarus_tui.kube.retry import ONCE
from lazarus_tui.model.http import HttpResponse
from lazarus_tui.model.resources import CONFIGMAPS, DEPLOYMENTS, NAMESPACES, PODS, Resource

APPLY = "application/apply-patch+yaml"


async def test_an_object_from_birth_to_death(world: World) -> None:
    made = await world.config("a", x="1")
    uid = made["metadata"]["uid"]
    patched = await world.cluster.merge_patch(CONFIGMAPS, "a", {"data": {"x": None, "y": "2"}}, world.ns, uid=uid)
    assert patched["data"] == {"y": "2"}
    steps = [{"op": "add", "path": "/data/z", "value": "3"}]
    version = patched["metadata"]["resourceVersion"]
    await world.cluster.json_patch(CONFIGMAPS, "a", steps, world.ns, uid=uid, rv=version)
    assert await world.data("a") == {"y": "2", "z": "3"}
    await world.cluster.delete(CONFIGMAPS, "a", world.ns, uid=uid)
    assert await world.data("a") is None
    with pytest.raises(NotFound):
        await world.cluster.delete(CONFIGMAPS, "a", world.ns, uid=uid)


async def test_what_is_another_by_now_is_never_written(world: World) -> None:
    made = await world.config("a", x="1")
    version = made["metadata"]["resourceVersion"]
    await world.put("a", x="2")
    with pytest.raises(AlreadyExists):
        await world.config("a")
    for wrong in ({"uid": "8f2c7a1e-0000-4000-8000-000000000000"}, {"rv": version}):
        with pytest.raises(Conflict):
            await world.cluster.merge_patch(CONFIGMAPS, "a", {"data": {"x": "3"}}, world.ns, **wrong)
        with pytest.raises(Conflict):
            await world.cluster.json_patch(CONFIGMAPS, "a", [{"op": "remove", "path": "/data"}], world.ns, **wrong)
        with pytest.raises(Conflict):
            await world.cluster.delete(CONFIGMAPS, "a", world.ns, **wrong)
    assert await world.data("a") == {"x": "2"}


async def test_what_the_rules_forbid_is_invalid(world: World) -> None:
    with pytest.raises(Invalid):
        await world.config("Not A Name")
    with pytest.raises(NotFound):
        await world.cluster.create(CONFIGMAPS, {"metadata": {"name": "a"}}, "nowhere")
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec: dict[str, Any] = {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": template}
    await world.cluster.create(DEPLOYMENTS, {"metadata": {"name": "a"}, "spec": spec}, world.ns)
    moved = {"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}}}}}
    with pytest.raises(Invalid, match="immutable"):
        await world.cluster.merge_patch(DEPLOYMENTS, "a", moved, world.ns)


async def apply(world: World, manager: str, data: dict[str, str], *, force: bool = False) -> HttpResponse:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}, "data": data}
    query = {"fieldManager": manager} | ({"force": "true"} if force else {})
    path = CONFIGMAPS.path(world.ns, "shared")
    return await world.cluster.request("PATCH", path, query=query, body=body, content_type=APPLY)


async def test_appliers_own_their_fields_and_take_others_only_by_force(world: World) -> None:
    assert (await apply(world, "one", {"a": "1", "b": "1"})).status == 201
    assert (await apply(world, "two", {"c": "2"})).status == 200
    with pytest.raises(Conflict, match=r'conflict with "one": \.data\.a'):
        await apply(world, "two", {"a": "2", "c": "2"})
    assert await world.data("shared") == {"a": "1", "b": "1", "c": "2"}
    taken = json.loads((await apply(world, "two", {"a": "2", "c": "2"}, force=True)).body)
    owners = {
        entry["manager"]: set(entry["fieldsV1"]["f:data"]) - {"."} for entry in taken["metadata"]["managedFields"]
    }
    assert owners == {"one": {"f:b"}, "two": {"f:a", "f:c"}}
    # What its owner no longer wants goes; what is another's stays.
    await apply(world, "one", {})
    assert await world.data("shared") == {"a": "2", "c": "2"}
    with pytest.raises(Conflict, match='conflict with "two"'):
        await apply(world, "one", {"a": "3"})


async def test_an_eviction_that_a_budget_forbids_is_pushback_and_nothing_was_done(world: World) -> None:
    group = "v1" if world.plane.version() >= 22 else "v1beta1"
    budgets = Resource("policy", group, "poddisruptionbudgets", "PodDisruptionBudget")
    spec = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "a"}}}
    await world.cluster.create(budgets, {"metadata": {"name": "keep"}, "spec": spec}, world.ns)
    await world.own_account()
    await world.cluster.create(
        PODS,
        {
            "metadata": {"name": "p", "labels": {"app": "a"}},
            "spec": {"automountServiceAccountToken": False, "containers": [{"name": "c", "image": "i"}]},
        },
        world.ns,
    )
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await world.cluster.merge_patch(PODS, "p", {"status": ready}, world.ns, subresource="status")
    body = {"apiVersion": f"policy/{group}", "kind": "Eviction", "metadata": {"name": "p"}}
    with pytest.raises(Pushback, match="disruption budget") as caught:
        await world.cluster.request("POST", f"{PODS.path(world.ns, 'p')}/eviction", body=body, policy=ONCE)
    assert (caught.value.status, caught.value.reason) == (429, "TooManyRequests")
    pod = await world.cluster.get(PODS, "p", world.ns, type=dict[str, Any])
    assert pod is not None
    assert "deletionTimestamp" not in pod["metadata"]


async def test_a_namespace_that_goes_takes_nothing_new(world: World) -> None:
    held = {"metadata": {"name": "held", "finalizers": ["lazarus.dev/hold"]}}
    await world.cluster.create(CONFIGMAPS, held, world.ns)
    await world.cluster.delete(NAMESPACES, world.ns)
    with pytest.raises(Forbidden, match="being terminated"):
        await world.config("late")
    await world.cluster.merge_patch(CONFIGMAPS, "held", {"metadata": {"finalizers": None}}, world.ns)
