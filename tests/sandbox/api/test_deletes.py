"""Deletes: preconditions, grace, finalizers, namespaces, collections."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import NAMESPACES
from lazarus_tui.model.resources import PODS as POD

from .conftest import MERGE, World, config_map, pod

CM = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


async def test_delete_then_gone(world: World) -> None:
    uid = (await world.call("POST", CM, config_map("a"))).body["metadata"]["uid"]
    reply = await world.call("DELETE", f"{CM}/a")
    assert reply.body["status"] == "Success"
    assert reply.body["details"] == {"name": "a", "kind": "configmaps", "uid": uid}
    assert (await world.call("GET", f"{CM}/a")).reason == "NotFound"
    assert (await world.call("DELETE", f"{CM}/a")).reason == "NotFound"


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"preconditions": {"uid": "other"}}, 409),
        ({"preconditions": {"resourceVersion": "1"}}, 409),
        ({"propagationPolicy": "Maybe"}, 422),
        ({"orphanDependents": True, "propagationPolicy": "Background"}, 422),
        ({"gracePeriodSeconds": "x"}, 400),
        ({"dryRun": ["All"]}, 200),
    ],
)
async def test_options_that_keep_the_object(world: World, options: dict[str, Any], status: int) -> None:
    made = (await world.call("POST", CM, config_map("a"))).body
    assert (await world.call("DELETE", f"{CM}/a", options)).status == status
    assert (await world.call("GET", f"{CM}/a")).body == made


async def test_matching_preconditions_delete(world: World) -> None:
    meta = (await world.call("POST", CM, config_map("a"))).body["metadata"]
    options = {"preconditions": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}}
    assert (await world.call("DELETE", f"{CM}/a", options)).status == 200
    assert (await world.call("GET", f"{CM}/a")).status == 404


async def test_finalizers_hold_until_removed(world: World) -> None:
    await world.call("POST", CM, config_map("a", finalizers=["example.com/hold"]))
    held = await world.call("DELETE", f"{CM}/a")
    assert held.body["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:00Z"
    added = await world.call(
        "PATCH", f"{CM}/a", {"metadata": {"finalizers": ["example.com/hold", "b.c/d"]}}, type=MERGE
    )
    assert (added.status, added.reason) == (422, "Invalid")
    still = await world.call("PATCH", f"{CM}/a", {"data": {"x": "1"}}, type=MERGE)
    assert still.status == 200
    watching = await world.watch(CM, resourceVersion=still.body["metadata"]["resourceVersion"])
    freed = await world.call("PATCH", f"{CM}/a", {"metadata": {"finalizers": None}}, type=MERGE)
    assert freed.status == 200
    assert (await world.call("GET", f"{CM}/a")).status == 404
    assert watching.seen == [("DELETED", "a")]


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
async def test_propagation_leaves_a_mark_for_the_collector(world: World, policy: str, finalizer: str) -> None:
    await world.call("POST", CM, config_map("a"))
    reply = await world.call("DELETE", f"{CM}/a", propagationPolicy=policy)
    assert reply.body["metadata"]["finalizers"] == [finalizer]
    assert (await world.call("GET", f"{CM}/a")).status == 200


async def test_a_running_pod_waits_for_its_kubelet(world: World) -> None:
    await world.call("POST", PODS, pod("a", node="n1"))
    reply = await world.call("DELETE", f"{PODS}/a", gracePeriodSeconds="5")
    meta = reply.body["metadata"]
    assert (meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"]) == ("2026-01-01T00:00:05Z", 5)
    assert (await world.call("DELETE", f"{PODS}/a")).body["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:05Z"
    world.api.delete(POD, "a", "default", grace=0)
    assert (await world.call("GET", f"{PODS}/a")).status == 404


@pytest.mark.parametrize("phase", ["", "Succeeded", "Failed"])
async def test_pods_nobody_runs_go_at_once(world: World, phase: str) -> None:
    await world.call("POST", PODS, pod("a", node="n1" if phase else ""))
    if phase:
        await world.call("PATCH", f"{PODS}/a/status", {"status": {"phase": phase}}, type=MERGE)
    await world.call("DELETE", f"{PODS}/a")
    assert (await world.call("GET", f"{PODS}/a")).status == 404


async def test_a_namespace_ends_when_it_is_finalized(world: World) -> None:
    await world.call("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    reply = await world.call("DELETE", "/api/v1/namespaces/shop")
    assert reply.body["status"]["phase"] == "Terminating"
    assert reply.body["spec"]["finalizers"] == ["kubernetes"]
    sneaky = await world.call("PATCH", "/api/v1/namespaces/shop", {"spec": {"finalizers": []}}, type=MERGE)
    assert sneaky.body["spec"]["finalizers"] == ["kubernetes"]
    done = await world.call("PUT", "/api/v1/namespaces/shop/finalize", {"metadata": {"name": "shop"}, "spec": {}})
    assert done.status == 200
    assert (await world.call("GET", "/api/v1/namespaces/shop")).status == 404


async def test_system_namespaces_stay(world: World) -> None:
    reply = await world.call("DELETE", "/api/v1/namespaces/kube-system")
    assert (reply.status, reply.reason) == (403, "Forbidden")
    assert world.api.get(NAMESPACES, "kube-system") is not None


async def test_delete_collection_takes_what_the_selector_takes(world: World) -> None:
    for name, tier in (("a", "x"), ("b", "x"), ("c", "y")):
        await world.call("POST", CM, config_map(name, labels={"tier": tier}))
    reply = await world.call("DELETE", CM, labelSelector="tier=x")
    assert [one["metadata"]["name"] for one in reply.body["items"]] == ["a", "b"]
    left = (await world.call("GET", CM)).body["items"]
    assert [one["metadata"]["name"] for one in left] == ["c"]
    assert (await world.call("DELETE", "/api/v1/configmaps")).status == 405


async def test_a_pretended_delete_of_a_collection_takes_nothing(world: World) -> None:
    await world.call("POST", CM, config_map("a"))
    pretended = await world.call("DELETE", CM, dryRun="All")
    assert (pretended.status, [one["metadata"]["name"] for one in pretended.body["items"]]) == (200, ["a"])
    assert (await world.call("GET", f"{CM}/a")).status == 200
    assert (await world.call("DELETE", CM, dryRun="Maybe")).status == 422
    assert (await world.call("DELETE", CM, labelSelector="a in (")).status == 400
    assert (await world.call("DELETE", CM, fieldSelector="metadata.name=b")).body["items"] == []
    assert (await world.call("GET", f"{CM}/a")).status == 200


async def test_eviction_and_binding(world: World) -> None:
    await world.call("POST", PODS, pod("a"))
    binding = {"metadata": {"name": "a"}, "target": {"name": "n1"}}
    assert (await world.call("POST", f"{PODS}/a/binding", binding)).status == 201
    assert (await world.call("GET", f"{PODS}/a")).body["spec"]["nodeName"] == "n1"
    assert (await world.call("POST", f"{PODS}/a/binding", binding)).status == 409
    assert (await world.call("POST", f"{PODS}/a/eviction", {"metadata": {"name": "a"}})).status == 201
    assert "deletionTimestamp" in (await world.call("GET", f"{PODS}/a")).body["metadata"]
    assert (await world.call("POST", f"{PODS}/none/eviction", {})).reason == "NotFound"
