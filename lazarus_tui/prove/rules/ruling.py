"""What the rules make of a point: plain data for the plan, and the same decisions for one object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lazarus_tui.model.plan import Effect


class Line(msgspec.Struct, frozen=True):
    """One decision about one object. ``verb``: skip, left, change, strip, suspend, empty, block or keep."""

    rule: str
    verb: str
    resource: str
    name: str
    words: str

    def effect(self) -> Effect:
        return Effect(self.verb, f"{self.resource}/{self.name}", f"{self.rule}: {self.words}")


@dataclass(frozen=True, slots=True)
class Ruling:
    """All that the rules say about a point (the keys are those of the plan's params).

    ``modifiers``: rules of Velero's resource modifiers, one kind of patch each, about the ORIGINAL namespace.
    ``apply``: an object of the point's namespace (which it names) as it may be created, None when it may not.
    """

    lines: tuple[Line, ...]
    created: Mapping[str, tuple[str, ...]]  # names by plural.group
    excluded: tuple[str, ...]
    without_cluster: bool  # whether Velero has to leave out all that is of the cluster (includeClusterResources)
    modifiers: tuple[Mapping[str, Any], ...]
    expected: tuple[Mapping[str, Any], ...]
    forbidden: tuple[Mapping[str, str], ...]
    inventory: tuple[str, ...]
    held: tuple[Mapping[str, Any], ...]
    not_green: tuple[str, ...]
    blocked: tuple[str, ...]
    warnings: tuple[str, ...]
    apply: Callable[[Mapping[str, Any]], dict[str, Any] | None] = field(repr=False, compare=False)
