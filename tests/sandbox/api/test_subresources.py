"""Parts of objects that are written by themselves: scales, debug containers, resources, approvals, bindings."""

from __future__ import annotations

import json
from typing import Any

from .conftest import MERGE, STRATEGIC, WIDGETS, World, pod, workload

NS = "/api/v1/namespaces/default"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
APPLY = "application/apply-patch+yaml"


def scale(name: str, replicas: int) -> dict[str, Any]:
    made = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": name}}
    return made | {"spec": {"replicas": replicas}}


async def test_a_scale_is_applied_by_its_owner_and_by_force(world: World) -> None:
    await world.call("POST", DEPLOYMENTS, workload("Deployment", "web", replicas=1), fieldManager="maker")
    path = f"{DEPLOYMENTS}/web/scale"
    refused = await world.call("PATCH", path, scale("web", 3), type=APPLY, fieldManager="scaler")
    assert (refused.status, refused.reason) == (409, "Conflict")
    assert [cause["field"] for cause in refused.body["details"]["causes"]] == [".spec.replicas"]
    forced = await world.call("PATCH", path, scale("web", 3), type=APPLY, fieldManager="scaler", force="true")
    assert (forced.status, forced.body["kind"], forced.body["spec"]) == (200, "Scale", {"replicas": 3})
    found = (await world.call("GET", f"{DEPLOYMENTS}/web")).body
    assert found["spec"]["replicas"] == 3
    owners = {
        (one["manager"], one["operation"], one.get("subresource"))
        for one in found["metadata"]["managedFields"]
        if "f:replicas" in json.dumps(one["fieldsV1"])
    }
    assert owners == {("scaler", "Apply", "scale")}


async def test_a_scale_of_a_custom_kind_is_applied_too(widgets: World) -> None:
    await widgets.call("POST", WIDGETS, {"metadata": {"name": "w"}, "spec": {"size": 1}})
    path = f"{WIDGETS}/w/scale"
    applied = await widgets.call("PATCH", path, scale("w", 2), type=APPLY, fieldManager="scaler")
    assert (applied.status, applied.body["spec"]) == (200, {"replicas": 2})
    assert (
        await widgets.call("PATCH", f"{WIDGETS}/x/scale", scale("x", 2), type=APPLY, fieldManager="s")
    ).status == 404
    wrong = scale("w", 2) | {"kind": "Widget"}
    assert (await widgets.call("PATCH", path, wrong, type=APPLY, fieldManager="s")).status == 400


async def test_debug_containers_are_refused_because_nothing_would_run_them(world: World) -> None:
    await world.call("POST", f"{NS}/pods", pod("p"))
    debug = {"spec": {"ephemeralContainers": [{"name": "d", "image": "lazarus.dev/pause:1"}]}}
    refused = await world.call("PATCH", f"{NS}/pods/p", debug, type=STRATEGIC)
    assert (refused.status, refused.reason) == (422, "Invalid")
    told = await world.call("PATCH", f"{NS}/pods/p/ephemeralcontainers", debug, type=STRATEGIC)
    assert (told.status, told.reason) == (403, "Forbidden")
    assert "ephemeralContainers" not in (await world.call("GET", f"{NS}/pods/p")).body["spec"]


async def test_a_resize_changes_resources_and_nothing_else(world: World) -> None:
    await world.call("POST", f"{NS}/pods", pod("p"))
    wanted = {"spec": {"containers": [{"name": "main", "image": "other:1", "resources": {"limits": {"cpu": "2"}}}]}}
    resized = await world.call("PATCH", f"{NS}/pods/p/resize", wanted, type=STRATEGIC)
    assert resized.status == 200
    (container,) = resized.body["spec"]["containers"]
    assert (container["image"], container["resources"]["limits"]) == ("lazarus.dev/pause:1", {"cpu": "2"})
    again = {"spec": {"containers": [{"name": "main", "resources": {"limits": {"cpu": "3"}}}]}}
    assert (await world.call("PATCH", f"{NS}/pods/p", again, type=STRATEGIC)).status == 422


async def test_an_approval_adds_conditions_and_no_certificate(world: World) -> None:
    spec = {"request": "eA==", "signerName": "example.com/s", "usages": ["client auth"]}
    await world.call("POST", REQUESTS, {"metadata": {"name": "c"}, "spec": spec})
    said = {"status": {"conditions": [{"type": "Approved", "status": "True"}], "certificate": "eA=="}}
    approved = await world.call("PATCH", f"{REQUESTS}/c/approval", said, type=MERGE)
    assert [one["type"] for one in approved.body["status"]["conditions"]] == ["Approved"]
    assert "certificate" not in approved.body["status"]


async def test_a_binding_may_name_its_pod_in_the_body(world: World) -> None:
    await world.call("POST", f"{NS}/pods", pod("p"))
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
    assert (await world.call("POST", f"{NS}/bindings", binding)).status == 201
    assert (await world.call("GET", f"{NS}/pods/p")).body["spec"]["nodeName"] == "n1"
    assert (await world.call("POST", f"{NS}/bindings", binding)).reason == "Conflict"
    nobody = binding | {"metadata": {"name": "none"}}
    assert (await world.call("POST", f"{NS}/bindings", nobody)).status == 404
