"""The run's own kinds: widgets with status and scale, gadgets with neither, as most of Velero's kinds are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance_api import CRDS, Api

SPEC: Mapping[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "colour": {"type": "string", "default": "grey", "enum": ["grey", "green"]},
        "code": {"type": "string", "pattern": "^[a-z]+$"},
        "tags": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "limits": {"type": "object", "additionalProperties": {"x-kubernetes-int-or-string": True}},
        "note": {"type": "string", "nullable": True},
        "replicas": {"type": "integer"},
    },
}
STATUS: Mapping[str, Any] = {
    "type": "object",
    "properties": {"phase": {"type": "string"}, "replicas": {"type": "integer"}},
}
SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {"spec": SPEC, "status": STATUS}}
SCALE = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
COLUMNS = [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]


def definition(group: str, plural: str, kind: str, **version: Any) -> dict[str, Any]:
    """A CustomResourceDefinition with one version, v1."""
    made = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}} | version
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [made]},
    }


def definitions(group: str) -> list[dict[str, Any]]:
    subresources = {"status": {}, "scale": SCALE}
    return [
        definition(group, "widgets", "Widget", subresources=subresources, additionalPrinterColumns=COLUMNS),
        definition(group, "gadgets", "Gadget"),
    ]


async def established(api: Api, made: Mapping[str, Any]) -> None:
    """Wait until its condition says so, its path answers, and it is in what the server says that there is."""
    name, group, plural = made["metadata"]["name"], made["spec"]["group"], made["spec"]["names"]["plural"]

    async def true() -> bool:
        found = (await api.get(f"{CRDS}/{name}")).ok()
        conditions = {one["type"]: one["status"] for one in (found.get("status") or {}).get("conditions") or ()}
        if conditions.get("Established") != "True" or (await api.get(f"/apis/{group}/v1/{plural}")).status != 200:
            return False
        listed, groups = await api.get(f"/apis/{group}/v1"), (await api.get("/apis")).ok()["groups"]
        resources = listed.body["resources"] if listed.status == 200 else ()
        return plural in {one["name"] for one in resources} and group in {one["name"] for one in groups}

    await api.eventually(true)


def widget(name: str, *, kind: str = "Widget", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "{group}/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"size": 3, **spec},
    }


def gadget(name: str, **spec: Any) -> dict[str, Any]:
    return widget(name, kind="Gadget", **spec)
