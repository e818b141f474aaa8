"""The part of JSONPath that printer columns and selectable fields use: names, indexes, ``[*]`` and equality filters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<name>(?:[^.\[\]\\]|\\.)+)
      | \[\s*(?P<index>-?\d+|\*)\s*\]
      | \['(?P<quoted>[^']+)'\]
      | \[\?\(\s*@\.(?P<field>[\w.\-]+)\s*==\s*["'](?P<value>[^"']*)["']\s*\)\]""",
    re.VERBOSE,
)

Step = tuple[str, str, str]


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[Step, ...] | None:
    if not path.startswith((".", "[")):
        path = "." + path
    steps: list[Step] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            return None
        if match["name"] is not None:
            steps.append(("name", re.sub(r"\\(.)", r"\1", match["name"]), ""))
        elif match["quoted"] is not None:
            steps.append(("name", match["quoted"], ""))
        elif match["index"] is not None:
            steps.append(("index", match["index"], ""))
        else:
            steps.append(("filter", match["field"], match["value"]))
        at = match.end()
    return tuple(steps)


def find(obj: Any, path: str) -> Any:
    """The first value at ``path``, or None."""
    steps = _steps(path.removeprefix("{").removesuffix("}"))
    found = [obj] if steps is not None else []
    for step in steps or ():
        found = [value for one in found for value in _walk(one, step)]
    return found[0] if found else None


def _walk(value: Any, step: Step) -> list[Any]:
    kind, one, two = step
    if kind == "name":
        return [value[one]] if isinstance(value, Mapping) and value.get(one) is not None else []
    if not isinstance(value, list):
        return []
    if kind == "filter":
        return [item for item in value if isinstance(item, Mapping) and str(find(item, "." + one)) == two]
    if one == "*":
        return list(value)
    index = int(one)
    return [value[index]] if -len(value) <= index < len(value) else []
