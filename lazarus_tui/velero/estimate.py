"""How long it may take: the median of finished runs of the same kind, with its basis, or no estimate at all."""

from __future__ import annotations

from collections.abc import Iterable

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.estimates import from_runs
from lazarus_tui.model.objects import Backup, Restore
from lazarus_tui.model.plan import Estimate
from lazarus_tui.velero import names


def seconds(start: str | None, end: str | None) -> float | None:
    """Seconds between two of the server's stamps; None when one is missing, broken or they run backwards."""
    if not start or not end:
        return None
    try:
        length = (parse_rfc3339(end) - parse_rfc3339(start)).total_seconds()
    except ValueError:
        return None
    return length if length >= 0 else None


def for_backup(backups: Iterable[Backup], *, schedule: str = "", base: str = "") -> Estimate | None:
    """From finished backups of the same schedule, or else of the same base name."""
    runs = []
    for backup in backups:
        meta, status = backup.metadata, backup.status
        same = meta.label(names.SCHEDULE_LABEL) == schedule if schedule else names.base(meta.name) == base
        if same and status.phase == "Completed":
            length = seconds(status.start_timestamp, status.completion_timestamp)
            if length is not None:
                runs.append((status.start_timestamp or "", length))
    return from_runs([length for _, length in sorted(runs, reverse=True)], schedule or base)


def for_restore(restores: Iterable[Restore], backup: str) -> Estimate | None:
    """From finished restores of backups of the same series."""
    base = names.base(backup)
    runs = []
    for restore in restores:
        status = restore.status
        if status.phase == "Completed" and names.base(restore.spec.backup_name) == base:
            length = seconds(restore.metadata.creation_timestamp, status.completion_timestamp)
            if length is not None:
                runs.append((status.start_timestamp or "", length))
    return from_runs([length for _, length in sorted(runs, reverse=True)], f"restores from {base}")
