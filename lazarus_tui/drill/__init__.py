"""Drills: the whole road walked on purpose, with timers, counts and evidence."""

from lazarus_tui.drill import rehearse
from lazarus_tui.model.steps import OperationType

OPERATIONS: tuple[OperationType, ...] = (
    OperationType(rehearse.KIND, rehearse.plan, rehearse.steps, verdict_required=True),
)
