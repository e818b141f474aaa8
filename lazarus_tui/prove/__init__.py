"""Proof: rules, quarantine, checks, the watermark, the figures, the verdict."""

from lazarus_tui.model.steps import OperationType
from lazarus_tui.prove import plan, run, taking
from lazarus_tui.prove.proof import compose
from lazarus_tui.prove.quarantine import removal

OPERATIONS: tuple[OperationType, ...] = (
    OperationType("prove.checks", run.plan, run.steps, verdict_required=True),
    OperationType(taking.KIND, taking.plan, taking.steps),
    OperationType(compose.KIND, plan.plan, compose.steps, undo="ask", verdict_required=True),
    OperationType(removal.KIND, removal.plan, removal.steps),
)
