"""A sheet describes a table: columns, how a record becomes cells, how it sorts and what a filter looks at.

Rows are made when they are painted, not when they arrive: 10 000 records cost a sort, 20 of them cost rendering.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from lazarus_tui.view.text import Span

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Column:
    """``priority`` 0 always stays; the highest number goes first when the terminal is narrow. Widths are cells."""

    id: str
    title: str
    priority: int = 0
    least: int = 4
    most: int = 60
    right: bool = False
    key: str = ""
    """The shifted letter that sorts by this column, e.g. ``N``."""
    middle: bool = False
    """Cut long values in the middle: Velero's names end with the time that tells them apart."""


@dataclass(frozen=True, slots=True)
class Sheet(Generic[R]):
    columns: tuple[Column, ...]
    cells: Callable[[R, datetime], tuple[Span, ...]]
    order: Callable[[R, str], Any]
    """Sort key of a record for a column id; values of one column compare with each other."""
    text: Callable[[R], str]
    """What a filter looks at."""
    labels: Callable[[R], Mapping[str, str]] = lambda record: {}
    namespaces: Callable[[R], Sequence[str]] = lambda record: ()
    sort: str = ""
    descending: bool = False
    faulty: Callable[[R], bool] = lambda record: False
    nothing: str = "nothing here"
    what: str = "rows"
    velero: bool = True
    """Whether there is nothing to show without a Velero."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Which columns are shown (index, width) and the gap between them."""

    columns: tuple[tuple[int, int], ...] = field(default=())
    gap: int = 2


def fit(columns: Sequence[Column], natural: Sequence[int], width: int, gap: int = 2) -> Fitted:
    """Choose columns and widths for ``width`` cells: drop low priorities, then shrink the widest to its least.

    Numbers and ages (aligned right) are never cut: half a number is a wrong one.
    """
    chosen = list(range(len(columns)))
    wish = [min(max(natural[i], len(columns[i].title)), columns[i].most) for i in chosen]
    least = [wish[i] if columns[i].right else min(columns[i].least, wish[i]) for i in chosen]

    def total(of: Sequence[int]) -> int:
        return sum(of[i] for i in chosen) + gap * max(0, len(chosen) - 1)

    while total(least) > width and any(columns[i].priority for i in chosen):
        chosen.remove(max(chosen, key=lambda i: (columns[i].priority, i)))
    while total(wish) > width:
        shrinkable = [i for i in chosen if wish[i] > least[i]]
        if not shrinkable:
            break
        widest = max(shrinkable, key=lambda i: wish[i] - least[i])
        wish[widest] -= 1
    return Fitted(tuple((i, wish[i]) for i in chosen), gap)
