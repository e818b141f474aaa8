"""OpenAPI documents, as much of them as clients look at: field validation support and the schemas of custom kinds."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.http import HttpResponse
from lazarus_tui.sandbox.api.answers import json_answer
from lazarus_tui.sandbox.api.errors import no_such_route
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.registry import Registry

_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}
    for name, kind in (
        ("dryRun", "string"),
        ("fieldManager", "string"),
        ("fieldValidation", "string"),
        ("force", "boolean"),
    )
]


def document(registry: Registry, path: str, version: str) -> HttpResponse:
    """``/openapi/v3`` and one document per group version; ``/openapi/v2`` has no definitions."""
    info = {"title": "Kubernetes", "version": version}
    if path == "/openapi/v2":
        return json_answer({"swagger": "2.0", "info": info, "paths": {}, "definitions": {}})
    if path == "/openapi/v3":
        return json_answer({"paths": _index(registry)})
    place = path.removeprefix("/openapi/v3/")
    kinds = _kinds_at(registry, place)
    if not kinds:
        raise no_such_route()
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for kind, kind_version in kinds:
        name = ".".join([*reversed(kind.group.split(".")), kind_version, kind.kind])
        schemas[name] = _schema(kind, kind_version)
        paths |= _paths(kind, kind_version, place, name)
    return json_answer({"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}})


def _place(kind: Kind, version: str) -> str:
    return f"apis/{kind.group}/{version}" if kind.group else f"api/{version}"


def _index(registry: Registry) -> dict[str, Any]:
    places = {_place(kind, version) for kind in registry.kinds() for version in kind.versions}
    return {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash={registry.generation}"} for place in sorted(places)}


def _kinds_at(registry: Registry, place: str) -> list[tuple[Kind, str]]:
    return [(kind, version) for kind in registry.kinds() for version in kind.versions if _place(kind, version) == place]


def _identity(kind: Kind, version: str) -> dict[str, str]:
    return {"group": kind.group, "version": version, "kind": kind.kind}


def _schema(kind: Kind, version: str) -> dict[str, Any]:
    known = dict(kind.definitions[version].schema) if kind.custom else {"type": "object"}
    return known | {"x-kubernetes-group-version-kind": [_identity(kind, version)]}


def _paths(kind: Kind, version: str, place: str, name: str) -> dict[str, Any]:
    inside = "namespaces/{namespace}/" if kind.namespaced else ""
    body: dict[str, Any] = {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}
    identity: dict[str, Any] = {"x-kubernetes-group-version-kind": _identity(kind, version)}

    def operation(action: str, what: Any = None) -> dict[str, Any]:
        made: dict[str, Any] = {"x-kubernetes-action": action, "parameters": _PARAMETERS} | identity
        made["responses"] = {"200": {"description": "OK"} | body}
        return made | ({"requestBody": what} if what else {})

    patch = {"content": {"application/merge-patch+json": {"schema": {"type": "object"}}}}
    collection = {"get": operation("list"), "post": operation("post", body)}
    single = {"get": operation("get"), "put": operation("put", body), "patch": operation("patch", patch)}
    base = f"/{place}/{inside}{kind.plural}"
    return {base: collection, f"{base}/{{name}}": single}
