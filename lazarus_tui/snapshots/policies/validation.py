"""From plain data to what was written; what is wrong is told with its line and the nearest right word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from lazarus_tui.model.document import Document, Path, refused
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.snapshots.policies.written import KINDS, Written

_PROOFS = ("ProofPolicy", "LazarusRestoreTest")  # kinds that are applied elsewhere
_WORDS = {
    "missing": "is missing",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "string_type": "must be text; put it in quotes",
    "list_type": 'must be a list, such as ["redis-cli", "BGSAVE"]',
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "too_short": "must not be empty",
}


def validated(found: Document) -> Written:
    """The document as its kind reads it; raises ``PlanRefused``."""
    kind, version = found.data.get("kind"), found.data.get("apiVersion")
    if kind in _PROOFS:
        raise refused(f"{kind} is about proofs", found.line(("kind",)), "kind", "lazarus policy apply -f FILE")
    if kind not in KINDS:
        what = f"{kind!r} is no kind Lazarus reads" if kind else "kind is missing"
        raise refused(what, found.line(("kind",)), "kind", near(str(kind), KINDS) or f"one of {', '.join(KINDS)}")
    wanted, model = KINDS[str(kind)]
    if version != wanted:
        what = f"apiVersion {version!r} is not read" if version else "apiVersion is missing"
        raise refused(what, found.line(("apiVersion",)), "apiVersion", f"write {wanted}")
    try:
        return model.model_validate(found.data)
    except ValidationError as error:
        raise _first(error, model, found) from None


def _first(error: ValidationError, model: type[Written], found: Document) -> PlanRefused:
    every = error.errors(include_url=False, include_input=False)
    unknown_first = sorted(every, key=lambda one: (one["type"] != "extra_forbidden", found.line(_path(one["loc"]))))
    first = unknown_first[0]
    path = _path(first["loc"])
    name = ".".join(map(str, path))
    more = f" (and {len(every) - 1} more)" if len(every) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _fields(model, path[:-1])
        hint = near(str(path[-1]), known) or f"known: {', '.join(known)}"
        return refused(f"there is no field {path[-1]}{more}", found.line(path), name, hint)
    what = _WORDS.get(first["type"]) or _sentence(str(first["msg"]))
    return refused(f"{path[-1] if path else 'it'} {what}{more}", found.line(path), name)


def _sentence(text: str) -> str:
    return text.removeprefix("Input ").removeprefix("String ").removeprefix("Value ").removeprefix("List ")


def _path(loc: Iterable[Any]) -> Path:
    return tuple(part for part in loc if isinstance(part, str | int))


def near(word: str, known: Iterable[str]) -> str:
    """``did you mean schedule?``, or "". A name in another case or with one letter too many is near."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"did you mean {by_lower[found[0]]}?" if found else ""


def _fields(model: type[BaseModel], path: Path) -> list[str]:
    """The names that may stand at ``path``."""
    current: Any = model
    for part in path:
        if isinstance(part, int) or not (isinstance(current, type) and issubclass(current, BaseModel)):
            continue
        inside = next((f.annotation for f in current.model_fields.values() if f.alias == part), None)
        models = [one for one in (inside, *get_args(inside)) if isinstance(one, type) and issubclass(one, BaseModel)]
        current = models[0] if models else None
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        return []
    return sorted(field.alias or name for name, field in current.model_fields.items())
