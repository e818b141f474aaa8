"""What is said of a backup or restore that Velero has not looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lazarus_tui.model.objects import Backup, BackupStatus, Meta, Restore, RestoreStatus
from lazarus_tui.velero.progress import unseen

MADE = "2026-05-02T12:00:00Z"
NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)


def found(kind: str, phase: str, made: str = MADE) -> Backup | Restore:
    meta = Meta(name="daily", creation_timestamp=made)
    if kind == "backup":
        return Backup(metadata=meta, status=BackupStatus(phase=phase))
    return Restore(metadata=meta, status=RestoreStatus(phase=phase))


@pytest.mark.parametrize("kind", ["backup", "restore"])
def test_a_new_one_that_nobody_looks_at_is_told_after_a_minute(kind: str) -> None:
    for phase in ("", "New"):
        assert unseen(found(kind, phase), NOON + timedelta(seconds=59)) == ""
        said = unseen(found(kind, phase), NOON + timedelta(seconds=90))
        assert said == "Velero has not looked at it for 1m30s: is its server running, and in this namespace?"
    assert unseen(found(kind, "InProgress"), NOON + timedelta(hours=1)) == "", "it has looked"
    assert unseen(found(kind, "New", made=""), NOON) == "", "when it was made is not known"
