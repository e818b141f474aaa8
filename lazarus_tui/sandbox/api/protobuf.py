"""Kubernetes' protobuf request bodies, decoded into the JSON they stand for.

kubectl from 1.32 on sends them for its typed commands and has no fallback. ``protobuf.json`` holds the facts needed:
``{message: {field number: [JSON name, type, shape]}}``, where the shape is 0 single, 1 repeated, 2 inlined.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.sandbox.api.errors import bad_request, unsupported_media_type

PROTOBUF = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_SINGLE, _REPEATED, _INLINED = 0, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 64

Table = Mapping[str, Mapping[str, tuple[str, str, int]]]
Wire = tuple[int, int, Any]


class _Malformed(Exception):
    pass


@lru_cache(maxsize=1)
def field_table() -> Table:
    """The facts of ``protobuf.json``."""
    raw = files("lazarus_tui.sandbox.api").joinpath("protobuf.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, dict[str, tuple[str, str, int]]])


def decode_protobuf(body: bytes) -> dict[str, Any]:
    """The object in a ``k8s\\0`` envelope; 400 when it is broken, 415 for a kind whose fields are not known here."""
    if not body.startswith(_MAGIC):
        raise bad_request("the body is no Kubernetes protobuf message")
    try:
        envelope = {number: value for number, _, value in _fields(body[len(_MAGIC) :])}
        identity = {number: _text(value) for number, _, value in _fields(_raw(envelope.get(1, b"")))}
        api_version, kind = identity.get(1, ""), identity.get(2, "")
        message = message_name(api_version, kind)
        if message not in field_table():
            raise unsupported_media_type(("application/json", "application/yaml"))
        return {"apiVersion": api_version, "kind": kind} | _message(message, _raw(envelope.get(2, b"")), 0)
    except (_Malformed, UnicodeDecodeError, struct.error, msgspec.MsgspecError, OverflowError) as error:
        raise bad_request(f"the protobuf body cannot be read: {error}") from None


def message_name(api_version: str, kind: str) -> str:
    if kind == "DeleteOptions":
        return "meta.v1.DeleteOptions"
    group, _, version = api_version.rpartition("/")
    return f"{group.split('.')[0] or 'core'}.{version}.{kind}"


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
    raise _Malformed("a number does not end")


def _fields(data: bytes) -> Iterator[Wire]:
    """(field number, wire type, value) in the order they were written."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise _Malformed(f"wire type {wire}")
        if at + size > len(data):
            raise _Malformed("it ends in the middle of a field")
        yield number, wire, data[at : at + size]
        at += size


def _raw(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise _Malformed("a message is expected")
    return value


def _text(value: Any) -> str:
    return _raw(value).decode()


def _signed(value: Any) -> int:
    if not isinstance(value, int):
        raise _Malformed("a number is expected")
    return value - (1 << 64) if value >= 1 << 63 else value


def _message(name: str, data: bytes, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise _Malformed("it is nested too deeply")
    fields = field_table()[name]
    result: dict[str, Any] = {}
    for number, _, raw in _fields(data):
        known = fields.get(str(number))
        if known is None:
            continue
        label, kind, shape = known
        if kind.startswith("map:"):
            key, value = _entry(kind.removeprefix("map:"), _raw(raw), depth)
            result.setdefault(label, {})[key] = value
            continue
        value = _value(kind, raw, depth)
        if shape == _REPEATED:
            result.setdefault(label, []).append(value)
        elif shape == _INLINED:
            result |= value
        elif not _left_out(label, value):
            result[label] = value
    return result


# Fields that are no pointers in Go's types: false and 0 are the same as nothing there.
_OMITTED = frozenset(
    (
        *("failureThreshold", "generation", "healthCheckNodePort", "hostIPC", "hostNetwork", "hostPID", "hostPort"),
        *("initialDelaySeconds", "minReadySeconds", "nodePort", "paused", "periodSeconds", "publishNotReadyAddresses"),
        *("readOnly", "stdin", "stdinOnce", "successThreshold", "tty", "unschedulable"),
    )
)


def _left_out(label: str, value: Any) -> bool:
    """Go's encoder writes empty strings, zero times and other zero values that JSON leaves out."""
    return value is None or value == "" or (not value and label in _OMITTED)


def _entry(kind: str, data: bytes, depth: int) -> tuple[str, Any]:
    parts = {number: value for number, _, value in _fields(data)}
    return _text(parts.get(1, b"")), _value(kind, parts.get(2, b""), depth)


def _value(kind: str, raw: Any, depth: int) -> Any:
    reader = _READERS.get(kind)
    return reader(raw) if reader else _message(kind, _raw(raw), depth + 1)


def _time(raw: Any, *, micro: bool = False) -> str | None:
    parts = {number: value for number, _, value in _fields(_raw(raw))}
    seconds = _signed(parts.get(1, 0))
    if not parts or seconds <= -62135596800:  # Go's zero time
        return None
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds, microseconds=_signed(parts.get(2, 0)) // 1000)
    return rfc3339(moment, micro=micro)


def _first(reader: Callable[[Any], Any], default: Any) -> Callable[[Any], Any]:
    """For messages that JSON shows as their only field."""

    def read(raw: Any) -> Any:
        found = [value for number, _, value in _fields(_raw(raw)) if number == 1]
        return reader(found[-1]) if found else default

    return read


def _int_or_string(raw: Any) -> int | str:
    parts = {number: value for number, _, value in _fields(_raw(raw))}
    return _text(parts.get(3, b"")) if parts.get(1) else _signed(parts.get(2, 0))


def _embedded(raw: Any) -> Any:
    found = [value for number, _, value in _fields(_raw(raw)) if number == 1]
    return msgspec.json.decode(found[-1]) if found and found[-1] else None


def _strings(raw: Any) -> list[str]:
    return [_text(value) for _, _, value in _fields(_raw(raw))]


def _schema_or(other: str) -> Callable[[Any], Any]:
    """For what is a schema or else the message's field ``other``."""
    kind = "JSONSchemaPropsOrBool" if other == "allows" else "JSONSchemaPropsOrArray"
    kind = "JSONSchemaPropsOrStringArray" if other == "property" else kind

    def read(raw: Any) -> Any:
        found = _message(f"apiextensions.v1.{kind}", _raw(raw), 1)
        return found.get("schema", found.get(other))

    return read


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "string": _text,
    "bytes": lambda raw: base64.b64encode(_raw(raw)).decode(),
    "bool": lambda raw: bool(_signed(raw)),
    "int32": _signed,
    "int64": _signed,
    "double": lambda raw: struct.unpack("<d", _raw(raw))[0],
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": lambda raw: _time(raw, micro=True),
    "meta.v1.Duration": lambda raw: f"{_first(_signed, 0)(raw) / 1e9:g}s",
    "meta.v1.FieldsV1": _embedded,
    "runtime.RawExtension": _embedded,
    "resource.Quantity": _first(_text, "0"),
    "intstr.IntOrString": _int_or_string,
    "authorization.v1.ExtraValue": _strings,
    "authentication.v1.ExtraValue": _strings,
    "certificates.v1.ExtraValue": _strings,
    "apiextensions.v1.JSON": _embedded,
    "apiextensions.v1.JSONSchemaPropsOrBool": _schema_or("allows"),
    "apiextensions.v1.JSONSchemaPropsOrArray": _schema_or("jSONSchemas"),
    "apiextensions.v1.JSONSchemaPropsOrStringArray": _schema_or("property"),
}
