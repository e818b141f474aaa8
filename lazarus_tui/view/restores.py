"""Restores as rows. Velero runs one restore at a time: those that wait say behind which one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from lazarus_tui.model.objects import Restore
from lazarus_tui.view import status, times
from lazarus_tui.view.backups import faults, names, took
from lazarus_tui.view.sheet import Column, Sheet
from lazarus_tui.view.text import Span, Tone, muted, span

COLUMNS = (
    Column("name", "NAME", 0, 20, 52, key="N", middle=True),
    Column("status", "STATUS", 0, 18, 36, key="S"),
    Column("age", "AGE", 0, 4, 9, right=True, key="A"),
    Column("took", "TOOK", 2, 4, 9, right=True),
    Column("faults", "FAULTS", 1, 4, 12, right=True, key="O"),
    Column("backup", "FROM BACKUP", 1, 20, 48, middle=True),
    Column("namespaces", "NAMESPACES", 3, 8, 32),
)

_WAITING = ("", "New", "Queued", "ReadyToStart")


def target(restore: Restore) -> str:
    """Where it goes: ``shop → shop-test`` for a mapping, else the namespaces themselves."""
    mapping = restore.spec.namespace_mapping
    if mapping:
        return ", ".join(f"{old} → {new}" for old, new in sorted(mapping.items())[:10])
    return names(restore.spec.included_namespaces, restore.spec.excluded_namespaces)


def queue(restores: Iterable[Restore]) -> dict[str, str]:
    """For each restore that waits, the name of the one that runs (or of the oldest that waits before it)."""
    found = list(restores)
    running = [r.metadata.name for r in found if r.status.phase in ("InProgress", "Finalizing")]
    waiting = sorted(
        (r for r in found if r.status.phase in _WAITING), key=lambda r: r.metadata.creation_timestamp or "~"
    )
    ahead = running[:1]
    behind = {}
    for restore in waiting:
        if ahead:
            behind[restore.metadata.name] = ahead[-1]
        ahead = [*ahead, restore.metadata.name]
    return behind


def begun(restore: Restore) -> str:
    return restore.status.start_timestamp or restore.metadata.creation_timestamp or ""


def state(restore: Restore, behind: Mapping[str, str]) -> Span:
    first = behind.get(restore.metadata.name)
    if first is not None:
        return span(f"○ queued behind {first}", Tone.MUTED)
    done = restore.status.progress
    if restore.status.phase == "InProgress" and done is not None and done.total_items:
        return span(f"▶ {100 * done.items_restored // done.total_items}% InProgress", Tone.ACCENT)
    return status.phase(restore.status.phase)


def cells(behind: Mapping[str, str], restore: Restore, now: datetime) -> tuple[Span, ...]:
    found = restore.status
    return (
        span(restore.metadata.name),
        state(restore, behind),
        span(times.age(begun(restore), now)),
        took(found.start_timestamp, found.completion_timestamp, now),
        faults(found.errors, found.warnings),
        span(restore.spec.backup_name or f"newest of {restore.spec.schedule_name}"),
        muted(target(restore)),
    )


def order(restore: Restore, column: str) -> Any:
    values: Mapping[str, Any] = {
        "status": restore.status.phase,
        "age": begun(restore),
        "faults": (restore.status.errors, restore.status.warnings),
        "backup": restore.spec.backup_name,
    }
    return values.get(column, restore.metadata.name)


def sheet(restores: Iterable[Restore]) -> Sheet[Restore]:
    return Sheet(
        columns=COLUMNS,
        cells=partial(cells, queue(restores)),
        order=order,
        text=lambda restore: f"{restore.metadata.name} {restore.status.phase} {restore.spec.backup_name}",
        labels=lambda restore: restore.metadata.labels or {},
        namespaces=lambda restore: restore.spec.included_namespaces or ("*",),
        sort="age",
        descending=True,
        faulty=lambda restore: status.failed(restore.status.phase or "New"),
        nothing="no restores yet: r on a backup plans one",
        what="restores",
    )
