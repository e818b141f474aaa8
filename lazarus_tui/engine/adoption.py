"""Operations found by their capsules: begun by another Lazarus, whose journal is not here (design.md §5).

A capsule is a ConfigMap beside the workload that holds the whole plan. Found without its journal it is shown as parked,
with its two actions: resume, or undo. What was done is not known, so every step is looked at again, and an undo takes
every step back.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from lazarus_tui.engine.beginning import ID
from lazarus_tui.journal import JournalError
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import Clock, parse_rfc3339
from lazarus_tui.model.freezes import HELD
from lazarus_tui.model.operation import Operation, OpState, StepState, StepView
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import Step
from lazarus_tui.snapshots.hooks.spec import hooks_of
from lazarus_tui.snapshots.names import CAPSULE, CLOSED, FROZEN_UNTIL

log = logging.getLogger(__name__)

# Seconds between two looks for capsules: a workload that another Lazarus has at zero is not silent here for longer.
LOOK_AGAIN = 30.0
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
# What the plan knows and a screen wants: without the journal no step has told it.
KNOWN = ("set", "replicas")


@dataclass(frozen=True, slots=True)
class Capsule:
    """``plan`` as it was approved; ``closed`` when (RFC 3339) its operation ended, "" while it may be half done.

    ``made``: since when it is there. ``frozen_until``: of a freeze, when whoever holds it must have ended it if alive.
    """

    operation: str
    namespace: str
    name: str
    plan: Plan
    closed: str = ""
    made: str = ""
    frozen_until: str = ""

    @property
    def held(self) -> dict[str, Any]:
        """What may be frozen, as ``model.freezes`` has it, but not what was really run there."""
        hooks = hooks_of(self.plan.params) if self.frozen_until else None
        return (
            {pod: {"container": one.container, "since": self.made} for pod, one in hooks.pods.items()} if hooks else {}
        )

    def early(self, now: datetime) -> bool:
        """Whether another Lazarus is likely to be at a freeze still, and no word about it is needed."""
        return bool(self.frozen_until) and parse_rfc3339(self.frozen_until) > now


class BadCapsule(ValueError):
    """A ConfigMap that calls itself a capsule and is none."""


def opened(found: dict[str, Any]) -> Capsule:
    """A capsule from its ConfigMap; raises ``BadCapsule`` when the plan in it is not the one its digest names."""
    meta, data = found["metadata"], found.get("data") or {}
    where = f"{meta.get('namespace')}/{meta.get('name')}"
    try:
        plan = msgspec.json.decode(data.get("plan", ""), type=Plan)
    except msgspec.MsgspecError as error:
        raise BadCapsule(f"capsule {where} holds no plan: {error}") from error
    if plan.digest() != data.get("digest"):
        raise BadCapsule(f"capsule {where} was changed: its plan is not the one that was approved")
    if not ID.fullmatch(str(data.get("operation"))):  # it stands in commands that a person copies, and in file names
        raise BadCapsule(f"capsule {where} names no operation")
    marks, made = meta.get("annotations") or {}, str(meta.get("creationTimestamp") or "")
    closed, until = str(marks.get(CLOSED) or ""), str(marks.get(FROZEN_UNTIL) or "")
    _beside(plan, str(meta.get("namespace")), where)
    try:
        hooks = hooks_of(plan.params)
        for mark in filter(None, (closed, until)):
            parse_rfc3339(mark)
    except (ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise BadCapsule(f"capsule {where} cannot be read: {error}") from error
    if hooks is not None and not all(map(_NAME.fullmatch, hooks.pods)):
        raise BadCapsule(f"capsule {where} names pods that cannot exist")
    return Capsule(str(data["operation"]), str(meta["namespace"]), str(meta["name"]), plan, closed, made, until)


def _beside(plan: Plan, namespace: str, where: str) -> None:
    """Whoever may write ConfigMaps in one namespace has nothing to say about another, and names stand in commands that
    a person copies."""
    space, _, name = plan.target.partition("/")
    if space != namespace or plan.params.get("namespace") != namespace or not _NAME.fullmatch(name):
        raise BadCapsule(f"capsule {where} is not of a workload beside it")


async def capsules(cluster: Cluster) -> list[Capsule]:
    """Every capsule of this cluster that can be read; what cannot is logged. Raises ``KubeError``."""
    return await _read(cluster, await _listed(cluster))


async def _listed(cluster: Cluster) -> list[dict[str, Any]]:
    return await cluster.list(CONFIGMAPS, type=dict, label_selector=f"{CAPSULE}=true")


async def _read(cluster: Cluster, listed: Sequence[dict[str, Any]]) -> list[Capsule]:
    uid, found = await cluster.cluster_uid(), []
    for one in listed:
        try:
            capsule = opened(one)
        except BadCapsule as error:
            log.warning("%s", error)
            continue
        if capsule.plan.cluster_uid == uid:
            found.append(capsule)
        else:
            log.warning("capsule %s/%s is of another cluster", capsule.namespace, capsule.name)
    return found


def adopted(capsule: Capsule, context: str, steps: Sequence[Step], now: str) -> tuple[Operation, Plan, Any]:
    """The operation as this engine takes it over, its plan for ``context``, and the body of the journal's event.

    The plan keeps everything but the name of the context, which is a matter of one person's kubeconfig.
    """
    plan = msgspec.structs.replace(capsule.plan, context=context)
    where = f"{capsule.namespace}/{capsule.name}"
    state = OpState.DONE if capsule.closed else OpState.PARKED
    done = StepState.DONE if capsule.closed else StepState.PLANNED
    operation = Operation(
        id=capsule.operation,
        kind=plan.kind,
        context=context,
        target=plan.target,
        title=plan.title,
        state=state,
        plan_digest=plan.digest(),
        started=capsule.made or plan.made,  # a plan may have waited for its approval
        ended=capsule.closed,
        changed=now,
        steps=tuple(StepView(s.name, s.title, done, s.mutates) for s in plan.steps),
        message="" if capsule.closed else f"found by its capsule {where}: begun by another Lazarus, and not finished",
        hint="" if capsule.closed else "resume looks at every step and goes on; undo brings back what was there before",
        can_undo=True,
        facts={key: plan.params[key] for key in KNOWN if key in plan.params},
        undo=plan.undo,
        exit_code=0 if capsule.closed else 3,
        foreign="" if capsule.closed else f"begun by another Lazarus, known by its capsule {where}",
    )
    if held := capsule.held:
        operation = _frozen(operation, held, capsule)
    mutating = [step.name for step in steps if step.mutates]
    return operation, plan, {"capsule": where, "steps": mutating, "digest": capsule.plan.digest()}


def _frozen(operation: Operation, held: Mapping[str, Any], capsule: Capsule) -> Operation:
    pods = ", ".join(sorted(held))
    by_hand = f"kubectl -n {capsule.namespace} get configmap {capsule.name} -o jsonpath='{{.data.thaw}}'"
    return msgspec.structs.replace(
        operation,
        facts={**operation.facts, HELD: dict(held)},
        message=f"{operation.message}; {pods} may be frozen since {capsule.made}",
        hint=f"undo thaws it, resume thaws it and ends the set; the commands to do it by hand: {by_hand}",
    )


class Keeper(Protocol):
    """The runner, as far as capsules concern it."""

    async def adopt(self, capsule: Capsule, context: str) -> Operation | None: ...

    async def ended_elsewhere(self, context: str, capsules: Mapping[str, str]) -> None: ...


async def keep_looking(cluster: Cluster, context: str, keeper: Keeper, clock: Clock) -> None:
    """Until cancelled: what another Lazarus begins or ends while this one is connected is seen here too."""
    while True:
        try:
            await look(cluster, context, keeper)
        except JournalError as error:
            log.warning("capsules of %s: %s", context, error.what)
        await clock.sleep(LOOK_AGAIN)


async def look(cluster: Cluster, context: str, keeper: Keeper) -> None:
    """Look for capsules once and hand each to the runner; a cluster that does not let it see them is left alone."""
    try:
        listed = await _listed(cluster)
        found = await _read(cluster, listed)
    except KubeError as error:
        log.info("capsules of %s cannot be listed: %s", context, error)
        return
    now = cluster.clock.now()
    for capsule in [one for one in found if not one.early(now)]:
        await keeper.adopt(capsule, context)
    # One that cannot be read is there all the same: nothing is concluded from it.
    there = {str((one.get("data") or {}).get("operation") or ""): "" for one in listed}
    await keeper.ended_elsewhere(context, there | {each.operation: each.closed for each in found})
