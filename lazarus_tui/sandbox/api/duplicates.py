"""Fields that a JSON body names twice, which decoders pass over in silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written."""


def duplicate_fields(body: bytes, value: Any) -> list[str]:
    """Paths of the fields that ``body`` has more than once; ``value`` is what a decoder made of it.

    A text that encoding ``value`` makes again has none: that is most of them, and costs next to nothing to find out.
    A body that is no JSON is not looked at.
    """
    try:
        if msgspec.json.format(body, indent=-1) == msgspec.json.encode(value):
            return []
    except msgspec.DecodeError:
        return []
    return list(_walk(json.loads(body, object_pairs_hook=_Pairs), ""))


def _walk(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, child in value:
            where = f"{path}.{name}" if path else name
            if name in seen:
                yield where
            seen.add(name)
            yield from _walk(child, where)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _walk(one, f"{path}[{index}]")
