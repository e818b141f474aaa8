"""Field names and types of what comes over the wire."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.sandbox.api.protobuf import field_table

from .conftest import MERGE, WIDGETS, World, config_map, pod, workload

NS = "/api/v1/namespaces/default"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def with_spec(obj: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return obj | {"spec": obj["spec"] | spec}


@pytest.mark.parametrize(
    ("path", "obj", "field"),
    [
        (f"{NS}/pods", with_spec(pod("a"), contaners=[]), "spec.contaners"),
        (f"{NS}/configmaps", config_map("a") | {"dta": {}}, "dta"),
        (f"{NS}/configmaps", config_map("a", lables={}), "metadata.lables"),
        (
            WIDGETS,
            {"metadata": {"name": "w"}, "spec": {"size": 1, "parts": [{"id": "a", "no": 1}]}},
            "spec.parts[0].no",
        ),
        (WIDGETS, {"metadata": {"name": "w"}, "spec": {"size": 1}, "stats": {}}, "stats"),
    ],
)
async def test_unknown_fields_are_dropped_or_refused(widgets: World, path: str, obj: Any, field: str) -> None:
    strict = await widgets.call("POST", path, obj, fieldValidation="Strict")
    assert (strict.status, strict.reason) == (400, "BadRequest")
    assert f'strict decoding error: unknown field "{field}"' in strict.body["message"]
    loose = await widgets.call("POST", path, obj)
    assert loose.status == 201
    assert f'"{field.rpartition(".")[2]}":' not in loose.raw.decode()


@pytest.mark.parametrize(
    ("path", "obj"),
    [
        (f"{NS}/configmaps", config_map("a") | {"data": ["x"]}),
        (f"{NS}/configmaps", config_map("a", labels={"a": 1})),
        (f"{NS}/pods", with_spec(pod("a"), containers={"name": "c"})),
        (f"{NS}/pods", with_spec(pod("a"), terminationGracePeriodSeconds="30")),
        (f"{NS}/pods", with_spec(pod("a"), hostNetwork=1)),
        (DEPLOYMENTS, with_spec(workload("Deployment", "w"), replicas="2")),
        (DEPLOYMENTS, with_spec(workload("Deployment", "w"), replicas=True)),
        (DEPLOYMENTS, with_spec(workload("Deployment", "w"), template="x")),
    ],
)
async def test_wrong_types_are_refused(world: World, path: str, obj: Any) -> None:
    reply = await world.call("POST", path, obj)
    assert (reply.status, reply.reason) == (400, "BadRequest")
    assert "json: cannot unmarshal" in reply.body["message"]


async def test_patches_are_checked_as_well(widgets: World) -> None:
    await widgets.call("POST", DEPLOYMENTS, workload("Deployment", "w"))
    wrong = await widgets.call("PATCH", f"{DEPLOYMENTS}/w", {"spec": {"replicas": "2"}}, type=MERGE)
    typo = await widgets.call(
        "PATCH", f"{DEPLOYMENTS}/w", {"spec": {"replica": 2}}, type=MERGE, fieldValidation="Strict"
    )
    assert (wrong.status, typo.status) == (400, 400)


async def test_what_many_shapes_allow(widgets: World) -> None:
    volumes = [{"name": "d", "emptyDir": {}}, {"name": "c", "persistentVolumeClaim": {"claimName": "x"}}]
    body = workload("StatefulSet", "s", volumeClaimTemplates=[
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "d", "creationTimestamp": None},
         "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": 1024}}}},
    ])  # fmt: skip
    probe = {"httpGet": {"port": "http", "path": "/"}, "periodSeconds": 2}
    body["spec"]["template"]["spec"]["containers"][0] |= {"readinessProbe": probe, "env": [{"name": "A", "value": "b"}]}
    body["spec"]["template"]["spec"]["volumes"] = volumes
    path = "/apis/apps/v1/namespaces/default/statefulsets"
    assert (await widgets.call("POST", path, body, fieldValidation="Strict")).status == 201
    free = {"metadata": {"name": "w"}, "spec": {"size": 1, "free": {"a": 1}, "limits": {"x": "1"}}}
    assert (await widgets.call("POST", WIDGETS, free, fieldValidation="Strict")).status == 201


async def test_null_is_nothing(world: World) -> None:
    spec = {"hostname": None, "volumes": None, "containers": [{"name": "a", "image": "b", "env": None, "tty": None}]}
    made = await world.call("POST", f"{NS}/pods", {"metadata": {"name": "n", "creationTimestamp": None}, "spec": spec})
    assert (made.status, "null" in made.raw.decode()) == (201, False)
    assert made.body["metadata"]["creationTimestamp"]
    told = await world.call("POST", f"{NS}/configmaps", {"metadata": {"name": "n"}, "data": {"a": None, "b": "c"}})
    assert (told.status, told.body["data"]) == (201, {"a": "", "b": "c"})
    patch = [{"op": "replace", "path": "/metadata/labels", "value": None}]
    await world.call("PATCH", f"{NS}/configmaps/n", {"metadata": {"labels": {"x": "y"}}}, type=MERGE)
    bare = await world.call("PATCH", f"{NS}/configmaps/n", patch, type="application/json-patch+json")
    assert (bare.status, "labels" in bare.body["metadata"]) == (200, False)


def test_names_of_fields_are_those_of_json() -> None:
    """Upstream's own descriptions give a few by their Go names; only a daemon's port really is written like that."""
    large = {
        (message, label)
        for message, fields in field_table().items()
        for label, _, _ in fields.values()
        if label[:1].isupper()
    }
    assert large == {("core.v1.DaemonEndpoint", "Port"), ("meta.v1.FieldsV1", "Raw")}
