"""Sets of fields in the form of ``managedFields[].fieldsV1``: trees whose leaves are members.

``{}`` is a member without members below it; ``"."`` among other entries makes the node itself a member. A set of
nothing is ``None``. Trees share parts and are never changed in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from lazarus_tui.sandbox.api.shapes import Shape

Fields = dict[str, Any]

_encode = msgspec.json.Encoder(order="sorted").encode


class Unkeyed(ValueError):
    """An item of a keyed list without its keys, or two items with the same ones."""


def member(node: Fields) -> bool:
    """Whether the node itself belongs to the set, not only something below it."""
    return not node or "." in node


def _tidy(node: Fields) -> Fields | None:
    if not node:
        return None
    return {} if len(node) == 1 and "." in node else node


def union(one: Fields | None, other: Fields | None) -> Fields | None:
    if one is None or other is None:
        return other if one is None else one
    if not one or not other:
        rest = one or other
        return {".": {}, **rest} if rest else {}
    made = dict(one)
    for key, child in other.items():
        made[key] = union(made[key], child) if key in made else child
    return made


def minus(one: Fields | None, other: Fields | None) -> Fields | None:
    """The members of ``one`` that are not members of ``other``."""
    if one is None or other is None:
        return one
    made: Fields = {} if not member(one) or member(other) else {".": {}}
    for key, child in one.items():
        if key == ".":
            continue
        left = minus(child, other.get(key)) if key in other else child
        if left is not None:
            made[key] = left
    return _tidy(made)


def common(one: Fields | None, other: Fields | None) -> Fields | None:
    """The members of both."""
    if one is None or other is None:
        return None
    made: Fields = {".": {}} if member(one) and member(other) else {}
    for key, child in one.items():
        if key == "." or key not in other:
            continue
        both = common(child, other[key])
        if both is not None:
            made[key] = both
    return _tidy(made)


def paths(node: Fields, prefix: str = "") -> Iterator[str]:
    """The members as people read them: ``.spec.containers[name="web"].image``."""
    if prefix and member(node):
        yield prefix
    for key in sorted(node):
        if key != ".":
            yield from paths(node[key], prefix + _readable(key))


def _readable(key: str) -> str:
    kind, _, rest = key.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "v":
        return f"[={rest}]"
    parts = msgspec.json.decode(rest)
    return "[" + ",".join(f"{name}={msgspec.json.encode(parts[name]).decode()}" for name in sorted(parts)) + "]"


def item_key(shape: Shape, item: Any) -> str:
    """How a set names one item of a keyed list: ``k:{"name":"web"}``."""
    identity = {}
    for name, default in shape.keys:
        value = item.get(name, default) if isinstance(item, dict) else None
        if value is None:
            raise Unkeyed(f'element omits key field "{name}" (and doesn\'t have default value)')
        identity[name] = value
    return "k:" + _encode(identity).decode()


def entries(value: Any, shape: Shape) -> dict[str, Any] | None:
    """What a value consists of, by the names sets use; None for what is owned as one value."""
    mode = shape.mode(value)
    if mode == "atomic":
        return None
    if mode == "parts":
        return {f"f:{name}": child for name, child in value.items()}
    made: dict[str, Any] = {}
    for item in value:
        name = item_key(shape, item) if mode == "map" else "v:" + _encode(item).decode()
        if name in made:
            raise Unkeyed(f"duplicate entries for key {_readable(name)}")
        made[name] = item
    return made


def under(shape: Shape, name: str) -> Shape:
    return shape.child(name[2:]) if name.startswith("f:") else shape.item()


def fields_of(value: Any, shape: Shape, *, marked: bool) -> Fields:
    """Everything a value holds. ``marked``: objects and lists are members too, as for a manager that made them."""
    mode = shape.mode(value)
    if mode == "atomic" or not value:
        return {}
    made: Fields = {".": {}} if marked and not shape.embedded else {}
    if mode == "parts":
        for name, child in value.items():
            # Most values are plain, and a plain value is a leaf whatever its shape.
            plain = child.__class__ is not dict and child.__class__ is not list
            made[f"f:{name}"] = {} if plain else fields_of(child, shape.child(name), marked=marked)
        return made
    for name, child in (entries(value, shape) or {}).items():
        below = fields_of(child, shape.item(), marked=marked)
        made[name] = {".": {}, **below} if below and "." not in below else below
    return made


def compare(old: Any, new: Any, shape: Shape) -> tuple[Fields | None, Fields | None]:
    """Which fields ``new`` adds or changes, and which it removes."""
    if old == new:
        return None, None
    if new.__class__ is not dict and new.__class__ is not list and old.__class__ is new.__class__:
        return {}, None
    before, after = entries(old, shape), entries(new, shape)
    if before is None or after is None:
        removed = fields_of(old, shape, marked=True) if before else None
        return fields_of(new, shape, marked=True), removed
    changed: Fields = {}
    removed_parts: Fields = {}
    for name, child in after.items():
        if name not in before:
            changed[name] = fields_of(child, under(shape, name), marked=True)
            continue
        more, less = compare(before[name], child, under(shape, name))
        if more is not None:
            changed[name] = more
        if less is not None:
            removed_parts[name] = less
    for name, child in before.items():
        if name not in after:
            removed_parts[name] = _gone(child, under(shape, name))
    return changed or None, removed_parts or None


def _gone(value: Any, shape: Shape) -> Fields:
    """All that a removed value held, itself included."""
    below = fields_of(value, shape, marked=True)
    return {".": {}, **below} if below else {}
