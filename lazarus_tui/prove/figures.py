"""What a restore measured, from the clock points in the facts (requirements.md §5); each figure with its definition.

T0 loss · T4 restore asked for · T5 begun · T6 objects done · T7 last volume done · T8 Velero finished · settled ·
T9 pods scheduled and images pulled · T10 all ready · T12 all checks hold. A test has no loss: its recovery point is
measured to the worst moment, right before the next usable point, where a plan tells it (``prove.reference``). A point
that is missing makes the figures that need it unknown, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.durations import human
from lazarus_tui.model.operation import Figures, Phase

# (name, from, to, definition) in the order they happen; a stage whose end is missing is left out.
_STAGES = (
    ("going", "loss.t0", "loss.gone", "from the loss until nothing of it is left"),
    ("choice", "loss.gone", "restore.t4", "from then until the restore was asked for: the point is chosen"),
    ("queue", "restore.t4", "restore.t5", "until Velero began (T5-T4)"),
    ("again", "restore.t5", "restore.t5r", "until a restore that Velero's own restart had ended began again"),
    ("objects", "restore.t5", "restore.t6", "until all objects were restored (T6-T5)"),
    ("volumes", "restore.t6", "restore.t7", "until the last volume was filled (T7-T6)"),
    ("volumes", "restore.t4", "beside.t7", "until every volume of the set was bound (T7-T4)"),
    ("finish", "restore.t7", "restore.t8", "until Velero called it finished (T8-T7)"),
    ("settle", "restore.t8", "restore.settled", "until two looks at everything agreed"),
    ("look", "restore.settled", "prove.released", "until the result was compared with the plan and may run"),
    ("scheduling", "prove.released", "prove.t9a", "until every pod had its node"),
    ("pull", "prove.t9a", "prove.t9", "until every image was there (T9)"),
    ("start", "prove.t9", "checks.t10", "until all workloads were ready (T10)"),
    ("watch", "checks.t10", "checks.watched", "for which it had to stay ready before it was asked anything"),
    ("checks", "checks.t10", "checks.t12", "until all needed checks held (T12)"),
)


def measure(facts: Mapping[str, Any]) -> Figures:
    """RTA by phase and RPA. The recovery time runs from the loss if there was one, else from T4, to T12.

    Volumes that were left as they were say nothing about the backup: then there is nothing to measure.
    """
    if facts.get("restore.untouched"):
        return Figures()
    points = {key: found for key in _keys() if (found := _time(facts.get(key))) is not None}
    begin = points.get("loss.t0") or points.get("restore.t4")
    end = points.get("checks.t12")
    watermark = _time(facts.get("checks.watermark"))
    reference = "the loss (T0)" if "loss.t0" in points else "the restore's request (T4)"
    lost_at, lost_words = _reference(facts) or (begin, reference)
    records = facts.get("checks.records")
    return Figures(
        rta_seconds=_seconds(begin, end),
        rta_phases=_phases(points, begin) if end else (),
        rta_definition=f"from {reference} until every check held (T12)",
        rpa_seconds=_seconds(watermark, lost_at),
        rpa_definition=f"from the newest restored data to {lost_words}",
        watermark=rfc3339(watermark, milli=True) if watermark else None,
        orders_restored=records if isinstance(records, int) else None,
    )


def _reference(facts: Mapping[str, Any]) -> tuple[datetime, str] | None:
    """The moment to which a test's recovery point is measured, and its words; None: as for any restore."""
    told = facts.get("prove.reference") or {}
    at = _time(told.get("at")) if isinstance(told, Mapping) else None
    return (at, str(told.get("words") or "the reference of the plan")) if at else None


def technical_seconds(facts: Mapping[str, Any]) -> float | None:
    """T12-T4: what the restore itself took, from being asked for until all checks held."""
    return _seconds(_time(facts.get("restore.t4")), _time(facts.get("checks.t12")))


def _phases(points: Mapping[str, datetime], begin: datetime | None) -> tuple[Phase, ...]:
    """Phases that add up: each ends no earlier than the one before, although stamps may be coarse."""
    found: list[Phase] = []
    reached = begin
    for name, _, to, definition in _STAGES:
        end = points.get(to)
        if end is None or reached is None or (name == "going" and "loss.t0" not in points):
            continue
        if to == "restore.t4" and "loss.t0" not in points:
            continue
        end = max(end, reached)
        found.append(Phase(name, round((end - reached).total_seconds(), 3), definition))
        reached = end
    return tuple(found)


def words(found: Figures) -> list[str]:
    """Lines for the operation's log."""
    lines = []
    if found.rta_seconds is not None:
        parts = ", ".join(f"{phase.name} {phase.seconds:.1f} s" for phase in found.rta_phases)
        lines.append(f"recovery time {found.rta_seconds:.1f} s ({parts})")
    else:
        lines.append("recovery time unknown: not everything was restored and held its checks")
    if found.rpa_seconds is not None:
        reference = found.rpa_definition.partition(" to ")[2] or "the restore's request"
        lines.append(f"recovery point {human(found.rpa_seconds)} before {reference}, by the newest data found")
    else:
        lines.append("recovery point unknown: no watermark was read")
    return lines


def _keys() -> set[str]:
    return {key for _, start, end, _ in _STAGES for key in (start, end)}


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return round((end - begin).total_seconds(), 3) if begin and end else None


def _time(text: Any) -> datetime | None:
    try:
        return parse_rfc3339(text) if isinstance(text, str) and text else None
    except ValueError:
        return None
