"""JSON patch (RFC 6902) and JSON merge patch (RFC 7396) over plain JSON values."""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.sandbox.api.errors import ApiError, bad_request

# Upstream's cap on the operations of one JSON patch.
_MAX_OPERATIONS = 10_000


class PatchRefused(Exception):
    """The patch does not fit the document."""


def merge(target: Any, patch: Any) -> Any:
    """``patch`` over ``target``: objects merge, null removes, anything else replaces. Neither argument is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def json_patch(document: Any, operations: Any) -> Any:
    """Apply a list of operations to a copy; ``ApiError`` 400 for what is no patch, 422 when it does not fit."""
    if not isinstance(operations, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        )
    if len(operations) > _MAX_OPERATIONS:
        why = f"The allowed maximum operations in a JSON patch is {_MAX_OPERATIONS}, got {len(operations)}"
        raise ApiError(413, "RequestEntityTooLarge", why)
    document = msgspec.json.decode(msgspec.json.encode(document))
    try:
        for operation in operations:
            document = _operate(document, operation)
    except PatchRefused as error:
        raise ApiError(
            422,
            "Invalid",
            "the server rejected our request due to an error in our request",
            {"causes": [_cause(error)]},
        ) from None
    return document


def _cause(error: PatchRefused) -> dict[str, str]:
    return {"reason": "FieldValueInvalid", "message": str(error), "field": "patch"}


def _operate(document: Any, operation: Any) -> Any:
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise PatchRefused("an operation needs a path")
    op, path = operation.get("op"), _pointer(operation["path"])
    if op in ("add", "replace", "test"):
        if "value" not in operation:
            raise PatchRefused(f"{op} needs a value")
        return _with_value(document, str(op), path, operation["value"])
    if op == "remove":
        return _remove(document, path)[0]
    if op in ("move", "copy"):
        if not isinstance(operation.get("from"), str):
            raise PatchRefused(f"{op} needs from")
        return _transfer(document, str(op), _pointer(operation["from"]), path)
    raise PatchRefused(f"unknown operation {op!r}")


def _with_value(document: Any, op: str, path: list[str], value: Any) -> Any:
    if op == "test":
        if not _equal(_read(document, path), value):
            raise PatchRefused("testing value failed")
        return document
    return _add(document, path, value) if op == "add" else _replace(document, path, value)


def _transfer(document: Any, op: str, source: list[str], path: list[str]) -> Any:
    if op == "copy":
        value = msgspec.json.decode(msgspec.json.encode(_read(document, source)))
        return _add(document, path, value)
    if path[: len(source)] == source and path != source:
        raise PatchRefused("a value cannot move into itself")
    document, value = _remove(document, source)
    return _add(document, path, value)


def _equal(one: Any, other: Any) -> bool:
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


def _pointer(text: str) -> list[str]:
    if text == "":
        return []
    if not text.startswith("/"):
        raise PatchRefused(f"{text!r} is no JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _index(items: list[Any], token: str, *, end: bool) -> int:
    if token == "-" and end:
        return len(items)
    if not token.isdecimal() or (len(token) > 1 and token[0] == "0"):
        raise PatchRefused(f"{token!r} is no index")
    index = int(token)
    if index > len(items) - (0 if end else 1):
        raise PatchRefused(f"index {index} is outside the list")
    return index


def _child(value: Any, token: str) -> Any:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list):
        return value[_index(value, token, end=False)]
    raise PatchRefused(f"nothing at {token!r}")


def _read(document: Any, path: list[str]) -> Any:
    for token in path:
        document = _child(document, token)
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _read(document, path[:-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        parent.insert(_index(parent, path[-1], end=True), value)
    else:
        raise PatchRefused(f"nothing can be added at {path[-1]!r}")
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _read(document, path[:-1])
    _child(parent, path[-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        parent[_index(parent, path[-1], end=False)] = value
    return document


def _remove(document: Any, path: list[str]) -> tuple[Any, Any]:
    if not path:
        raise PatchRefused("the whole document cannot be removed")
    parent = _read(document, path[:-1])
    value = _child(parent, path[-1])
    if isinstance(parent, dict):
        del parent[path[-1]]
    else:
        del parent[_index(parent, path[-1], end=False)]
    return document, value
