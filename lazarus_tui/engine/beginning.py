"""An operation as it is when it begins, under which id, and whose consent it began with."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable

from lazarus_tui.engine.errors import Refused
from lazarus_tui.journal import Event, Journal, JournalError
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.operation import Operation, OpState, StepState, StepView
from lazarus_tui.model.plan import Plan

_UNDOING = "op.undoing"  # on a person's request ("by"), or because a step failed ("why")
# Events that tell whose decision an operation goes on by.
DECISIONS = ("op.begun", "op.resumed", _UNDOING)

# An operation's id: 16 hex digits.
ID = re.compile(r"[0-9a-f]{16}")


async def identity(plan: Plan, journal: Journal, make_id: Callable[[], str]) -> str:
    """The operation's id: the one whose names stand in the plan (``params["op"]``), else a new one.

    Raises ``Refused`` when that plan has been started before: its names belong to what it made then.
    """
    chosen = plan.params.get("op")
    if chosen is None:
        return make_id()
    if not isinstance(chosen, str) or not ID.fullmatch(chosen):
        raise Refused("the plan's id is not 16 hex digits", where=plan.title, hint="make the plan again")
    try:
        known = await journal.find(chosen)
    except JournalError as error:
        raise Refused(f"{error.what}; nothing was started", hint=error.hint) from error
    if known:
        raise Refused(f"this plan has been started before, as {chosen[:8]}", hint="make the plan again")
    return chosen


async def check_cluster(plan: Plan, clusters: Callable[[str], Awaitable[Cluster]]) -> None:
    """Raises ``Refused`` unless the plan's context leads to the cluster that the plan was made for."""
    try:
        uid = await (await clusters(plan.context)).cluster_uid()
    except KubeError as error:
        raise Refused(str(error), code="unreachable", where=plan.context, hint=error.hint) from error
    if uid != plan.cluster_uid:
        raise Refused(
            f"context {plan.context} leads to another cluster than the one the plan was made for",
            where=plan.context,
            hint="check the kubeconfig, then make the plan again",
        )


async def kept(keep: Callable[..., Awaitable[None]], go: Callable[[], None]) -> None:
    """Have the journal keep something (``then`` of its methods), and ``go`` on if it does: also when whoever asked has
    gone meanwhile, or it would be begun for the journal and for nobody else."""
    there: list[bool] = []
    try:
        await keep(then=lambda: there.append(True))
    finally:
        if there:
            go()


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
        cluster_uid=plan.cluster_uid,
    )


def consent(decisions: Iterable[Event]) -> str:
    """Whose consent stands for arming the context ("policy shop/nightly"): "" where a person began the operation, or
    has decided about it since. ``decisions`` are its ``DECISIONS``, oldest first."""
    made = [one for one in decisions if one.kind != _UNDOING or "by" in one.body]
    found = made[-1].body.get("confirmed") if made else ""
    return found if isinstance(found, str) else ""
