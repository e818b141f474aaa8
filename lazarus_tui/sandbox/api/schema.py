"""OpenAPI v3 schemas of custom resources: defaulting, pruning and validation in one walk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.sandbox.api.errors import Cause

Schema = Mapping[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
_ROOT_FIELDS = ("apiVersion", "kind", "metadata")


def apply(schema: Schema, obj: dict[str, Any]) -> list[Cause]:
    """Fill in defaults and drop unknown fields in place; returns what is wrong afterwards."""
    if not schema:
        return []
    body = {key: value for key, value in obj.items() if key not in _ROOT_FIELDS}
    properties = {key: value for key, value in (schema.get("properties") or {}).items() if key not in _ROOT_FIELDS}
    bounded = {**schema, "properties": properties}
    _fill(bounded, body)
    causes: list[Cause] = []
    _check(bounded, body, "", causes)
    head = {key: obj[key] for key in _ROOT_FIELDS if key in obj}
    obj.clear()
    obj.update(head | body)
    return causes


def _fill(schema: Schema, value: Any) -> None:
    """Defaults and pruning, in place."""
    if isinstance(value, list):
        items = schema.get("items")
        if items:
            for one in value:
                _fill(items, one)
    if not isinstance(value, dict):
        return
    properties: Schema = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for name, child in properties.items():
        if "default" in child and (name not in value or (value[name] is None and not child.get("nullable"))):
            value[name] = msgspec.json.decode(msgspec.json.encode(child["default"]))
        elif name in value and value[name] is None and not child.get("nullable"):
            del value[name]
    keeps = schema.get("x-kubernetes-preserve-unknown-fields") or bool(extra)
    embedded = schema.get("x-kubernetes-embedded-resource")
    for name in list(value):
        if name in properties:
            _fill(properties[name], value[name])
        elif isinstance(extra, Mapping):
            _fill(extra, value[name])
        elif not keeps and not (embedded and name in _ROOT_FIELDS):
            del value[name]


def unknown_fields(schema: Schema, value: Any, path: str = "") -> list[str]:
    """Paths that pruning would drop; nothing is changed."""
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [one for at, child in enumerate(value) for one in unknown_fields(items, child, f"{path}[{at}]")]
    if not isinstance(value, dict):
        return []
    properties: Schema = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    keeps = schema.get("x-kubernetes-preserve-unknown-fields") or bool(extra)
    rooted = not path or schema.get("x-kubernetes-embedded-resource")
    found: list[str] = []
    for name, child in value.items():
        where = f"{path}.{name}" if path else name
        if rooted and name in _ROOT_FIELDS:
            continue
        if name in properties or isinstance(extra, Mapping):
            found += unknown_fields(properties.get(name, extra), child, where)
        elif not keeps:
            found.append(where)
    return found


def misfits(schema: Schema, value: Any) -> list[Cause]:
    """What is wrong with a value by its schema."""
    causes: list[Cause] = []
    _check(schema, value, "", causes)
    return causes


def _add(causes: list[Cause], path: str, text: str, reason: str = "FieldValueInvalid") -> None:
    causes.append(Cause(path.lstrip(".") or "<nil>", text, reason))


def _type_ok(schema: Schema, value: Any) -> bool:
    if schema.get("x-kubernetes-int-or-string"):
        return isinstance(value, int | str) and not isinstance(value, bool)
    wanted = schema.get("type")
    if not wanted:
        return True
    if isinstance(value, bool):
        return bool(wanted == "boolean")
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(wanted, (object,)))


def _type_name(value: Any) -> str:
    for name in ("boolean", "object", "array", "string", "integer", "number"):
        if isinstance(value, _TYPES[name]):
            return name
    return "null"


def _check(schema: Schema, value: Any, path: str, causes: list[Cause]) -> None:
    if value is None:
        if not schema.get("nullable") and schema.get("type"):
            _add(
                causes,
                path,
                f'Invalid value: "null": must be of type {schema["type"]}: "null"',
                "FieldValueTypeInvalid",
            )
        return
    if not _type_ok(schema, value):
        wanted = schema.get("type") or "integer or string"
        got = _type_name(value)
        text = f'Invalid value: "{got}": {path.lstrip(".")} in body must be of type {wanted}: "{got}"'
        _add(causes, path, text, "FieldValueTypeInvalid")
        return
    choices = schema.get("enum")
    if choices is not None and value not in choices:
        listed = ", ".join(f'"{one}"' for one in choices)
        _add(causes, path, f'Unsupported value: "{value}": supported values: {listed}', "FieldValueNotSupported")
    if isinstance(value, dict):
        _check_object(schema, value, path, causes)
    elif isinstance(value, list):
        _check_list(schema, value, path, causes)
    elif isinstance(value, str):
        _check_string(schema, value, path, causes)
    elif not isinstance(value, bool):
        _check_number(schema, value, path, causes)
    _check_junctors(schema, value, path, causes)


def _check_object(schema: Schema, value: dict[str, Any], path: str, causes: list[Cause]) -> None:
    for name in schema.get("required") or ():
        if name not in value:
            _add(causes, f"{path}.{name}", "Required value", "FieldValueRequired")
    properties: Schema = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for name, child in value.items():
        if name in properties:
            _check(properties[name], child, f"{path}.{name}", causes)
        elif isinstance(extra, Mapping):
            _check(extra, child, f"{path}.{name}", causes)
    _check_size(schema, "Properties", len(value), path, causes)


def _check_list(schema: Schema, value: list[Any], path: str, causes: list[Cause]) -> None:
    _check_size(schema, "Items", len(value), path, causes)
    items = schema.get("items")
    if items:
        for index, one in enumerate(value):
            _check(items, one, f"{path}[{index}]", causes)
    _check_unique(schema, value, path, causes)


def _check_unique(schema: Schema, value: list[Any], path: str, causes: list[Cause]) -> None:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("map", "set"):
        return
    seen = set()
    for index, one in enumerate(value):
        keys = schema.get("x-kubernetes-list-map-keys") or ()
        identity = {key: one.get(key) for key in keys} if kind == "map" and isinstance(one, dict) else one
        packed = msgspec.json.encode(identity, order="sorted")
        if packed in seen:
            text = f"Duplicate value: {msgspec.json.encode(identity).decode()}"
            _add(causes, f"{path}[{index}]", text, "FieldValueDuplicate")
        seen.add(packed)


def _check_string(schema: Schema, value: str, path: str, causes: list[Cause]) -> None:
    _check_size(schema, "Length", len(value), path, causes)
    pattern = schema.get("pattern")
    if pattern and not _compiled(pattern).search(value):
        _add(causes, path, f"Invalid value: \"{value}\": {path.lstrip('.')} in body should match '{pattern}'")
    if schema.get("format") == "date-time" and not _is_time(value):
        where = path.lstrip(".")
        _add(causes, path, f'Invalid value: "{value}": {where} in body must be of type date-time: "{value}"')


def _is_time(value: str) -> bool:
    try:
        parse_rfc3339(value)
    except ValueError:
        return False
    return True


def _check_number(schema: Schema, value: float, path: str, causes: list[Cause]) -> None:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        where = path.lstrip(".")
        _add(causes, path, f"Invalid value: {value}: {where} in body should be greater than or equal to {low}")
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        where = path.lstrip(".")
        _add(causes, path, f"Invalid value: {value}: {where} in body should be less than or equal to {high}")


def _check_size(schema: Schema, what: str, size: int, path: str, causes: list[Cause]) -> None:
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    if low is not None and size < low:
        _add(causes, path, f"Invalid value: should have at least {low} {what.lower()}")
    if high is not None and size > high:
        _add(causes, path, f"Too long: may not be more than {high} {what.lower()}", "FieldValueTooLong")


def _check_junctors(schema: Schema, value: Any, path: str, causes: list[Cause]) -> None:
    def passes(one: Schema) -> bool:
        found: list[Cause] = []
        _check(one, value, path, found)
        return not found

    for one in schema.get("allOf") or ():
        _check(one, value, path, causes)
    if schema.get("anyOf") and not any(passes(one) for one in schema["anyOf"]):
        _add(causes, path, "Invalid value: must validate at least one schema (anyOf)")
    if schema.get("oneOf") and sum(passes(one) for one in schema["oneOf"]) != 1:
        _add(causes, path, "Invalid value: must validate one and only one schema (oneOf)")
    if schema.get("not") and passes(schema["not"]):
        _add(causes, path, "Invalid value: must not validate the schema (not)")


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
