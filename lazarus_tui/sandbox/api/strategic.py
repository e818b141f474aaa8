"""Strategic merge patch for built-in kinds: lists of objects merge by key, directives replace and delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.sandbox.api.component_facts import MERGED
from lazarus_tui.sandbox.api.errors import bad_request

# Which lists merge, and by which field.
_MERGE_KEYS: Mapping[str, str] = {
    **{field: keys[0] for field, keys in MERGED.items() if "." not in field},
    "imagePullSecrets": "name",
    "secrets": "name",
}
# Lists of plain values that merge as sets.
_MERGED_SETS = frozenset({"finalizers"})
_PATCH, _DELETE_ITEMS, _ORDER, _RETAIN = "$patch", "$deleteFromPrimitiveList/", "$setElementOrder/", "$retainKeys"


def _merge_key(field: str, items: list[Any]) -> str:
    if field == "ports":
        first = next((item for item in items if isinstance(item, dict)), {})
        return "containerPort" if "containerPort" in first else "port"
    return _MERGE_KEYS.get(field, "")


def strategic_merge(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """``patch`` over ``target`` by the rules of ``kubectl apply`` and ``kubectl edit``; neither is changed."""
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"Unrecognized value {directive!r} for field $patch")
    result = dict(target)
    if _RETAIN in patch:
        result = {key: value for key, value in result.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if key.startswith(_DELETE_ITEMS):
            field = key.removeprefix(_DELETE_ITEMS)
            result[field] = [item for item in result.get(field) or () if item not in value]
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(key, result.get(key), value)
    for key, value in patch.items():
        if key.startswith(_ORDER):
            _reorder(result, key.removeprefix(_ORDER), value, target)
    return result


def _merged(field: str, old: Any, new: Any) -> Any:
    if isinstance(new, dict):
        return strategic_merge(old if isinstance(old, dict) else {}, new)
    if not isinstance(new, list):
        return new
    old = old if isinstance(old, list) else []
    if field in _MERGED_SETS:
        return old + [item for item in new if item not in old]
    key = _merge_key(field, new + old)
    if not key or not all(isinstance(item, dict) for item in new):
        return [_stripped(item) for item in new]
    return _merge_items(key, old, new)


def _stripped(value: Any) -> Any:
    """A value as stored: without directives and nulls, at any depth."""
    return strategic_merge({}, value) if isinstance(value, dict) else value


def _merge_items(key: str, old: list[Any], new: list[Any]) -> list[Any]:
    if any(item.get(_PATCH) == "replace" for item in new):
        kept = [{name: value for name, value in item.items() if name != _PATCH} for item in new]
        return [_stripped(item) for item in kept if item]
    result = list(old)
    for item in new:
        if key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        index = next((at for at, one in enumerate(result) if one.get(key) == item[key]), None)
        if item.get(_PATCH) == "delete":
            result = [one for one in result if one.get(key) != item[key]]
        elif index is None:
            result.append(_stripped(item))
        else:
            result[index] = strategic_merge(result[index], item)
    return _ordered(key, result, [item[key] for item in new], old)


def _ordered(key: str, items: list[Any], named: list[Any], before: list[Any]) -> list[Any]:
    """Items that the patch names in its order, the others in theirs; a new item comes before those that follow.

    An unnamed item goes first only where it stood before the named one already (strategicpatch's merge of the two).
    """

    def name(item: Any) -> Any:
        return item.get(key) if isinstance(item, dict) else item

    places = {str(name(item)): at for at, item in reversed(list(enumerate(before)))}
    ranks = {str(one): at for at, one in reversed(list(enumerate(named)))}
    mine = sorted((item for item in items if str(name(item)) in ranks), key=lambda item: ranks[str(name(item))])
    others = [item for item in items if str(name(item)) not in ranks]
    result: list[Any] = []
    while mine and others:
        here, there = places.get(str(name(others[0]))), places.get(str(name(mine[0])))
        first = here is not None and there is not None and here < there
        result.append(others.pop(0) if first else mine.pop(0))
    return result + mine + others


def _reorder(result: dict[str, Any], field: str, order: list[Any], target: dict[str, Any]) -> None:
    items, before = result.get(field), target.get(field)
    if not isinstance(items, list) or not items:
        return
    key = _merge_key(field, items)
    names = [one.get(key) if isinstance(one, dict) else one for one in order]
    result[field] = _ordered(key, items, names, before if isinstance(before, list) else [])
