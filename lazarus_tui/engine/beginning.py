"""An operation as it is when it begins, and whose consent it began with."""

from __future__ import annotations

from collections.abc import Iterable

from lazarus_tui.journal import Event
from lazarus_tui.model.operation import Operation, OpState, StepState, StepView
from lazarus_tui.model.plan import Plan

_UNDOING = "op.undoing"  # on a person's request ("by"), or because a step failed ("why")
# Events that tell whose decision an operation goes on by.
DECISIONS = ("op.begun", "op.resumed", _UNDOING)


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


def consent(decisions: Iterable[Event]) -> str:
    """Whose consent stands for arming the context ("policy shop/nightly"): "" where a person began the operation, or
    has decided about it since. ``decisions`` are its ``DECISIONS``, oldest first."""
    made = [one for one in decisions if one.kind != _UNDOING or "by" in one.body]
    found = made[-1].body.get("confirmed") if made else ""
    return found if isinstance(found, str) else ""
