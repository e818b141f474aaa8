"""Proof: rules, quarantine, checks, the watermark, the figures, the verdict."""

from lazarus_tui.model.steps import OperationType
from lazarus_tui.prove import plan, run
from lazarus_tui.prove.proof import compose

OPERATIONS: tuple[OperationType, ...] = (
    OperationType("prove.checks", run.plan, run.steps, verdict_required=True),
    OperationType(compose.KIND, plan.plan, compose.steps, undo="ask", verdict_required=True),
)
