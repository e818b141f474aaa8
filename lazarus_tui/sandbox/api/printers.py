"""Tables as kubectl shows them: columns per kind, printer columns of custom kinds, ages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lazarus_tui.sandbox.api import columns, columns_cluster
from lazarus_tui.sandbox.api.columns import AGE, NAME, Column
from lazarus_tui.sandbox.api.jsonpath import find
from lazarus_tui.sandbox.api.kinds import Served
from lazarus_tui.sandbox.api.moments import age

Object = Mapping[str, Any]
Row = tuple[list[Any], dict[str, Any]]

_COLUMNS: Mapping[str, Sequence[Column]] = {**columns.COLUMNS, **columns_cluster.COLUMNS}


def _custom_column(definition: Mapping[str, Any]) -> Column:
    path, kind = definition["jsonPath"], definition.get("type", "string")

    def cell(obj: Object, now: datetime) -> Any:
        value = find(obj, path)
        if value is None:
            return None
        if kind == "date":
            return age(value, now)
        return str(value).lower() if kind == "string" and isinstance(value, bool) else _cell(value, kind)

    return Column(
        definition["name"],
        cell,
        "string" if kind == "date" else kind,
        definition.get("format", ""),
        definition.get("priority", 0),
        definition.get("description", ""),
    )


def _cell(value: Any, kind: str) -> Any:
    if kind in ("integer", "number", "boolean"):
        return value
    return value if isinstance(value, str) else str(value)


def columns_of(served: Served) -> Sequence[Column]:
    """A custom kind without columns of its own, and any other kind, shows name and age."""
    kind = served.kind
    if kind.custom:
        own = kind.definitions[served.version].columns
        return (NAME, *(_custom_column(one) for one in own)) if own else (NAME, AGE)
    return _COLUMNS.get(kind.group_resource, (NAME, AGE))


def table(served: Served, objects: Sequence[dict[str, Any]], now: datetime) -> tuple[list[dict[str, Any]], list[Row]]:
    """Column definitions, and one row of cells per object."""
    wanted = columns_of(served)
    definitions = [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description or column.name,
            "priority": column.priority,
        }
        for column in wanted
    ]
    return definitions, [([column.cell(obj, now) for column in wanted], obj) for obj in objects]
