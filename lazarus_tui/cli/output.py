"""How answers are printed: a table for people, JSON, YAML or bare names for programs.

Cluster text is hostile: tables go through ``view``'s sanitiser; JSON and YAML escape everything outside printable
ASCII, so no control or direction-changing character reaches a terminal (design.md §10).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
_TABLE_LINE = 8000
FORMATS = ("table", "json", "yaml", "name")


def output_option(function: F) -> F:
    """Add ``-o``; the command gets it as ``output``."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="How to print the answer.",
    )(function)


def as_json(value: Any) -> str:
    """ASCII-only JSON; DEL is escaped too, which the standard encoder leaves alone."""
    return json.dumps(builtins(value), ensure_ascii=True, indent=2).replace("\x7f", "\\u007f")


def builtins(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


def emit(value: Any, output: str, *, names: Iterable[str], table: Callable[[], str]) -> None:
    """Print ``value`` as asked: ``names`` one a line, ``table`` a finished text."""
    if output == "json":
        text = as_json(value)
    elif output == "yaml":
        import yaml

        text = yaml.safe_dump(builtins(value), sort_keys=False, allow_unicode=False).rstrip("\n")
    elif output == "name":
        from lazarus_tui.view.sanitise import LINE_LIMIT, clean

        text = "\n".join(clean(name, LINE_LIMIT) for name in names)
    else:
        from lazarus_tui.view.sanitise import clean

        text = "\n".join(clean(line, _TABLE_LINE) for line in table().splitlines())
    if text:
        sys.stdout.write(text + "\n")


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Left-aligned columns two spaces apart; an empty table says so."""
    from lazarus_tui.view.sanitise import LINE_LIMIT, clean

    cells = [[str(clean(cell, LINE_LIMIT)) for cell in row] for row in rows]
    if not cells:
        return "(none)"
    lines: list[list[str]] = [list(header), *cells]
    widths = [max(len(row[i]) for row in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
