"""What may not be created and what may not change: the refusals a restore runs into."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import STORAGECLASSES

from .conftest import MERGE, World, pod, workload

NS = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"
JOBS = "/apis/batch/v1/namespaces/default/jobs"

CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def with_class(claim: dict[str, Any], name: str) -> dict[str, Any]:
    return claim | {"spec": claim["spec"] | {"storageClassName": name}}


SERVICE = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
TEMPLATE = {"spec": pod("x")["spec"] | {"restartPolicy": "Never"}}


def ends_after(seconds: int) -> dict[str, Any]:
    made = pod("p")
    return made | {"spec": made["spec"] | {"activeDeadlineSeconds": seconds}}


FILE = "spec.volumes[0].configMap.items[0]"


def with_file(path: str, *, projected: bool = False) -> dict[str, Any]:
    source = {"configMap": {"name": "c", "items": [{"key": "k", "path": path}]}}
    volume = {"name": "v"} | ({"projected": {"sources": [source]}} if projected else source)
    made = pod("p")
    return made | {"spec": made["spec"] | {"volumes": [volume]}}


def without(obj: dict[str, Any], *path: str) -> dict[str, Any]:
    head, *rest = path
    if not rest:
        return {key: value for key, value in obj.items() if key != head}
    return obj | {head: without(obj[head], *rest)}


@pytest.mark.parametrize(
    ("path", "obj", "field"),
    [
        (f"{NS}/pods", {"metadata": {"name": "a"}, "spec": {"containers": []}}, "spec.containers"),
        (
            f"{NS}/pods",
            {"metadata": {"name": "a"}, "spec": {"containers": pod("a")["spec"]["containers"] * 2}},
            "spec.containers[1].name",
        ),
        (
            f"{APPS}/deployments",
            workload("Deployment", "web", selector={"matchLabels": {"z": "z"}}),
            "spec.template.metadata.labels",
        ),
        (f"{APPS}/deployments", workload("Deployment", "web", replicas=-1), "spec.replicas"),
        *((f"{NS}/pods", with_file(path), f"{FILE}.path") for path in ("/etc/x", "a/../../x", "..x", "")),
        (
            f"{NS}/pods",
            with_file("../x", projected=True),
            "spec.volumes[0].projected.sources[0].configMap.items[0].path",
        ),
        (f"{NS}/services", {"metadata": {"name": "s"}, "spec": {}}, "spec.ports"),
        (f"{NS}/services", {"metadata": {"name": "s.t"}, "spec": SERVICE["spec"]}, "metadata.name"),
        (f"{NS}/persistentvolumeclaims", without(CLAIM, "spec", "resources"), "spec.resources[storage]"),
        (f"{NS}/persistentvolumeclaims", without(CLAIM, "spec", "accessModes"), "spec.accessModes"),
        (
            JOBS,
            {"metadata": {"name": "j"}, "spec": {"template": {"spec": pod("x")["spec"]}}},
            "spec.template.spec.restartPolicy",
        ),
        ("/api/v1/namespaces", {"metadata": {"name": "a.b"}}, "metadata.name"),
    ],
)
async def test_create_is_refused_with_the_field(world: World, path: str, obj: Any, field: str) -> None:
    reply = await world.call("POST", path, obj)
    assert (reply.status, reply.reason) == (422, "Invalid")
    assert field in [cause["field"] for cause in reply.body["details"]["causes"]]


@pytest.mark.parametrize(
    ("path", "obj", "patch", "status"),
    [
        (f"{NS}/persistentvolumeclaims", CLAIM, {"spec": {"accessModes": ["ReadWriteMany"]}}, 422),
        (f"{NS}/persistentvolumeclaims", CLAIM, {"spec": {"storageClassName": "other"}}, 200),
        (f"{NS}/persistentvolumeclaims", with_class(CLAIM, "one"), {"spec": {"storageClassName": "other"}}, 422),
        (f"{NS}/persistentvolumeclaims", CLAIM, {"spec": {"volumeName": "pv-1"}}, 200),
        (f"{NS}/persistentvolumeclaims", CLAIM, {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}, 422),
        (f"{APPS}/statefulsets", workload("StatefulSet", "o"), {"spec": {"serviceName": "zz"}}, 422),
        (f"{APPS}/statefulsets", workload("StatefulSet", "o"), {"spec": {"volumeClaimTemplates": [CLAIM]}}, 422),
        (f"{APPS}/statefulsets", workload("StatefulSet", "o"), {"spec": {"replicas": 0}}, 200),
        (
            f"{APPS}/statefulsets",
            workload("StatefulSet", "o"),
            {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}},
            200,
        ),
        (f"{APPS}/deployments", workload("Deployment", "w"), {"spec": {"selector": {"matchLabels": {"q": "q"}}}}, 422),
        (f"{NS}/services", SERVICE, {"spec": {"clusterIP": "10.0.0.77"}}, 422),
        (f"{NS}/services", SERVICE, {"spec": {"selector": {"a": "b"}}}, 200),
        (f"{NS}/secrets", {"metadata": {"name": "s"}}, {"type": "foo"}, 422),
        (f"{NS}/configmaps", {"metadata": {"name": "c"}, "immutable": True}, {"data": {"a": "2"}}, 422),
        (f"{NS}/pods", pod("p"), {"spec": {"restartPolicy": "Never"}}, 422),
        (f"{NS}/pods", pod("p"), {"spec": {"activeDeadlineSeconds": 9}}, 200),
        (f"{NS}/pods", ends_after(9), {"spec": {"activeDeadlineSeconds": 8}}, 200),
        (f"{NS}/pods", ends_after(9), {"spec": {"activeDeadlineSeconds": 10}}, 422),
        (f"{NS}/pods", ends_after(9), {"spec": {"activeDeadlineSeconds": None}}, 422),
        (f"{NS}/pods", pod("p", node="n1"), {"spec": {"nodeName": "n2"}}, 422),
        (
            JOBS,
            {"metadata": {"name": "j"}, "spec": {"template": TEMPLATE}},
            {"spec": {"completionMode": "Indexed"}},
            422,
        ),
    ],
)
async def test_what_may_change(world: World, path: str, obj: Any, patch: Any, status: int) -> None:
    made = await world.call("POST", path, obj)
    assert made.status == 201
    reply = await world.call("PATCH", f"{path}/{made.body['metadata']['name']}", patch, type=MERGE)
    assert reply.status == status
    if status == 422:
        assert reply.reason == "Invalid"


async def test_a_bound_claim_keeps_its_volume_and_may_ask_for_more(world: World) -> None:
    path = f"{NS}/persistentvolumeclaims"
    await world.call("POST", path, CLAIM)
    await world.call("PATCH", f"{path}/data", {"spec": {"volumeName": "pv-1"}}, type=MERGE)
    bound = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
    await world.call("PATCH", f"{path}/data/status", bound, type=MERGE)
    assert (await world.call("PATCH", f"{path}/data", {"spec": {"volumeName": "pv-2"}}, type=MERGE)).status == 422
    smaller = await world.call("PATCH", f"{path}/data", asking("1Mi"), type=MERGE)
    assert (smaller.status, "less than status.capacity" in smaller.body["message"]) == (422, True)


def asking(size: str) -> dict[str, Any]:
    return {"spec": {"resources": {"requests": {"storage": size}}}}


async def test_services_get_an_address_nobody_else_has(world: World) -> None:
    path = f"{NS}/services"
    first = (await world.call("POST", path, SERVICE)).body["spec"]["clusterIP"]
    second = (await world.call("POST", path, SERVICE | {"metadata": {"name": "b"}})).body["spec"]["clusterIP"]
    assert first.startswith("127.43.")
    assert first != second
    taken = {"metadata": {"name": "c"}, "spec": SERVICE["spec"] | {"clusterIP": first}}
    assert (await world.call("POST", path, taken)).status == 422
    headless = {"metadata": {"name": "d"}, "spec": {"clusterIP": "None", "selector": {"a": "b"}}}
    assert (await world.call("POST", path, headless)).body["spec"]["clusterIP"] == "None"
    external = {"metadata": {"name": "e"}, "spec": {"type": "ExternalName", "externalName": "x.example.com"}}
    assert "clusterIP" not in (await world.call("POST", path, external)).body["spec"]


async def test_claims_without_a_class_get_the_default_one(world: World) -> None:
    marked = {"metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
    world.api.create(STORAGECLASSES, marked | {"provisioner": "p"})
    path = f"{NS}/persistentvolumeclaims"
    assert (await world.call("POST", path, CLAIM)).body["spec"]["storageClassName"] == "standard"
    none = {"metadata": {"name": "none"}, "spec": CLAIM["spec"] | {"storageClassName": ""}}
    assert (await world.call("POST", path, none)).body["spec"]["storageClassName"] == ""


async def test_defaults_a_client_may_dereference(world: World) -> None:
    made = (await world.call("POST", f"{APPS}/deployments", workload("Deployment", "web"))).body["spec"]
    assert made["replicas"] == 1
    assert made["strategy"]["rollingUpdate"] == {"maxUnavailable": "25%", "maxSurge": "25%"}
    assert made["template"]["spec"]["restartPolicy"] == "Always"
    job = (await world.call("POST", JOBS, {"metadata": {"name": "j"}, "spec": {"template": TEMPLATE}})).body
    assert job["spec"]["selector"]["matchLabels"] == {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}
    assert job["spec"]["template"]["metadata"]["labels"]["job-name"] == "j"


@pytest.mark.parametrize("spec", ["x", {"containers": "x"}, {"containers": ["x"]}])
async def test_wrong_types_are_bad_requests_not_crashes(world: World, spec: Any) -> None:
    reply = await world.call("POST", f"{NS}/pods", {"metadata": {"name": "a"}, "spec": spec})
    assert reply.status in (400, 422)
