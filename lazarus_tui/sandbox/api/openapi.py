"""OpenAPI v3: an index and one document per group and version, built when first asked for and kept until kinds change.

They serve kubectl's explain, diff, apply and edit: types of fields, how lists merge, which parameters are understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.sandbox.api.answers import JSON, NOT_KEPT, json_answer
from lazarus_tui.sandbox.api.authentication import header
from lazarus_tui.sandbox.api.components import component_name, components, reference
from lazarus_tui.sandbox.api.errors import no_such_route
from lazarus_tui.sandbox.api.kinds import Served
from lazarus_tui.sandbox.api.protobuf import field_table, message_name
from lazarus_tui.sandbox.api.registry import Registry

Schema = dict[str, Any]

_ROOT = "/openapi/v3"
_META = "meta.v1.ObjectMeta"
# An answer that names its hash never changes; upstream lets it be kept for a year.
_FOREVER: Mapping[str, str] = {"cache-control": "public, immutable"}
_WRITING = (
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
    ("force", "boolean"),
)
_LISTING = (
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
)
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
_SECOND_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_STRATEGIC = "application/strategic-merge-patch+json"


class OpenApi:
    """The documents of one server. ``version`` is told in them."""

    def __init__(self, registry: Registry, version: str) -> None:
        self._registry, self._version = registry, version
        self._generation = -1
        self._places: dict[str, list[Served]] = {}
        self._hashes: dict[str, str] = {}
        self._documents: dict[str, bytes] = {}

    def answer(self, request: HttpRequest, path: str) -> HttpResponse:
        """``/openapi/v3`` and what is below it; ``/openapi/v2`` has no definitions. 404 for anything else."""
        self._refresh()
        if path == "/openapi/v2":
            return _second(self._version, header(request, "accept"))
        if path == _ROOT:
            return json_answer({"paths": self._index()})
        place = path.removeprefix(f"{_ROOT}/")
        if place not in self._places:
            raise no_such_route()
        return self._whole(request, place)

    def _refresh(self) -> None:
        """Forget what is no longer so; documents of groups that did not change are kept."""
        if self._generation == self._registry.generation:
            return
        self._generation = self._registry.generation
        places: dict[str, list[Served]] = {}
        for served in self._registry.offered():
            place = f"apis/{served.api_version}" if served.group else f"api/{served.api_version}"
            places.setdefault(place, []).append(served)
        hashes = {place: self._hash(offered) for place, offered in places.items()}
        self._documents = {
            place: document for place, document in self._documents.items() if hashes.get(place) == self._hashes[place]
        }
        self._places, self._hashes = places, hashes

    def _hash(self, offered: list[Served]) -> str:
        seen = sha256(self._version.encode())
        for served in offered:
            seen.update(f"{served.api_version}/{served.kind.kind}".encode())
            if served.kind.custom:
                seen.update(msgspec.json.encode(served.kind.definitions[served.version].schema))
        return seen.hexdigest().upper()

    def _index(self) -> dict[str, Any]:
        return {
            place: {"serverRelativeURL": f"{_ROOT}/{place}?hash={self._hashes[place]}"}
            for place in sorted(self._places)
        }

    def _whole(self, request: HttpRequest, place: str) -> HttpResponse:
        tag = self._hashes[place]
        asked = dict(request.query).get("hash", "")
        if asked and asked != tag:
            return HttpResponse(301, {"location": f"{_ROOT}/{place}?hash={tag}", **NOT_KEPT}, b"")
        headers = {"content-type": JSON, "etag": f'"{tag}"', **(_FOREVER if asked else NOT_KEPT)}
        known = next((value for name, value in request.headers.items() if name.lower() == "if-none-match"), "")
        if tag in known:
            return HttpResponse(304, headers, b"")
        if place not in self._documents:
            self._documents[place] = msgspec.json.encode(self._document(place))
        return HttpResponse(200, headers, self._documents[place])

    def _document(self, place: str) -> Schema:
        offered = self._places[place]
        messages = {message for served in offered if (message := _message(served)) in field_table()}
        schemas = components({*messages, _META})
        paths: dict[str, Any] = {}
        for served in offered:
            name = _name(served)
            schemas[name] = _schema(served, schemas.get(name)) | {
                "x-kubernetes-group-version-kind": [_identity(served)]
            }
            paths |= _paths(served, place, name)
        info = {"title": "Kubernetes", "version": self._version}
        return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _message(served: Served) -> str:
    return message_name(served.api_version, served.kind.kind)


def _name(served: Served) -> str:
    if served.kind.custom:
        return ".".join([*reversed(served.group.split(".")), served.version, served.kind.kind])
    return component_name(_message(served))


def _identity(served: Served) -> dict[str, str]:
    return {"group": served.group, "version": served.version, "kind": served.kind.kind}


def _schema(served: Served, known: Schema | None) -> Schema:
    """A kind whose fields are not known, and a custom one without a schema, is any object."""
    if not served.kind.custom:
        return known or {"type": "object"}
    own = dict(served.kind.definitions[served.version].schema)
    identity = {name: {"type": "string"} for name in ("apiVersion", "kind")}
    return own | {"properties": {**(own.get("properties") or {}), **identity, "metadata": reference(_META)}}


def _paths(served: Served, place: str, name: str) -> dict[str, Any]:
    kind = served.kind
    inside = "namespaces/{namespace}/" if kind.namespaced else ""
    content = {JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    patches = _PATCHES if kind.custom else (*_PATCHES, _STRATEGIC)

    def operation(verb: str, parameters: Any = (), body: Any = None) -> Schema:
        made: Schema = {"x-kubernetes-action": verb, "x-kubernetes-group-version-kind": _identity(served)}
        made["parameters"] = [_parameter(label, of) for label, of in parameters]
        made["responses"] = {"200": {"description": "OK", "content": content}}
        return made | ({"requestBody": {"content": body}} if body else {})

    patch = {media: {"schema": {"type": "object"}} for media in patches}
    single = {
        "get": operation("get"),
        "put": operation("put", _WRITING[:3], content),
        "patch": operation("patch", _WRITING, patch),
        "delete": operation("delete", _WRITING[:1]),
    }
    base = f"/{place}/{inside}{kind.plural}"
    found = {base: {"post": operation("post", _WRITING[:3], content)}}
    if "list" in kind.verbs:
        found[base] |= {"get": operation("list", _LISTING), "delete": operation("deletecollection", _LISTING)}
        found[f"{base}/{{name}}"] = single
        if "status" in kind.subresources:
            found[f"{base}/{{name}}/status"] = {verb: single[verb] for verb in ("get", "put", "patch")}
        if inside:
            found[f"/{place}/{kind.plural}"] = {"get": operation("list", _LISTING)}
    return found


def _parameter(name: str, kind: str) -> Schema:
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


def _second(version: str, accept: str) -> HttpResponse:
    """The old document without definitions: kubectl asks it about kinds that nobody serves, and reads protobuf only."""
    title = "Kubernetes"
    if "proto-openapi.spec.v2" not in accept:
        info = {"title": title, "version": version}
        return json_answer({"swagger": "2.0", "info": info, "paths": {}, "definitions": {}})
    # openapi.v2.Document: 1 swagger, 2 info (1 title, 2 version); all lengths are below 128, so one byte each.
    body = _proto_text(1, "2.0") + _proto_bytes(2, _proto_text(1, title) + _proto_text(2, version))
    return HttpResponse(200, {"content-type": _SECOND_PROTOBUF}, body)


def _proto_text(number: int, text: str) -> bytes:
    return _proto_bytes(number, text.encode())


def _proto_bytes(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data
