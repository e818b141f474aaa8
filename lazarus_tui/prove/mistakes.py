"""From plain data to what was written; a mistake is told with its place and the nearest right word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from lazarus_tui.model.plan import PlanRefused

T = TypeVar("T")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.S)
_TAG = re.compile(r"Invalid value '(.*)'", re.S)
_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def converted(data: Any, wanted: type[T], called: str = "these are not checks", page: str = "docs/checks.md") -> T:
    """``data`` as ``wanted``; raises ``PlanRefused``, which says ``called`` of what is of a wrong type."""
    try:
        return msgspec.convert(data, wanted)
    except msgspec.ValidationError as error:
        raise refusal(str(error), data, wanted, called, page) from None


def refusal(text: str, data: Any, wanted: Any, called: str, page: str) -> PlanRefused:
    """What msgspec says, with the nearest word that would have been right."""
    what, _, place = text.partition(" - at `")
    place = place.rstrip("`").removeprefix("key in `")
    path = [name or (int(index) if index.isdigit() else index) for name, index in _PART.findall(place)]
    shown = place.removeprefix("$").removeprefix(".") or called.rpartition(" ")[2]
    unknown, tag = _UNKNOWN.match(what), _TAG.match(what)
    if unknown:
        known = sorted(_fields(inspect.type_info(wanted), data, path))
        return _refused(f"there is no field {unknown[1][:64]}", shown, unknown[1], known)
    if tag and path and path[-1] == "kind":
        known = sorted(_kinds(inspect.type_info(wanted), data, path[:-1]))
        return _refused(f"{tag[1][:64]!r} is no kind of check", shown, tag[1], known)
    what = what[:1].lower() + what[1:].replace("`", "")
    return PlanRefused(f"{called}: {what}", where=shown, hint=f"see {page}", code="usage")


def _refused(what: str, where: str, word: str, known: list[str]) -> PlanRefused:
    hint = near(word, known) or f"known: {', '.join(known)}"
    return PlanRefused(what, where=where, hint=hint, code="usage")


def near(word: str, known: Iterable[str]) -> str:
    """``did you mean service?``, or "". A name in another case or with one letter too many is near."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower().replace("_", ""), by_lower, n=1)
    return f"did you mean {by_lower[found[0]]}?" if found else ""


def _fields(kind: Any, data: Any, path: list[Any]) -> set[str]:
    found: set[str] = set()
    for one in _at(kind, data, path):
        found |= {field.encode_name for field in one.fields} | ({one.tag_field} if one.tag_field else set())
    return found


def _kinds(kind: Any, data: Any, path: list[Any]) -> set[str]:
    return {str(one.tag) for one in _at(kind, data, path, choose=False) if one.tag is not None}


def _at(kind: Any, data: Any, path: list[Any], *, choose: bool = True) -> list[Any]:
    """The records that may stand at ``path``; of several, the one that the data names."""
    structs = _structs(kind, data, choose or bool(path))
    if not path:
        return structs
    part, rest = path[0], path[1:]
    inside = data.get(part) if isinstance(data, dict) else None
    if isinstance(part, int) and isinstance(data, list | tuple) and part < len(data):
        inside = data[part]
    found = []
    for one in _members(kind, structs, part):
        found += _at(one, inside, rest, choose=choose)
    return found


def _structs(kind: Any, data: Any, choose: bool) -> list[Any]:
    options = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    structs = [one for one in options if isinstance(one, inspect.StructType)]
    named = data.get("kind") if isinstance(data, dict) and choose else None
    return [one for one in structs if one.tag == named] or structs


def _members(kind: Any, structs: list[Any], part: Any) -> list[Any]:
    """The types of what a name or an index leads to."""
    found = [field.type for one in structs for field in one.fields if field.encode_name == part]
    for one in kind.types if isinstance(kind, inspect.UnionType) else (kind,):
        if isinstance(one, inspect.VarTupleType | inspect.ListType):
            found.append(one.item_type)
        elif isinstance(one, inspect.DictType):
            found.append(one.value_type)
    return found
