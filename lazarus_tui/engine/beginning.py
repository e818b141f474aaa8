"""An operation as it is when it begins."""

from __future__ import annotations

from lazarus_tui.model.operation import Operation, OpState, StepState, StepView
from lazarus_tui.model.plan import Plan


def begun(op: str, plan: Plan, digest: str, now: str) -> Operation:
    """The first record of operation ``op`` under an approved plan, at ``now`` (RFC 3339)."""
    steps = tuple(StepView(s.name, s.title, StepState.PLANNED, s.mutates) for s in plan.steps)
    estimate = plan.estimate
    return Operation(
        id=op,
        kind=plan.kind,
        context=plan.context,
        target=plan.target,
        title=plan.title,
        state=OpState.RUNNING,
        plan_digest=digest,
        started=now,
        changed=now,
        steps=steps,
        estimate_seconds=(estimate.low + estimate.high) / 2 if estimate else None,
        estimate_basis=estimate.basis if estimate else "no basis",
        undo=plan.undo,
    )
