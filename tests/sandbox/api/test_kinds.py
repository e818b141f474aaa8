"""The kinds a 1.36 server has by itself, as its discovery lists them: the same, and served in both shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import MERGE, World

# group/version, resource, kind, scope, short names, categories, subresources, verbs; without resource.k8s.io (devices).
LISTED = [line.split() for line in Path(__file__).with_name("kinds.txt").read_text().splitlines()]
EVENTS = "/api/v1/namespaces/default/events"
NEW_EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
SCALERS = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"


def names(text: str) -> list[str]:
    return [] if text == "-" else text.split(",")


async def test_discovery_lists_what_a_real_server_lists(world: World) -> None:
    assert len(LISTED) >= 60
    for group_version, plural, kind, scope, short, categories, subresources, verbs in LISTED:
        place = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
        found = {one["name"]: one for one in (await world.call("GET", place)).body["resources"]}
        entry = found[plural]
        assert (entry["kind"], entry["namespaced"]) == (kind, scope == "ns"), plural
        assert entry.get("shortNames", []) == names(short), plural
        assert entry.get("categories", []) == names(categories), plural
        assert sorted(one.partition("/")[2] for one in found if one.startswith(f"{plural}/")) == names(subresources)
        assert len(entry["verbs"]) == 8 if verbs == "all" else sorted(entry["verbs"]) == names(verbs), plural


async def test_one_event_in_two_groups(world: World) -> None:
    about = {"kind": "Pod", "name": "p", "namespace": "default"}
    old = {"metadata": {"name": "a"}, "involvedObject": about, "reason": "R", "message": "m", "count": 3}
    await world.call("POST", EVENTS, old)
    seen = (await world.call("GET", f"{NEW_EVENTS}/a")).body
    assert (seen["apiVersion"], seen["note"], seen["regarding"], seen["deprecatedCount"]) == (
        "events.k8s.io/v1",
        "m",
        about,
        3,
    )
    assert "message" not in seen
    new = {"metadata": {"name": "b"}, "regarding": about, "note": "n", "reportingController": "c"}
    watching = await world.watch(EVENTS)
    assert (await world.call("POST", NEW_EVENTS, new)).body["note"] == "n"
    kept = (await world.call("GET", f"{EVENTS}/b")).body
    assert (kept["apiVersion"], kept["message"], kept["reportingComponent"]) == ("v1", "n", "c")
    await world.call("PATCH", f"{NEW_EVENTS}/b", {"note": "later"}, type=MERGE)
    assert (await world.call("GET", f"{EVENTS}/b")).body["message"] == "later"
    about_p = {"fieldSelector": "regarding.name=p,type!=Warning"}
    assert len((await world.call("GET", NEW_EVENTS, **about_p)).body["items"]) == 2
    assert (await world.call("GET", NEW_EVENTS, fieldSelector="regarding.name=q")).body["items"] == []
    assert (await world.call("GET", NEW_EVENTS, fieldSelector="note=n")).status == 400
    listed = (await world.call("GET", NEW_EVENTS)).body
    assert [one["note"] for one in listed["items"]] == ["m", "later"]
    assert [event["object"]["message"] for event in watching.events if event["object"]["metadata"]["name"] == "b"] == [
        "n",
        "later",
    ]


def scaler(**spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": target, "maxReplicas": 5, **spec}}


def resource(name: str, **target: Any) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": name, "target": target}}


async def test_an_older_autoscaler_is_a_newer_one(world: World) -> None:
    v1, v2 = SCALERS.format("v1"), SCALERS.format("v2")
    made = await world.call("POST", v1, scaler(targetCPUUtilizationPercentage=60))
    assert made.status == 201
    assert made.body["spec"]["targetCPUUtilizationPercentage"] == 60
    cpu = resource("cpu", type="Utilization", averageUtilization=60)
    kept = (await world.call("GET", f"{v2}/web")).body["spec"]
    assert (kept["metrics"], kept["minReplicas"]) == ([cpu], 1)
    memory = resource("memory", type="AverageValue", averageValue="1Gi")
    pods = {
        "type": "Pods",
        "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "7"}},
    }
    rules = {"scaleDown": {"stabilizationWindowSeconds": 30}}
    wanted = {"spec": {"metrics": [memory, cpu, pods], "behavior": rules}}
    await world.call("PATCH", f"{v2}/web", wanted, type=MERGE)
    old = (await world.call("GET", f"{v1}/web")).body
    assert old["spec"]["targetCPUUtilizationPercentage"] == 60
    assert not {"metrics", "behavior"} & old["spec"].keys()
    again = await world.call("PUT", f"{v1}/web", old)
    assert again.status == 200
    kept = (await world.call("GET", f"{v2}/web")).body
    assert kept["spec"]["metrics"] == [cpu, memory, pods]
    assert kept["spec"]["behavior"] == rules
    assert "annotations" not in kept["metadata"]


async def test_an_older_autoscaler_can_be_patched_and_applied(world: World) -> None:
    v1 = SCALERS.format("v1")
    await world.call("POST", v1, scaler(targetCPUUtilizationPercentage=60))
    more = {"spec": {"targetCPUUtilizationPercentage": 70, "maxReplicas": 6}}
    changed = await world.call("PATCH", f"{v1}/web", more, type=MERGE)
    assert changed.body["spec"]["targetCPUUtilizationPercentage"] == 70
    config = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", **scaler(maxReplicas=9)}
    applied = await world.call(
        "PATCH", f"{v1}/web", config, type="application/apply-patch+yaml", fieldManager="me", force="true"
    )
    assert (applied.status, applied.body["spec"]["maxReplicas"]) == (200, 9)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_components_can_only_be_read(world: World, method: str) -> None:
    assert (await world.call("GET", "/api/v1/componentstatuses")).body["items"] == []
    body = {"metadata": {"name": "a"}} if method == "POST" else None
    assert (await world.call(method, "/api/v1/componentstatuses", body)).status == 405
