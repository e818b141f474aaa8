"""Phases of Velero's objects in classes, and progress in two stages: items, then bytes (reference: velero §1, §3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lazarus_tui.model import durations
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.objects import Backup, Restore, VolumeCopy
from lazarus_tui.model.operation import StageProgress

WAITING = frozenset({"", "New", "Queued", "ReadyToStart"})
RUNNING = frozenset(
    {
        "InProgress", "WaitingForPluginOperations", "WaitingForPluginOperationsPartiallyFailed",
        "Finalizing", "FinalizingPartiallyFailed",
    }
)  # fmt: skip
TERMINAL = frozenset({"FailedValidation", "Completed", "PartiallyFailed", "Failed"})
COPY_TERMINAL = frozenset({"Completed", "Failed", "Canceled"})
# Seconds in phase New after which the server is probably not there (reference: velero §8.3).
UNSEEN_SECONDS = 60.0


def unseen(found: Backup | Restore, now: datetime) -> str:
    """That Velero has not looked at it for long, in words; "" while it has, or may yet."""
    made = found.metadata.creation_timestamp
    if found.status.phase not in ("", "New") or not made:
        return ""
    age = now - parse_rfc3339(made)
    if age.total_seconds() < UNSEEN_SECONDS:
        return ""
    return f"Velero has not looked at it for {durations.human(age)}: is its server running, and in this namespace?"


def backup_stages(backup: Backup, copies: Iterable[VolumeCopy] = ()) -> tuple[StageProgress, ...]:
    progress, done = backup.status.progress, backup.status.phase in TERMINAL
    items = progress.items_backed_up if progress else 0
    return _stages(items, progress.total_items if progress else 0, done, copies)


def restore_stages(restore: Restore, copies: Iterable[VolumeCopy] = ()) -> tuple[StageProgress, ...]:
    progress, done = restore.status.progress, restore.status.phase in TERMINAL
    items = progress.items_restored if progress else 0
    return _stages(items, progress.total_items if progress else 0, done, copies)


def _stages(items: int, total: int, done: bool, copies: Iterable[VolumeCopy]) -> tuple[StageProgress, ...]:
    """Totals are estimates that grow, so a bar never says "all" before the phase has moved on."""
    stages = [StageProgress("items", min(items, total) if total else items, _open(items, total, done), "items")]
    moved, size, found = 0, 0, 0
    for copy in copies:
        found += 1
        progress = copy.status.progress
        moved += progress.bytes_done if progress else 0
        size += max(progress.total_bytes, progress.bytes_done) if progress else 0
    if found:
        stages.append(StageProgress("volumes", moved, _open(moved, size, done) if size else 0, "bytes"))
    return tuple(stages)


def _open(count: int, total: int, done: bool) -> int:
    return total + 1 if total and count >= total and not done else total


def unfinished(copies: Iterable[VolumeCopy]) -> list[VolumeCopy]:
    return [copy for copy in copies if copy.status.phase not in COPY_TERMINAL]


def describe_copies(copies: Iterable[VolumeCopy]) -> str:
    """Who is waited for, e.g. ``orders-0/data Accepted, web-0/files New``; at most three."""
    names = []
    for copy in copies:
        owner = copy.spec.pod.name if copy.spec.pod else copy.spec.source_pvc
        what = f"{owner}/{copy.spec.volume}" if copy.spec.volume else owner or copy.metadata.name
        names.append(f"{what} {copy.status.phase or 'New'}")
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
