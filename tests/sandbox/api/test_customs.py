"""CustomResourceDefinitions and what they define."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from lazarus_tui.model.resources import CRDS, Resource
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.registry import Registry

from .conftest import MERGE, WIDGETS, World, widget_definition

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGET = Resource("example.com", "v1", "widgets", "Widget")


def widget(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1} | spec}


async def test_a_definition_is_established_and_serves_at_once(world: World) -> None:
    assert (await world.call("GET", WIDGETS)).status == 404
    made = await world.call("POST", DEFINITIONS, widget_definition())
    conditions = {one["type"]: one["status"] for one in made.body["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert made.body["status"]["storedVersions"] == ["v1"]
    assert (await world.call("GET", WIDGETS)).body["kind"] == "WidgetList"
    found = (await world.call("GET", "/apis/example.com/v1")).body["resources"]
    assert [one["name"] for one in found] == ["widgets"]
    groups = [one["name"] for one in (await world.call("GET", "/apis")).body["groups"]]
    assert "example.com" in groups


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"metadata": {"name": "x.y"}}, "metadata.name"),
        ({"spec": {"versions": [{"name": "v1", "served": True, "storage": True}]}}, "spec.versions[0].schema"),
        ({"spec": {"versions": []}}, "spec.versions"),
        ({"spec": {"scope": "Galaxy"}}, "spec.scope"),
        ({"spec": {"group": ""}}, "spec.group"),
    ],
)
async def test_bad_definitions(world: World, change: dict[str, Any], field: str) -> None:
    body = widget_definition()
    for part, values in change.items():
        body[part] = body[part] | values
    reply = await world.call("POST", DEFINITIONS, body)
    assert (reply.status, reply.reason) == (422, "Invalid")
    assert any(cause["field"].startswith(field) for cause in reply.body["details"]["causes"])


def with_part(schema: dict[str, Any], **root: Any) -> dict[str, Any]:
    body = deepcopy(widget_definition())
    root_schema = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    root_schema["properties"]["part"] = schema
    root_schema.update(root)
    return body


PART = "spec.versions[0].schema.openAPIV3Schema.properties[part]"


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"description": "of no type"}, f"{PART}.type"),
        ({"type": "array", "items": {}}, f"{PART}.items.type"),
        ({"type": "object", "additionalProperties": {"nullable": True}}, f"{PART}.additionalProperties.type"),
        ({"type": "integer", "default": "x"}, f"{PART}.default"),
        ({"type": "object", "properties": {"n": {"type": "string", "default": 1}}}, f"{PART}.properties[n].default"),
        (
            {"type": "object", "default": {"n": 1}, "properties": {"n": {"type": "string"}}},
            f"{PART}.default.n",
        ),
    ],
)
async def test_a_schema_is_structural(world: World, schema: dict[str, Any], field: str) -> None:
    reply = await world.call("POST", DEFINITIONS, with_part(schema))
    assert (reply.status, reply.reason) == (422, "Invalid")
    assert [cause["field"] for cause in reply.body["details"]["causes"]] == [field]


async def test_what_may_go_without_a_type_and_what_a_root_is(world: World) -> None:
    for free in ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"):
        assert (await world.call("POST", DEFINITIONS, with_part({free: True}), dryRun="All")).status == 201
    refused = await world.call("POST", DEFINITIONS, with_part({"type": "string"}, type="array"))
    assert refused.body["message"].endswith('Invalid value: "array": must be object at the root')


async def test_groups_of_kubernetes_need_its_approval(world: World) -> None:
    body = widget_definition()
    body["spec"] |= {"group": "apps.k8s.io"}
    body["metadata"] = {"name": "widgets.apps.k8s.io"}
    refused = await world.call("POST", DEFINITIONS, body)
    (cause,) = refused.body["details"]["causes"]
    assert (refused.status, cause["field"]) == (422, "metadata.annotations[api-approved.kubernetes.io]")
    body["metadata"]["annotations"] = {"api-approved.kubernetes.io": "https://example.com/1"}
    assert (await world.call("POST", DEFINITIONS, body)).status == 201


async def test_defaults_and_pruning(widgets: World) -> None:
    sent = widget(unknown=1, free={"anything": {"goes": 1}}, limits={"cpu": 1, "memory": "1Gi"}, note=None)
    spec = (await widgets.call("POST", WIDGETS, sent)).body["spec"]
    assert spec == {
        "size": 1,
        "colour": "grey",
        "free": {"anything": {"goes": 1}},
        "limits": {"cpu": 1, "memory": "1Gi"},
        "note": None,
    }


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"size": 0}, "spec.size"),
        ({"size": 10}, "spec.size"),
        ({"size": "1"}, "spec.size"),
        ({"size": True}, "spec.size"),
        ({"size": 1.5}, "spec.size"),
        ({"colour": "red"}, "spec.colour"),
        ({"code": "ABC"}, "spec.code"),
        ({"when": "yesterday"}, "spec.when"),
        ({"tags": ["a", "b", "c"]}, "spec.tags"),
        ({"tags": [1]}, "spec.tags[0]"),
        ({"limits": {"cpu": []}}, "spec.limits.cpu"),
        ({"parts": [{"id": "a"}, {"id": "a"}]}, "spec.parts[1]"),
    ],
)
async def test_validation_names_the_field(widgets: World, spec: dict[str, Any], field: str) -> None:
    reply = await widgets.call("POST", WIDGETS, widget(**spec))
    assert (reply.status, reply.reason) == (422, "Invalid")
    assert [cause["field"] for cause in reply.body["details"]["causes"]] == [field]


async def test_required_fields(widgets: World) -> None:
    reply = await widgets.call("POST", WIDGETS, {"metadata": {"name": "w"}, "spec": {}})
    assert reply.body["details"]["causes"][0] == {
        "reason": "FieldValueRequired",
        "message": "Required value",
        "field": "spec.size",
    }


async def test_status_subresource_splits(widgets: World) -> None:
    made = await widgets.call("POST", WIDGETS, widget() | {"status": {"phase": "New"}})
    assert "status" not in made.body
    done = await widgets.call(
        "PATCH", f"{WIDGETS}/w/status", {"status": {"phase": "Done"}, "spec": {"size": 5}}, type=MERGE
    )
    assert (done.body["status"], done.body["spec"]["size"], done.body["metadata"]["generation"]) == (
        {"phase": "Done"},
        1,
        1,
    )
    main = await widgets.call("PATCH", f"{WIDGETS}/w", {"status": {"phase": "No"}, "spec": {"size": 5}}, type=MERGE)
    assert (main.body["status"], main.body["metadata"]["generation"]) == ({"phase": "Done"}, 2)


async def test_without_the_subresource_status_is_a_field_like_others(world: World) -> None:
    """Velero's kinds are made this way."""
    world.api.create(CRDS, widget_definition())
    made = await world.call("POST", WIDGETS, widget() | {"status": {"phase": "New"}})
    assert made.body["status"] == {"phase": "New"}
    assert (await world.call("GET", f"{WIDGETS}/w/status")).status == 404
    patched = await world.call("PATCH", f"{WIDGETS}/w", {"status": {"phase": "Done"}}, type=MERGE)
    assert patched.body["status"] == {"phase": "Done"}
    with pytest.raises(ApiError, match="no status subresource"):
        world.api.update_status(WIDGET, patched.body)


async def test_an_update_needs_a_revision(widgets: World) -> None:
    made = (await widgets.call("POST", WIDGETS, widget())).body
    assert (await widgets.call("PUT", f"{WIDGETS}/w", widget(size=2))).status == 422
    assert (await widgets.call("PUT", f"{WIDGETS}/w", made | {"spec": {"size": 2}})).status == 200


async def test_scale_of_a_custom_kind(widgets: World) -> None:
    await widgets.call("POST", WIDGETS, widget(replicas=2))
    await widgets.call("PATCH", f"{WIDGETS}/w/status", {"status": {"replicas": 1}}, type=MERGE)
    scale = (await widgets.call("GET", f"{WIDGETS}/w/scale")).body
    assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 1})


async def test_versions_without_conversion_show_the_same_object(world: World) -> None:
    body = widget_definition()
    older = body["spec"]["versions"][0] | {"name": "v1beta1", "storage": False}
    body["spec"]["versions"].append(older)
    await world.call("POST", DEFINITIONS, body)
    old_path = WIDGETS.replace("/v1/", "/v1beta1/")
    made = await world.call("POST", old_path, widget() | {"apiVersion": "example.com/v1beta1"})
    assert made.body["apiVersion"] == "example.com/v1beta1"
    assert (await world.call("GET", f"{WIDGETS}/w")).body["apiVersion"] == "example.com/v1"
    listed = (await world.call("GET", old_path)).body
    assert [listed["apiVersion"], listed["items"][0]["apiVersion"]] == ["example.com/v1beta1"] * 2
    preferred = next(one for one in (await world.call("GET", "/apis")).body["groups"] if one["name"] == "example.com")
    assert preferred["preferredVersion"]["version"] == "v1"


async def test_a_definition_takes_its_objects_with_it(widgets: World) -> None:
    await widgets.call("POST", WIDGETS, widget())
    await widgets.call("DELETE", f"{DEFINITIONS}/widgets.example.com")
    assert (await widgets.call("GET", WIDGETS)).status == 404
    await widgets.call("POST", DEFINITIONS, widget_definition())
    assert (await widgets.call("GET", WIDGETS)).body["items"] == []


def test_a_registry_learns_from_a_store_that_was_loaded(widgets: World) -> None:
    other = LocalApi(widgets.store, Registry(), widgets.clock)
    other.create(WIDGET, widget(), "default")
    assert widgets.api.get(WIDGET, "w", "default") is not None


@pytest.mark.parametrize(
    ("part", "value", "field"),
    [
        ("scope", "Cluster", "spec.scope"),
        ("names", {"plural": "widgets", "kind": "Gadget"}, "spec.names.kind"),
        ("versions", "v2", "status.storedVersions[0]"),
    ],
)
async def test_where_objects_are_found_never_changes(widgets: World, part: str, value: Any, field: str) -> None:
    await widgets.call("POST", WIDGETS, widget())
    body = (await widgets.call("GET", f"{DEFINITIONS}/widgets.example.com")).body
    if part == "versions":
        value = [body["spec"]["versions"][0] | {"name": "v2"}]
    body["spec"][part] = value
    refused = await widgets.call("PUT", f"{DEFINITIONS}/widgets.example.com", body)
    assert (refused.status, [one["field"] for one in refused.body["details"]["causes"]]) == (422, [field])
    assert len((await widgets.call("GET", WIDGETS)).body["items"]) == 1


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"speck": {}}, 400, 'unknown field "speck"'),
        ({"spec": {"group": 1}}, 400, "cannot unmarshal number"),
    ],
)
async def test_definitions_have_types_too(world: World, change: dict[str, Any], status: int, text: str) -> None:
    body = widget_definition()
    wrong = body | {key: (body.get(key) or {}) | value for key, value in change.items()}
    refused = await world.call("POST", DEFINITIONS, wrong, fieldValidation="Strict")
    assert (refused.status, text in refused.body["message"]) == (status, True), refused.raw
