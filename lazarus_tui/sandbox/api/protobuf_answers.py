"""Answers in Kubernetes' protobuf, for clients that take nothing else: the way back of ``protobuf.py``."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.resources import CRDS
from lazarus_tui.sandbox.api.kinds import Served
from lazarus_tui.sandbox.api.protobuf import field_table, message_name
from lazarus_tui.sandbox.api.typed import ALSO_INLINED

Object = dict[str, Any]

_MAGIC = b"k8s\x00"
_REPEATED, _INLINED = 1, 2
_VARINT, _FIXED64, _BYTES = 0, 1, 2
_LIST = "List"
# meta.v1.ListMeta
_LIST_META: Mapping[str, int] = {"selfLink": 1, "resourceVersion": 2, "continue": 3, "remainingItemCount": 4}


def encodes(served: Served) -> bool:
    """Whether objects of this kind can be written in protobuf; schemas of definitions cannot, here."""
    kind = served.kind
    if kind.custom or kind.plural == CRDS.plural:
        return False
    return message_name(served.api_version, kind.kind) in field_table()


def encode_protobuf(obj: Mapping[str, Any]) -> bytes:
    """The ``k8s\\0`` envelope of an object or a list of a kind whose fields are known."""
    api_version, kind = str(obj["apiVersion"]), str(obj["kind"])
    message = message_name(api_version, kind)
    known = message in field_table()
    inner = _message(message, obj) if known else _list(obj, message.removesuffix(_LIST))
    identity = _text_field(1, api_version) + _text_field(2, kind)
    return _MAGIC + _chunk(1, identity) + _chunk(2, inner)


def _list(obj: Mapping[str, Any], item: str) -> bytes:
    meta = b"".join(
        _number_field(number, value) if isinstance(value, int) else _text_field(number, value)
        for name, number in _LIST_META.items()
        if (value := obj["metadata"].get(name)) is not None
    )
    return _chunk(1, meta) + b"".join(_chunk(2, _message(item, one)) for one in obj.get("items") or ())


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _tag(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _chunk(number: int, data: bytes) -> bytes:
    return _tag(number, _BYTES) + _varint(len(data)) + data


def _text_field(number: int, text: str) -> bytes:
    return _chunk(number, text.encode())


def _number_field(number: int, value: int) -> bytes:
    return _tag(number, _VARINT) + _varint(int(value))


def _message(name: str, obj: Mapping[str, Any]) -> bytes:
    made = []
    for number, (label, kind, shape) in field_table()[name].items():
        at = int(number)
        if shape == _INLINED or label in ALSO_INLINED:
            made.append(_chunk(at, _message(kind, obj)))
            continue
        value = obj.get(label)
        if value is None:
            continue
        if kind.startswith("map:"):
            inner = kind.removeprefix("map:")
            made += [_chunk(at, _text_field(1, key) + _field(2, inner, one)) for key, one in sorted(value.items())]
        elif shape == _REPEATED:
            made += [_field(at, kind, one) for one in value]
        else:
            made.append(_field(at, kind, value))
    return b"".join(made)


def _field(number: int, kind: str, value: Any) -> bytes:
    if kind in ("bool", "int32", "int64"):
        return _number_field(number, value)
    if kind == "double":
        return _tag(number, _FIXED64) + struct.pack("<d", value)
    writer = _WRITERS.get(kind)
    return _chunk(number, writer(value) if writer else _message(kind, value))


def _time(value: str) -> bytes:
    moment = parse_rfc3339(value)
    nanoseconds = moment.microsecond * 1000
    return _number_field(1, int(moment.timestamp())) + (_number_field(2, nanoseconds) if nanoseconds else b"")


def _json_field(value: Any) -> bytes:
    return _chunk(1, msgspec.json.encode(value))


def _int_or_string(value: int | str) -> bytes:
    if isinstance(value, str):
        return _number_field(1, 1) + _text_field(3, value)
    return _number_field(1, 0) + _number_field(2, value)


def _duration(value: str) -> bytes:
    return _number_field(1, round(float(value.removesuffix("s")) * 1e9))


def _strings(values: list[str]) -> bytes:
    return b"".join(_text_field(1, one) for one in values)


_WRITERS: Mapping[str, Callable[[Any], bytes]] = {
    "string": str.encode,
    "bytes": base64.b64decode,
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": _time,
    "meta.v1.Duration": _duration,
    "meta.v1.FieldsV1": _json_field,
    "runtime.RawExtension": _json_field,
    "resource.Quantity": lambda value: _text_field(1, str(value)),
    "intstr.IntOrString": _int_or_string,
    "authorization.v1.ExtraValue": _strings,
    "authentication.v1.ExtraValue": _strings,
    "certificates.v1.ExtraValue": _strings,
}
