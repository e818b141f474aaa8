"""Paths and types of schemas and of our records, and random objects that a schema allows."""

from __future__ import annotations

import random
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

# What the schema's types become in a record; ``dict`` and ``list`` stand for themselves.
_TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "number": float}
# Characters that names, messages and labels really may hold.
_WORDS = ("", "x", "shop", "ünïcode", "[/x]", "\x1b]52;c;eA==\x07", "a" * 300, "1.5", "true", "null")


def fields(record: type[msgspec.Struct], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], type]]:
    """Every field below a record with the plain type of its value; ``[]`` stands for the items of a list."""
    for field in msgspec.structs.fields(record):
        yield from _field(field.type, (*path, field.encode_name))


def _field(annotation: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type]]:
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        (annotation,) = [one for one in typing.get_args(annotation) if one is not type(None)]
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        yield path, list
        yield from _field(inside[0], (*path, "[]"))
    elif origin is dict:
        yield path, dict
    elif isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield path, dict
        yield from fields(annotation, path)
    else:
        yield path, annotation


def at(schema: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any] | None:
    """The schema of what lies at ``path``; None if the schema knows no such field."""
    for part in path:
        found = schema.get("items") if part == "[]" else (schema.get("properties") or {}).get(part)
        if found is None:
            return None
        schema = found
    return schema


def type_of(schema: Mapping[str, Any]) -> type:
    return _TYPES[schema["type"]]


class Maker:
    """Random values a schema allows. ``enums`` False: any word where the schema lists some (a newer release)."""

    def __init__(self, seed: int, *, enums: bool, density: float) -> None:
        self.dice = random.Random(seed)
        self.enums, self.density = enums, density

    def make(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        if schema.get("nullable") and self.dice.random() < 0.2:
            return None
        return getattr(self, "_" + str(schema.get("type", "string")))(schema, depth)

    def _object(self, schema: Mapping[str, Any], depth: int) -> Any:
        known, rest = schema.get("properties") or {}, schema.get("additionalProperties")
        required = set(schema.get("required") or ())
        made = {
            name: self.make(inner, depth + 1)
            for name, inner in known.items()
            if name in required or self.dice.random() < self.density
        }
        if isinstance(rest, Mapping):
            made |= {f"key-{n}": self.make(rest, depth + 1) for n in range(self.dice.randrange(3))}
        if not self.enums and not isinstance(rest, Mapping):
            made["fieldOfTheFuture"] = self.dice.choice([1, "x", None, [1, {"a": []}], {"deep": {"er": None}}])
        return made

    def _array(self, schema: Mapping[str, Any], depth: int) -> Any:
        count = schema.get("minItems", 0) + self.dice.randrange(int(depth < 6) * 3 + 1)
        return [self.make(schema["items"], depth + 1) for _ in range(count)]

    def _string(self, schema: Mapping[str, Any], depth: int) -> Any:
        if schema.get("format") == "date-time":
            return f"2026-0{self.dice.randrange(1, 10)}-11T09:10:47Z"
        if schema.get("enum"):
            return self.dice.choice(schema["enum"]) if self.enums else "Frobnicating"
        return self.dice.choice(_WORDS)

    def _integer(self, schema: Mapping[str, Any], depth: int) -> Any:
        low = int(schema.get("minimum", -(2**31)))
        return self.dice.choice([max(low, 0), max(low, 1), 2**31 - 1 if schema.get("format") == "int32" else 2**53])

    def _boolean(self, schema: Mapping[str, Any], depth: int) -> Any:
        return self.dice.random() < 0.5


def said(value: Any, record: Any) -> list[str]:
    """Paths at which the record says something else than the object; an absent or null value is the default."""
    if isinstance(record, msgspec.Struct):
        wrong = []
        for field, default in zip(msgspec.structs.fields(record), _values(type(record)()), strict=True):
            inner, mine = (value or {}).get(field.encode_name), getattr(record, field.name)
            if inner is None:
                wrong += [field.encode_name] if mine != default else []
            else:
                wrong += [f"{field.encode_name}.{one}" for one in said(inner, mine)]
        return wrong
    if isinstance(value, list) and isinstance(record, list):
        if len(value) != len(record):
            return ["length"]
        return [one for left, right in zip(value, record, strict=True) for one in said(left, right)]
    if isinstance(value, dict) and isinstance(record, dict):
        return [] if {k: v for k, v in value.items() if v is not None} == record else ["entries"]
    return [] if value == record else ["value"]


def _values(record: msgspec.Struct) -> list[Any]:
    return [getattr(record, field.name) for field in msgspec.structs.fields(record)]
