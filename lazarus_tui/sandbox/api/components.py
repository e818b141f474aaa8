"""Schemas of built-in types for OpenAPI documents, from the facts that also decode protobuf."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lazarus_tui.sandbox.api import component_facts as facts
from lazarus_tui.sandbox.api.protobuf import field_table
from lazarus_tui.sandbox.api.typed import fields_of_message

Schema = dict[str, Any]


def component_name(message: str) -> str:
    """``core.v1.Pod`` → ``io.k8s.api.core.v1.Pod``."""
    head = message.split(".", 1)[0]
    return f"{facts.PACKAGES.get(head, facts.OTHER_PACKAGES)}.{message}"


def reference(message: str) -> Schema:
    return {"$ref": f"#/components/schemas/{component_name(message)}"}


def components(messages: Iterable[str]) -> dict[str, Schema]:
    """The schemas of these messages and of everything they are made of, by component name."""
    made: dict[str, Schema] = {}
    todo = list(messages)
    while todo:
        message = todo.pop()
        name = component_name(message)
        if name not in made:
            made[name] = _component(message)
            todo += _parts(message)
    return made


def _parts(message: str) -> Iterator[str]:
    if message in facts.OPAQUE or message not in field_table():
        return
    for kind, _ in fields_of_message(message).values():
        bare = kind.removeprefix("map:")
        if bare not in facts.SCALARS:
            yield bare


def _component(message: str) -> Schema:
    if message in facts.OPAQUE:
        return dict(facts.OPAQUE[message])
    fields = fields_of_message(message)
    made: Schema = {"type": "object"}
    if words := facts.WORDS.get(message):
        made["description"] = words
    made["properties"] = {label: _property(message, label, *fields[label]) for label in sorted(fields)}
    if required := facts.REQUIRED.get(message):
        made["required"] = list(required)
    if message in facts.ATOMIC:
        made["x-kubernetes-map-type"] = "atomic"
    return made


def _property(message: str, label: str, kind: str, shape: int) -> Schema:
    bare = kind.removeprefix("map:")
    value: Schema = dict(facts.SCALARS[bare]) if bare in facts.SCALARS else reference(bare)
    if bare != kind:
        value = {"type": "object", "additionalProperties": value}
    elif shape:
        value = {"type": "array", "items": value} | _merging(message, label)
    words = facts.FIELD_WORDS.get(label)
    if "$ref" in value and (words or f"{message}.{label}" in facts.RETAINED):
        value = {"allOf": [value], "default": {}}
    if words:
        value["description"] = words
    if f"{message}.{label}" in facts.RETAINED and not shape:
        value["x-kubernetes-patch-strategy"] = "retainKeys"
    return value


def _merging(message: str, label: str) -> Schema:
    """How a list is patched and applied."""
    where = f"{message}.{label}"
    if where in facts.SETS:
        return {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
    keys = facts.MERGED.get(where) or facts.MERGED.get(label)
    if not keys:
        return {"x-kubernetes-list-type": "atomic"}
    return {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
        "x-kubernetes-patch-merge-key": keys[0],
        "x-kubernetes-patch-strategy": "merge,retainKeys" if where in facts.RETAINED else "merge",
    }
