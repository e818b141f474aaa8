"""Objects as bytes, in the form a client accepts: whole, as metadata only, or as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import methodcaller
from typing import Any, Protocol

import msgspec
import yaml

from lazarus_tui.model.http import HttpResponse
from lazarus_tui.sandbox.api.answers import JSON, NOT_KEPT, json_answer
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.kinds import Served
from lazarus_tui.sandbox.api.printers import table
from lazarus_tui.sandbox.api.protobuf import PROTOBUF
from lazarus_tui.sandbox.api.protobuf_answers import encode_protobuf
from lazarus_tui.sandbox.api.store import Entity

_encode = msgspec.json.encode
YAML = "application/yaml"
_META_GROUP = "meta.k8s.io"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The form chosen from an Accept header. ``form``: full, table or partial."""

    form: str = "full"
    yaml: bool = False
    protobuf: bool = False


def negotiate(accept: str, *, protobuf: bool = False) -> Accepted:
    """The first form of an Accept header this server has; 406 when there is none.

    Protobuf is the last resort, and only for what can be written in it: everything else costs less here.
    """
    only = False
    for part in accept.split(",") if accept else ("*/*",):
        media, *params = (piece.strip() for piece in part.split(";"))
        wanted = dict(param.split("=", 1) for param in params if "=" in param)
        shape = wanted.get("as", "")
        if media in (YAML, "application/x-yaml") and not shape:
            return Accepted(yaml=True)
        if media not in (JSON, "*/*", "application/*"):
            only = only or (media == PROTOBUF and not shape)
            continue
        if not shape:
            return Accepted()
        if wanted.get("g") == _META_GROUP and wanted.get("v") == "v1":
            if shape == "Table":
                return Accepted("table")
            if shape in ("PartialObjectMetadata", "PartialObjectMetadataList"):
                return Accepted("partial")
    if only and protobuf:
        return Accepted(protobuf=True)
    raise not_acceptable()


def not_acceptable() -> ApiError:
    listed = "application/json, application/yaml"
    return ApiError(406, "NotAcceptable", f"only the following media types are accepted: {listed}")


def respond(accepted: Accepted, body: bytes, status: int = 200) -> HttpResponse:
    """``body`` is JSON; it leaves as YAML or protobuf when that was asked for."""
    if accepted.protobuf:
        data = encode_protobuf(msgspec.json.decode(body))
        return HttpResponse(status, {"content-type": PROTOBUF, **NOT_KEPT}, data)
    if not accepted.yaml:
        return json_answer(body, status)
    text = yaml.safe_dump(msgspec.json.decode(body), sort_keys=False, allow_unicode=True)
    return HttpResponse(status, {"content-type": YAML, **NOT_KEPT}, text.encode())


class View(Protocol):
    """One form of objects."""

    def single(self, entity: Entity) -> bytes: ...

    def collection(self, entities: Sequence[Entity], meta: dict[str, Any]) -> bytes: ...

    def event(self, entity: Entity) -> bytes:
        """The ``object`` of a watch event."""
        ...


@dataclass(frozen=True, slots=True)
class FullView:
    """Objects as stored; lists join the bytes that are already there."""

    served: Served

    def single(self, entity: Entity) -> bytes:
        if not self.served.converts:
            return entity.body
        return _encode(self.served.outward(entity.shown))

    def collection(self, entities: Sequence[Entity], meta: dict[str, Any]) -> bytes:
        head = _encode(
            {"kind": f"{self.served.kind.kind}List", "apiVersion": self.served.api_version, "metadata": meta}
        )
        start, items = head[:-1] + b',"items":[', self._items(entities)
        if not items:
            return start + b"]}"
        items[0] = start + b"{" + items[0]  # joined once: a list may be megabytes
        items[-1] += b"]}"
        return b",{".join(items)

    def _items(self, entities: Sequence[Entity]) -> list[bytes]:
        """Each behind its opening brace. Only custom kinds say in each item again what it is."""
        served = self.served
        if served.kind.custom:
            return [self.single(one)[1:] for one in entities]
        head = _encode({"apiVersion": served.api_version, "kind": served.kind.kind})[:-1] + b","
        bodies = [one.body for one in entities]
        if served.converts or not all(map(methodcaller("startswith", head), bodies)):
            return [_bare(served.outward(one.shown)) for one in entities]
        size = len(head)
        return [body[size:] for body in bodies]

    def event(self, entity: Entity) -> bytes:
        return self.single(entity)


def _bare(obj: Mapping[str, Any]) -> bytes:
    return _encode({key: value for key, value in obj.items() if key not in ("apiVersion", "kind")})[1:]


def partial(obj: dict[str, Any]) -> dict[str, Any]:
    """An object as nothing but its metadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": f"{_META_GROUP}/v1", "metadata": obj["metadata"]}


@dataclass(frozen=True, slots=True)
class PartialView:
    """Metadata only."""

    def single(self, entity: Entity) -> bytes:
        return _encode(partial(entity.shown))

    def collection(self, entities: Sequence[Entity], meta: dict[str, Any]) -> bytes:
        items = [partial(entity.shown) for entity in entities]
        head = {"kind": "PartialObjectMetadataList", "apiVersion": f"{_META_GROUP}/v1", "metadata": meta}
        return _encode(head | {"items": items})

    def event(self, entity: Entity) -> bytes:
        return self.single(entity)


@dataclass(frozen=True, slots=True)
class TableView:
    """Rows as kubectl prints them. ``include``: None, Metadata or Object."""

    served: Served
    now: datetime
    include: str = "Metadata"

    def _table(self, entities: Iterable[Entity], meta: dict[str, Any]) -> bytes:
        columns, rows = table(self.served, [entity.obj for entity in entities], self.now)
        return _encode(
            {
                "kind": "Table",
                "apiVersion": f"{_META_GROUP}/v1",
                "metadata": meta,
                "columnDefinitions": columns,
                "rows": [{"cells": cells} | self._object(obj) for cells, obj in rows],
            }
        )

    def _object(self, obj: dict[str, Any]) -> dict[str, Any]:
        if self.include == "None":
            return {}
        return {"object": obj if self.include == "Object" else partial(obj)}

    def single(self, entity: Entity) -> bytes:
        return self._table([entity], {"resourceVersion": entity.obj["metadata"].get("resourceVersion", "")})

    def collection(self, entities: Sequence[Entity], meta: dict[str, Any]) -> bytes:
        return self._table(entities, meta)

    def event(self, entity: Entity) -> bytes:
        return self.single(entity)


def view_of(accepted: Accepted, served: Served, now: datetime, include: str) -> View:
    if accepted.form == "table":
        return TableView(served, now, include or "Metadata")
    return PartialView() if accepted.form == "partial" else FullView(served)
