"""Schedules as rows: the cron line in words, the last and next run, and whether one is overdue."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lazarus_tui.model import cron
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.objects import Schedule
from lazarus_tui.view import status, times
from lazarus_tui.view.backups import names
from lazarus_tui.view.sheet import Column, Sheet
from lazarus_tui.view.text import Span, Tone, muted, span

COLUMNS = (
    Column("name", "NAME", 0, 16, 40, key="N", middle=True),
    Column("status", "STATUS", 0, 10, 18, key="S"),
    Column("runs", "RUNS", 0, 20, 44),
    Column("last", "LAST", 0, 5, 10, right=True, key="A"),
    Column("next", "NEXT", 0, 5, 16, right=True, key="O"),
    Column("namespaces", "NAMESPACES", 1, 10, 30),
    Column("location", "STORAGE", 2, 6, 20),
    Column("ttl", "KEEPS", 3, 4, 12, right=True),
    Column("line", "CRON", 4, 6, 24),
)

# Velero looks at schedules once a minute and a backup needs a moment to start: later than this is overdue.
GRACE_SECONDS = 300.0


def rule(schedule: Schedule) -> cron.Cron | None:
    try:
        return cron.parse(schedule.spec.schedule)
    except ValueError:
        return None


def words(schedule: Schedule) -> str:
    found = rule(schedule)
    return schedule.spec.schedule if found is None else found.describe()


def next_run(schedule: Schedule, now: datetime) -> datetime | None:
    """The next firing of the cron line, whatever Velero makes of it; None for a paused or broken one."""
    found = rule(schedule)
    if found is None or schedule.spec.paused or schedule.status.phase == "FailedValidation":
        return None
    if found.every is not None:
        last = times.moment(schedule.status.last_backup) or times.moment(schedule.metadata.creation_timestamp)
        return None if last is None else last + found.every
    return found.next(now)


def overdue(schedule: Schedule, now: datetime) -> float:
    """Seconds by which the run before now is late (past the grace), else 0."""
    found = rule(schedule)
    if found is None or schedule.spec.paused or schedule.status.phase != "Enabled":
        return 0.0
    made = times.moment(schedule.metadata.creation_timestamp)
    seen = times.moment(schedule.status.last_backup) or made
    skipped = times.moment(schedule.status.last_skipped)
    marks = [mark for mark in (seen, skipped) if mark is not None]
    if not marks:
        return 0.0
    due = found.next(max(marks))
    late = 0.0 if due is None else (now - due).total_seconds()
    return late if late > GRACE_SECONDS else 0.0


def state(schedule: Schedule) -> Span:
    if schedule.status.phase == "FailedValidation":
        return status.phase(schedule.status.phase)
    return span("‖ PAUSED", Tone.WARN) if schedule.spec.paused else status.phase(schedule.status.phase)


def next_cell(schedule: Schedule, now: datetime) -> Span:
    late = overdue(schedule, now)
    if late:
        return span(f"▲ late {times.coarsely(late)}", Tone.WARN)
    if schedule.spec.paused:
        return muted("paused")
    due = next_run(schedule, now)
    return muted("never") if due is None else span(times.coarse(rfc3339(due), now))


def cells(schedule: Schedule, now: datetime) -> tuple[Span, ...]:
    spec = schedule.spec
    return (
        span(schedule.metadata.name),
        state(schedule),
        span(words(schedule)),
        span(times.coarse(schedule.status.last_backup, now, "never")),
        next_cell(schedule, now),
        span(names(spec.template.included_namespaces, spec.template.excluded_namespaces)),
        muted(spec.template.storage_location or "default"),
        muted(times.go_duration(spec.template.ttl) or "30d"),
        muted(spec.schedule),
    )


def order(schedule: Schedule, column: str) -> Any:
    values: Mapping[str, Any] = {
        "status": (not schedule.spec.paused, schedule.status.phase),
        "last": schedule.status.last_backup or "",
    }
    return values.get(column, schedule.metadata.name)


SHEET: Sheet[Schedule] = Sheet(
    columns=COLUMNS,
    cells=cells,
    order=order,
    text=lambda schedule: f"{schedule.metadata.name} {schedule.status.phase} {schedule.spec.schedule}",
    labels=lambda schedule: schedule.metadata.labels or {},
    namespaces=lambda schedule: schedule.spec.template.included_namespaces or ("*",),
    sort="name",
    faulty=lambda schedule: schedule.spec.paused or status.failed(schedule.status.phase or "New"),
    nothing="no schedules: nothing is backed up by itself",
    what="schedules",
)
