"""OpenAPI documents: what kubectl's explain, diff, apply and edit read in them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lazarus_tui.model.resources import CRDS
from lazarus_tui.sandbox.api import component_facts as facts
from lazarus_tui.sandbox.api.components import components
from lazarus_tui.sandbox.api.protobuf import field_table, message_name
from lazarus_tui.sandbox.api.shapes import Builtin
from lazarus_tui.sandbox.api.strategic import strategic_merge
from lazarus_tui.sandbox.api.typed import fields_of_message

from .conftest import World, widget_definition

CORE, APPS = "io.k8s.api.core.v1", "io.k8s.api.apps.v1"


async def document(world: World, place: str) -> Any:
    url = (await world.call("GET", "/openapi/v3")).body["paths"][place]["serverRelativeURL"]
    path, _, query = url.partition("?hash=")
    return (await world.call("GET", path, hash=query)).body


async def test_every_kind_of_every_group_is_described_and_every_reference_leads_somewhere(widgets: World) -> None:
    places = (await widgets.call("GET", "/openapi/v3")).body["paths"]
    assert len(places) >= 20
    described = set()
    for place in places:
        found = await document(widgets, place)
        schemas = found["components"]["schemas"]
        references = set(re.findall(r'"#/components/schemas/([^"]+)"', str(found).replace("'", '"')))
        assert references <= schemas.keys(), place
        for schema in schemas.values():
            described |= {tuple(one.values()) for one in schema.get("x-kubernetes-group-version-kind", ())}
    for served in widgets.registry.offered():
        assert (served.group, served.version, served.kind.kind) in described


def test_fields_of_all_built_in_kinds_are_known(world: World) -> None:
    unknown = [
        served.api_version + "/" + served.kind.kind
        for served in world.registry.offered()
        if message_name(served.api_version, served.kind.kind) not in field_table()
    ]
    assert unknown == []


async def test_types_descriptions_and_required_fields(world: World) -> None:
    schemas = (await document(world, "apis/apps/v1"))["components"]["schemas"]
    spec = schemas[f"{APPS}.DeploymentSpec"]
    assert spec["required"] == ["selector", "template"]
    assert spec["properties"]["minReadySeconds"] == {"type": "integer", "format": "int32"}
    container = schemas[f"{CORE}.Container"]["properties"]
    assert container["image"]["type"] == "string"
    assert container["args"]["items"] == {"type": "string"}
    assert schemas[f"{APPS}.Deployment"]["description"].startswith("Keeps a number of like pods running")
    limits = schemas[f"{CORE}.ResourceRequirements"]["properties"]["limits"]["additionalProperties"]
    assert limits == {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity"}


async def test_how_lists_merge(world: World) -> None:
    schemas = (await document(world, "api/v1"))["components"]["schemas"]
    ports = schemas[f"{CORE}.Container"]["properties"]["ports"]
    assert ports["x-kubernetes-patch-merge-key"] == "containerPort"
    assert ports["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert schemas[f"{CORE}.ServiceSpec"]["properties"]["ports"]["x-kubernetes-patch-merge-key"] == "port"
    assert schemas[f"{CORE}.PodSpec"]["properties"]["volumes"]["x-kubernetes-patch-strategy"] == "merge,retainKeys"
    assert schemas[f"{CORE}.PodSpec"]["properties"]["tolerations"]["x-kubernetes-list-type"] == "atomic"
    meta = schemas["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]["properties"]
    assert meta["finalizers"]["x-kubernetes-list-type"] == "set"


@pytest.mark.parametrize("field", sorted(name for name in facts.MERGED if "." not in name))
def test_documents_patches_and_applies_agree_about_lists(field: str) -> None:
    keys = facts.MERGED[field]
    assert tuple(name for name, _ in Builtin(field).keys) == keys
    one, other = ({key: text for key in keys} for text in "ab")
    merged = strategic_merge({field: [one]}, {field: [other | {"x": 1}]})
    assert {item[keys[0]] for item in merged[field]} == {"a", "b"}


def test_facts_are_about_fields_that_there_are() -> None:
    for message, needed in facts.REQUIRED.items():
        assert set(needed) <= fields_of_message(message).keys(), message
    for place in (*facts.MERGED, *facts.SETS, *facts.RETAINED):
        message, _, field = place.rpartition(".")
        assert not message or field in fields_of_message(message), place
    assert facts.WORDS.keys() <= field_table().keys()
    assert all(components([message]) for message in facts.WORDS)


async def test_a_document_is_kept_until_its_kinds_change(world: World) -> None:
    world.api.create(CRDS, widget_definition())
    before = (await world.call("GET", "/openapi/v3")).body["paths"]
    path, _, tag = before["apis/example.com/v1"]["serverRelativeURL"].partition("?hash=")
    answer = await world.call("GET", path, hash=tag)
    assert answer.headers["cache-control"] == "public, immutable"
    again = await world.call("GET", path, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status, again.raw) == (304, b"")
    changed = widget_definition()
    properties = changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    changed["spec"]["versions"][0]["schema"] = {
        "openAPIV3Schema": {"type": "object", "properties": properties | {"more": {"type": "string"}}}
    }
    world.api.update(CRDS, changed)
    after = (await world.call("GET", "/openapi/v3")).body["paths"]
    assert {place for place in after if after[place] != before[place]} == {"apis/example.com/v1"}
    old = await world.call("GET", path, hash=tag)
    assert (old.status, old.headers["location"]) == (301, after["apis/example.com/v1"]["serverRelativeURL"])
    schema = (await document(world, "apis/example.com/v1"))["components"]["schemas"]["com.example.v1.Widget"]
    assert {"apiVersion", "kind", "metadata", "spec", "more"} <= schema["properties"].keys()
    assert (await world.call("GET", "/openapi/v3/apis/nobody/v1")).status == 404
