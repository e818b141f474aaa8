"""Merge patches, the strategic ones of pod specs, and pointers; the same semantics as the server that applies them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
_REPLACE, _DELETE = "replace", "delete"
# Lists of a pod spec that merge by a key (k8s.io/api core/v1 patchMergeKey).
_KEYS: Mapping[str, str] = {
    "containers": "name", "initContainers": "name", "ephemeralContainers": "name", "volumes": "name",
    "ports": "containerPort", "env": "name", "volumeMounts": "mountPath",
}  # fmt: skip


def patched(body: Mapping[str, Any], patch: Mapping[str, Any], *, strategic: bool = False) -> Json:
    """``body`` with ``patch``; neither is changed."""
    result = dict(body)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            old = result.get(key)
            result[key] = patched(old if isinstance(old, Mapping) else {}, value, strategic=strategic)
        elif strategic and isinstance(value, list) and key in _KEYS:
            result[key] = _merged(result.get(key) or [], value, _KEYS[key])
        else:
            result[key] = value
    return result


def _merged(old: list[Any], new: list[Any], key: str) -> list[Any]:
    if any(one.get("$patch") == _REPLACE for one in new):
        return [one for one in new if "$patch" not in one]
    result = list(old)
    for one in new:
        at = next((n for n, found in enumerate(result) if found.get(key) == one.get(key)), None)
        if one.get("$patch") == _DELETE:
            result = [found for found in result if found.get(key) != one.get(key)]
        elif at is None:
            result.append(patched({}, one, strategic=True))
        else:
            result[at] = patched(result[at], one, strategic=True)
    return result


def nested(path: tuple[str, ...], value: Any) -> Json:
    """``{"a": {"b": value}}`` for ("a", "b")."""
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def at(body: Any, path: tuple[str, ...]) -> Any:
    """What lies at the path; None when there is nothing."""
    for key in path:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body


def pointer(path: tuple[str, ...]) -> str:
    """A JSON pointer. A part ``name=x`` means the element of a list with that name: places shift when others insert."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def resolve(body: Any, text: str) -> Any:
    """What a pointer (see ``pointer``) leads to; None when there is nothing."""
    for raw in text.split("/")[1:]:
        part = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(body, Mapping):
            body = body.get(part)
        elif isinstance(body, list):
            body = _element(body, part)
        else:
            return None
    return body


def _element(found: list[Any], part: str) -> Any:
    key, equals, value = part.partition("=")
    if equals:
        return next((one for one in found if isinstance(one, Mapping) and one.get(key) == value), None)
    return found[int(part)] if part.isdigit() and int(part) < len(found) else None


def holds(body: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether an entry of a ruling's ``expected`` is true of the object: value None means absent, false or empty."""
    found, wanted = resolve(body, str(expected["pointer"])), expected.get("value")
    return not found if wanted is None else bool(found == wanted)
