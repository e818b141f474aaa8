"""Velero through its resources: backups, restores, schedules, deletion, downloads, progress."""

from lazarus_tui.model.steps import OperationType
from lazarus_tui.velero import backup, choose, deletion, restore, schedules

OPERATIONS: tuple[OperationType, ...] = (
    OperationType(backup.KIND, backup.plan, backup.steps),
    OperationType(backup.RUN_KIND, backup.plan_run, backup.steps),
    OperationType(choose.KIND, choose.plan, choose.steps),
    OperationType(restore.KIND, restore.plan, restore.steps, undo="ask"),
    OperationType(schedules.PAUSE_KIND, schedules.plan_pause, schedules.steps, undo="ask"),
    OperationType(schedules.UNPAUSE_KIND, schedules.plan_unpause, schedules.steps, undo="ask"),
    OperationType(deletion.BACKUP_KIND, deletion.plan_backup, deletion.steps_backup),
    OperationType(deletion.RESTORE_KIND, deletion.plan_restore, deletion.steps_restore),
)
