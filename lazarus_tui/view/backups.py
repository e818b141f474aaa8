"""Backups as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lazarus_tui.model.objects import Backup
from lazarus_tui.view import status, times
from lazarus_tui.view.sheet import Column, Sheet
from lazarus_tui.view.text import Span, Tone, muted, span

SCHEDULE_LABEL = "velero.io/schedule-name"

COLUMNS = (
    Column("name", "NAME", 0, 26, 52, key="N", middle=True),
    Column("status", "STATUS", 0, 17, 24, key="S"),
    Column("age", "AGE", 0, 4, 9, right=True, key="A"),
    Column("volumes", "VOLUMES", 2, 4, 10, right=True),
    Column("faults", "FAULTS", 1, 4, 12, right=True, key="O"),
    Column("took", "TOOK", 6, 4, 9, right=True),
    Column("namespaces", "NAMESPACES", 3, 10, 32),
    Column("location", "STORAGE", 4, 6, 24),
    Column("expires", "EXPIRES", 5, 6, 12, right=True),
    Column("schedule", "SCHEDULE", 7, 6, 40),
)


def started(backup: Backup) -> str:
    """The one time of a backup: its start. The object's own age lies on a cluster that synced it from storage."""
    return backup.status.start_timestamp or ""


def took(start: str | None, end: str | None, now: datetime) -> Span:
    begun = times.moment(start)
    if begun is None:
        return muted("-")
    finished = times.moment(end)
    if finished is None:
        return span(f"{times.duration((now - begun).total_seconds())}…", Tone.ACCENT)
    return span(times.duration((finished - begun).total_seconds()))


def names(wanted: Sequence[str] | None, excluded: Sequence[str] | None = None) -> str:
    """Namespaces in words: all, a list, all but a list."""
    shown = "all" if not wanted or list(wanted) == ["*"] else ", ".join(wanted[:20])
    return f"{shown} but {', '.join(excluded[:10])}" if excluded else shown


def volumes(backup: Backup) -> Span:
    """Volumes whose data was captured, of those attempted, by native and CSI snapshots."""
    found = backup.status
    attempted = found.volume_snapshots_attempted + found.csi_volume_snapshots_attempted
    done = found.volume_snapshots_completed + found.csi_volume_snapshots_completed
    if not attempted:
        return muted("-")
    return span(f"{done}/{attempted}", Tone.PLAIN if done == attempted else Tone.WARN)


def faults(errors: int, warnings: int) -> Span:
    if not errors and not warnings:
        return muted("-")
    words = [f"{errors} err"] * bool(errors) + [f"{warnings} warn"] * bool(warnings)
    return span(" ".join(words), Tone.BAD if errors else Tone.WARN)


def expires(text: str | None, now: datetime) -> Span:
    left = times.seconds_since(text, now)
    if left is None:
        return muted("-")
    return span("expired", Tone.WARN) if left >= 0 else muted(f"in {times.duration(-left)}")


def progress(backup: Backup) -> Span | None:
    """``40%`` while a backup is being made and its total is known."""
    found = backup.status.progress
    if backup.status.phase != "InProgress" or found is None or not found.total_items:
        return None
    return span(f"▶ {100 * found.items_backed_up // found.total_items}% {backup.status.phase}", Tone.ACCENT)


def cells(backup: Backup, now: datetime) -> tuple[Span, ...]:
    found, spec = backup.status, backup.spec
    return (
        span(backup.metadata.name),
        progress(backup) or status.phase(found.phase),
        span(times.age(started(backup), now)),
        volumes(backup),
        faults(found.errors, found.warnings),
        took(found.start_timestamp, found.completion_timestamp, now),
        span(names(spec.included_namespaces, spec.excluded_namespaces)),
        span(spec.storage_location or "default", Tone.MUTED),
        expires(found.expiration, now),
        muted(backup.metadata.label(SCHEDULE_LABEL) or "-"),
    )


def order(backup: Backup, column: str) -> Any:
    found = backup.status
    values: Mapping[str, Any] = {
        "name": backup.metadata.name,
        "status": found.phase,
        "age": started(backup) or "~",
        "faults": (found.errors, found.warnings),
        "expires": found.expiration or "~",
    }
    return values.get(column, backup.metadata.name)


def text(backup: Backup) -> str:
    return " ".join((backup.metadata.name, backup.status.phase or "New", *(backup.spec.included_namespaces or ())))


SHEET: Sheet[Backup] = Sheet(
    columns=COLUMNS,
    cells=cells,
    order=order,
    text=text,
    labels=lambda backup: backup.metadata.labels or {},
    namespaces=lambda backup: backup.spec.included_namespaces or ("*",),
    sort="age",
    descending=True,
    faulty=lambda backup: status.failed(backup.status.phase or "New"),
    nothing="no backups yet: n makes one, :schedules shows what runs by itself",
    what="backups",
)
