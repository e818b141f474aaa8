"""What can be wrong with a field, in the words of a real server (apimachinery's ``field`` package)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lazarus_tui.sandbox.api.errors import Cause

Object = dict[str, Any]
Causes = list[Cause]


def show(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def required(field: str, text: str = "") -> Cause:
    return Cause(field, f"Required value{': ' + text if text else ''}", "FieldValueRequired")


def invalid_value(field: str, value: Any, text: str) -> Cause:
    return Cause(field, f"Invalid value: {show(value)}: {text}")


def immutable(field: str, value: Any) -> Cause:
    return invalid_value(field, value, "field is immutable")


def forbidden(field: str, text: str) -> Cause:
    return Cause(field, f"Forbidden: {text}", "FieldValueForbidden")


def duplicate(field: str, value: Any) -> Cause:
    return Cause(field, f"Duplicate value: {show(value)}", "FieldValueDuplicate")


def absent(field: str, value: Any) -> Cause:
    return Cause(field, f"Not found: {show(value)}", "FieldValueNotFound")


def too_long(field: str, size: int, unit: str = "bytes") -> Cause:
    return Cause(field, f"Too long: may not be more than {size} {unit}", "FieldValueTooLong")


def unsupported(field: str, value: Any, choices: Iterable[str]) -> Cause:
    listed = ", ".join(f'"{one}"' for one in choices)
    return Cause(field, f"Unsupported value: {show(value)}: supported values: {listed}", "FieldValueNotSupported")


def spec_of(obj: Mapping[str, Any]) -> Object:
    return part(obj, "spec")


def part(obj: Mapping[str, Any], name: str) -> Object:
    """An object inside an object; empty when there is none."""
    value = obj.get(name)
    return value if isinstance(value, dict) else {}


def not_negative(obj: Mapping[str, Any], where: str, *fields: str) -> Causes:
    return [
        invalid_value(f"{where}.{field}", value, "must be greater than or equal to 0")
        for field in fields
        if isinstance(value := obj.get(field), int) and value < 0
    ]


def chosen(obj: Mapping[str, Any], where: str, **choices: tuple[str, ...]) -> Causes:
    """Of fields that are there: values that are none of the ``choices``, by field."""
    return [
        unsupported(f"{where}.{field}" if where else field, value, known)
        for field, known in choices.items()
        if (value := obj.get(field)) not in (None, *known)
    ]


def unchanged(obj: Mapping[str, Any], old: Mapping[str, Any], where: str, *fields: str) -> Causes:
    """Fields that may never change, and did."""
    return [
        immutable(f"{where}.{field}" if where else field, obj.get(field))
        for field in fields
        if obj.get(field) != old.get(field)
    ]


def is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536


PORT_TEXT = "must be between 1 and 65535, inclusive"
