"""Objects as plain JSON: copies of them, and whether two are the same."""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.sandbox.api.errors import bad_request

Object = dict[str, Any]

_sorted = msgspec.json.Encoder(order="sorted").encode


def clone(obj: Object) -> Object:
    """A private deep copy; anything that is not JSON is refused with 400."""
    try:
        copy = msgspec.json.decode(msgspec.json.encode(obj))
    except (TypeError, msgspec.MsgspecError) as error:
        raise bad_request(f"the object is not JSON: {error}") from None
    if not isinstance(copy, dict):
        raise bad_request("the object provided is unrecognized: not an object")
    return copy


def same(one: Object, other: Object) -> bool:
    """Equal as JSON. Python alone would call 1 and true equal."""
    return one == other and _sorted(one) == _sorted(other)
