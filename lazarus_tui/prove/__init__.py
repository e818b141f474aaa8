"""Proof: checks, the watermark, the figures, the verdict."""

from lazarus_tui.model.steps import OperationType
from lazarus_tui.prove import run

OPERATIONS: tuple[OperationType, ...] = (OperationType("prove.checks", run.plan, run.steps, verdict_required=True),)
