"""Types and names of the fields of built-in kinds, checked against the facts that also decode protobuf.

Wrong types are always refused; unknown fields are dropped, or refused when the client asked for strict validation. Only
what comes over the wire is checked: controllers inside the sandbox are trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lazarus_tui.sandbox.api.errors import ApiError, bad_request
from lazarus_tui.sandbox.api.kinds import Served
from lazarus_tui.sandbox.api.protobuf import field_table, message_name
from lazarus_tui.sandbox.api.schema import unknown_fields

_INLINED = 2
# Inlined upstream, though its generated description does not say so.
ALSO_INLINED = frozenset({"ephemeralContainerCommon"})
_SCALARS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "bytes": (str,),
    "bool": (bool,),
    "int32": (int,),
    "int64": (int,),
    "double": (int, float),
    "meta.v1.Time": (str,),
    "meta.v1.MicroTime": (str,),
    "meta.v1.Duration": (str,),
    "resource.Quantity": (str, int, float),
    "intstr.IntOrString": (int, str),
    "authorization.v1.ExtraValue": (list,),
    "authentication.v1.ExtraValue": (list,),
    "certificates.v1.ExtraValue": (list,),
}
# Messages with metadata that are no objects of their own.
_NO_OBJECTS = ("TemplateSpec", "ClaimTemplate")
_ANYTHING = frozenset({"meta.v1.FieldsV1", "runtime.RawExtension", "apiextensions.v1.JSON"})
_SCHEMA = "apiextensions.v1.JSONSchemaProps"
_SCHEMA_OR: Mapping[str, type] = {f"{_SCHEMA}OrBool": bool, f"{_SCHEMA}OrArray": list, f"{_SCHEMA}OrStringArray": list}


class _WrongType(Exception):
    pass


def check(served: Served, obj: dict[str, Any], *, told: bool = True) -> list[str]:
    """The paths of unknown fields (unless nobody wants to be ``told``); ``ApiError`` 400 for wrong types.

    Unknown fields and nulls of built-in kinds are dropped in place, those of custom kinds when they are pruned. Kinds
    whose fields are not known here pass unchecked; custom kinds have schemas for their types.
    """
    kind = served.kind
    unknown: list[str] = []
    if kind.custom:
        return unknown_fields(kind.definitions[served.version].schema, obj) if told else []
    name = message_name(served.api_version, kind.kind)
    if name in field_table() and not _fits(name, obj):
        try:
            _walk(name, obj, "", unknown)
        except _WrongType as error:
            raise refusal(served, str(error)) from None
    return unknown


def refusal(served: Served, why: str) -> ApiError:
    """400: an object that cannot be read as what it should be."""
    kind = served.kind.kind
    return bad_request(f'{kind} in version "{served.version}" cannot be handled as a {kind}: {why}')


@lru_cache(maxsize=512)
def fields_of_message(message: str) -> Mapping[str, tuple[str, int]]:
    """JSON name → (type, shape), with inlined messages opened. ``shape`` is 0 for one value, 1 for a list."""
    found: dict[str, tuple[str, int]] = {}
    for label, kind, shape in field_table()[message].values():
        if shape == _INLINED or label in ALSO_INLINED:
            found |= fields_of_message(kind)
        else:
            found[label] = (kind, shape)
    if "metadata" in found and not message.endswith(_NO_OBJECTS):
        found |= {"apiVersion": ("string", 0), "kind": ("string", 0)}
    return found


_EXACT: Mapping[str, frozenset[type]] = {
    kind: frozenset({*types, int} if float in types else types) for kind, types in _SCALARS.items()
}
_Plan = tuple[int, frozenset[type] | None, str]
_ONE, _MANY, _NAMED, _ANY = range(4)


@lru_cache(maxsize=512)
def _plans(message: str) -> Mapping[str, _Plan]:
    """JSON name → how many values, the Python types of a scalar or the message of an object."""
    plans: dict[str, _Plan] = {}
    for label, (kind, shape) in fields_of_message(message).items():
        bare = kind.removeprefix("map:")
        count = _NAMED if bare != kind else _MANY if shape else _ONE
        plans[label] = (_ANY, None, "") if bare in _ANYTHING else (count, _EXACT.get(bare), bare)
    return plans


def _fits(message: str, obj: dict[str, Any]) -> bool:
    """Whether everything is known and of its type: true for nearly all objects, and quicker to say than what is not."""
    plans = _plans(message)
    for label, value in obj.items():
        plan = plans.get(label)
        if plan is None:
            return False
        count, types, inner = plan
        if count == _ONE:
            if not (type(value) in types if types is not None else type(value) is dict and _fits(inner, value)):
                return False
        elif count != _ANY:
            if type(value) is not (list if count == _MANY else dict):
                return False
            values = value.values() if isinstance(value, dict) else value
            if types is not None:
                if not types.issuperset(map(type, values)):
                    return False
            elif not all(type(one) is dict and _fits(inner, one) for one in values):
                return False
    return True


def _walk(message: str, obj: dict[str, Any], path: str, unknown: list[str]) -> None:
    fields = fields_of_message(message)
    for label in list(obj):
        where = f"{path}.{label}" if path else label
        if label not in fields:
            unknown.append(where)
            del obj[label]
            continue
        kind, shape = fields[label]
        value = obj[label]
        if value is None and kind not in _ANYTHING:
            del obj[label]  # null is Go's zero value, which is left out when it is written again
        elif kind.startswith("map:"):
            kind = kind.removeprefix("map:")
            for key, one in _expect(dict, value, where).items():
                if one is None and kind == "string":
                    value[key] = ""
                _value(kind, one, f"{where}.{key}", unknown)
        elif shape:
            for index, one in enumerate(_expect(list, value, where)):
                _value(kind, one, f"{where}[{index}]", unknown)
        else:
            _value(kind, value, where, unknown)


def _expect(wanted: type, value: Any, path: str) -> Any:
    if value is None:
        return wanted()
    if not isinstance(value, wanted):
        raise _WrongType(f"json: cannot unmarshal {_name(value)} into Go struct field {path} of type {_GO[wanted]}")
    return value


def _value(kind: str, value: Any, path: str, unknown: list[str]) -> None:
    if value is None or kind in _ANYTHING:
        return
    if kind in _SCHEMA_OR:
        if isinstance(value, _SCHEMA_OR[kind]):
            return
        kind = _SCHEMA
    scalar = _SCALARS.get(kind)
    if scalar is None:
        _walk(kind, _expect(dict, value, path), path, unknown)
    elif not isinstance(value, scalar) or (isinstance(value, bool) and kind != "bool"):
        raise _WrongType(f"json: cannot unmarshal {_name(value)} into Go struct field {path} of type {kind}")


_GO: Mapping[type, str] = {dict: "struct", list: "slice"}


def _name(value: Any) -> str:
    """What Go's JSON calls a value."""
    if isinstance(value, bool):
        return "bool"
    names: Mapping[type, str] = {dict: "object", list: "array", str: "string"}
    return names.get(type(value), "number")
