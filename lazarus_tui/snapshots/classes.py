"""Which snapshot class a snapshot will use, decided where the plan can show it (reference: data §1.3).

A default class is a default per driver, not per cluster: two drivers have two defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.snapshots import DEFAULT_CLASS, SnapshotClass


@dataclass(frozen=True, slots=True)
class ClassChoice:
    """``notice`` says what a person should know about the choice; "" when it is the plain one."""

    name: str
    deletion_policy: str
    notice: str = ""


def choose_class(
    driver: str,
    classes: Iterable[SnapshotClass],
    *,
    wanted: Mapping[str, str] | None = None,
    default: str = DEFAULT_CLASS,
) -> ClassChoice:
    """The class for volumes of ``driver``; ``wanted`` names one by driver, or for every driver under "".

    Raises ``PlanRefused`` when the named class is not there or of another driver, and when nothing decides.
    """
    every = {found.metadata.name: found for found in classes}
    asked = (wanted or {}).get(driver) or (wanted or {}).get("", "")
    if asked:
        return _named(asked, driver, every)
    fitting = [found for found in every.values() if found.driver == driver]
    marked = [found for found in fitting if (found.metadata.annotations or {}).get(default) == "true"]
    if len(marked) == 1:
        return ClassChoice(marked[0].metadata.name, marked[0].deletion_policy)
    names = ", ".join(sorted(found.metadata.name for found in marked or fitting))
    if marked:
        raise PlanRefused(
            f"driver {driver} has {len(marked)} default snapshot classes: {names}", hint="name one with --class"
        )
    if len(fitting) == 1:
        only = fitting[0]
        notice = f"class {only.metadata.name} is the only one of driver {driver}; none is marked as its default"
        return ClassChoice(only.metadata.name, only.deletion_policy, notice)
    if fitting:
        raise PlanRefused(f"driver {driver} has no default snapshot class", hint=f"name one with --class: {names}")
    others = ", ".join(sorted({found.driver for found in every.values()})) or "none at all"
    raise PlanRefused(f"there is no snapshot class for driver {driver}", hint=f"classes exist for: {others}")


def _named(asked: str, driver: str, every: Mapping[str, SnapshotClass]) -> ClassChoice:
    found = every.get(asked)
    if found is None:
        raise PlanRefused(f"there is no snapshot class {asked}", hint=f"known: {', '.join(sorted(every)) or 'none'}")
    if found.driver != driver:
        raise PlanRefused(
            f"snapshot class {asked} is of driver {found.driver}, the volumes are of {driver}",
            hint="name a class of that driver, or none",
        )
    return ClassChoice(asked, found.deletion_policy)
