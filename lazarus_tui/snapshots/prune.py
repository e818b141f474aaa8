"""Pruning: sets that no rule keeps are removed whole, each with a reason; the plan is the dry run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.durations import DurationError, parse
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.planning import ProofReader
from lazarus_tui.model.quantities import size
from lazarus_tui.model.resources import CONFIGMAPS, STATEFULSETS
from lazarus_tui.model.retention import Decision, Outcome, Point, Policy, Situation, decide
from lazarus_tui.model.sets import HOLD, SAFETY_ROLE, SnapshotSet
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS, Content, Snapshot
from lazarus_tui.model.stepping import BaseStep, carry_out, planned
from lazarus_tui.model.steps import Catalog, Observation, Reader, Seen, Step, StepContext, Write
from lazarus_tui.model.steps import Outcome as Ended
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.snapshots.members import keeping
from lazarus_tui.snapshots.names import CAPSULE, CLOSED, OP, annotation
from lazarus_tui.snapshots.reading import sets_of

KIND = "snapshots.prune"
MOST_TOLD = 200  # sets whose reasons are told when nothing goes
_COUNTS = ("keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly")


def policy_of(params: Params) -> Policy:
    """A policy from the numbers a person gave; raises ``PlanRefused``."""
    given: dict[str, Any] = {}
    for name in _COUNTS:
        if params.get(name) is not None:
            given[name] = int(params[name])
            if given[name] < 0:
                raise PlanRefused(f"{name.replace('_', '-')} cannot be {given[name]}", where=name)
    if params.get("keep_within"):
        try:
            given["keep_within"] = parse(str(params["keep_within"]))
        except DurationError as error:
            raise PlanRefused(str(error), where="keep-within", hint="write for example 48h") from error
    given |= {name: int(params[name]) for name in ("min_good", "most") if params.get(name)}
    policy = Policy(**given, timezone=str(params.get("timezone") or "UTC"))
    if policy.empty:
        raise PlanRefused(
            "nothing says what to keep", hint="for example --keep-last 7, or --keep-daily 7 --keep-weekly 4"
        )
    return policy


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """``params``: namespace, statefulset, the numbers of ``Policy``, all (more removals than usual in one run),
    schedule (only the sets of this policy count and go)."""
    namespace, name = str(params.get("namespace") or ""), str(params.get("statefulset") or "")
    if not namespace or not name:
        raise PlanRefused("which StatefulSet?", where="statefulset", hint="name it as NAMESPACE/NAME")
    policy = policy_of(params)
    found = await sets_of(reader, namespace, f"StatefulSet/{name}")
    if only := str(params.get("schedule") or ""):
        found = [one for one in found if one.schedule == only]
    blocked = await _blocked(reader, namespace, name)
    ends = await _ends(reader, namespace)
    said = _said(reader, namespace, f"StatefulSet/{name}", found)
    points = [_point(one, ends, said.get(one.id, Verdict.NOT_TESTED)) for one in found]
    outcome = decide(points, policy, Situation(now=clock.now(), blocked=blocked), confirmed=bool(params.get("all")))
    going = {point.id: _members(one) for point in outcome.removed for one in found if one.id == point.id}
    if not going:
        why = "; ".join(outcome.blocked) or ("every set is kept by a rule" if found else "there are no sets of it")
        hint = "lazarus snapshot list shows the sets"
        raise PlanRefused(f"nothing to remove: {why}", hint=hint, code="nothing", details=_stay(outcome))
    frozen: dict[str, Any] = {"namespace": namespace, "sets": going, "lease_namespace": namespace}
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=f"{namespace}/{name}",
        title=f"Remove {len(going)} snapshot sets of {namespace}/{name}",
        danger=Danger.DESTROYS,
        params=frozen,
        steps=planned(_steps(frozen)),
        effects=tuple(_effect(decision) for decision in outcome.decisions),
        losses=tuple(f"set {point.id}, {_when(point)}" for point in outcome.removed),
        warnings=tuple(_warnings(outcome)),
        undo="",
        made=rfc3339(clock.now()),
    )


async def _blocked(reader: Reader, namespace: str, name: str) -> tuple[str, ...]:
    found = await reader.get(STATEFULSETS, name, namespace, type=dict)
    holder = annotation(found, OP)
    return (f"operation {holder} works on it",) if holder else ()


async def _ends(reader: Reader, namespace: str) -> dict[str, str]:
    """When operations with a capsule ended (RFC 3339, "" for not yet), by eight characters of their id."""
    found = await reader.list(CONFIGMAPS, namespace, type=dict, label_selector=f"{CAPSULE}=true")
    return {str((one.get("data") or {}).get("operation", ""))[:8]: annotation(one, CLOSED) for one in found}


def _said(reader: Reader, namespace: str, workload: str, found: Iterable[SnapshotSet]) -> dict[str, Verdict]:
    """What the newest proofs of exactly these sets say, as far as they are known here."""
    if not isinstance(reader, ProofReader):
        return {}
    begun = {one.id: rfc3339(one.taken) for one in found if one.taken is not None}
    return {name: verdict for name, (verdict, _) in reader.proofs(namespace, workload, "snapshots", begun).items()}


def _point(found: SnapshotSet, ends: Mapping[str, str], verdict: Verdict) -> Point:
    """A safety set belongs to the operation it is named after; without a capsule that one was undone or released."""
    closed = found.taken
    op = found.id.removeprefix("before-")
    if op in ends:
        closed = parse_rfc3339(ends[op]) if ends[op] else None
    return Point(
        id=found.id, taken=found.taken, sound=found.usable, verdict=verdict, hold=found.hold,
        safety=found.role == SAFETY_ROLE, closed=closed, size=found.size,
    )  # fmt: skip


def _members(found: SnapshotSet) -> dict[str, dict[str, str]]:
    """What the set is made of on the cluster: snapshot names with their uid and their content."""
    return {
        one.snapshot.metadata.name: {
            "uid": one.snapshot.metadata.uid,
            "content": one.content.metadata.name if one.content else "",
        }
        for one in found.members.values()
    }


def _effect(decision: Decision) -> Effect:
    verb = "skip" if decision.keep else "delete"
    return Effect(verb, f"set {decision.point.id}", f"{_when(decision.point)}; {'; '.join(decision.reasons)}")


def _when(point: Point) -> str:
    return f"taken {rfc3339(point.taken)}" if point.taken else "not taken yet"


def _stay(outcome: Outcome) -> list[str]:
    """Why each set stays, newest first; the first of very many."""
    told = [f"set {one.point.id}: {_when(one.point)}; {'; '.join(one.reasons)}" for one in outcome.decisions]
    return told[:MOST_TOLD] + ([f"and {len(told) - MOST_TOLD} more"] if len(told) > MOST_TOLD else [])


def _warnings(outcome: Outcome) -> list[str]:
    freed = f"about {size(outcome.freed)} at most are freed; snapshots may share their blocks"
    return [freed] if not outcome.unknown_sizes else []


def _steps(params: Mapping[str, Any]) -> list[Step]:
    return [Remove(str(params["namespace"]), name, members) for name, members in sorted(params["sets"].items())]


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    return _steps(plan.params)


class Remove(BaseStep):
    """One set: its contents are let go, its snapshots deleted by uid, and both are seen to be gone."""

    mutates = True
    poll, limit = 2.0, 600.0

    def __init__(self, namespace: str, set_name: str, members: Mapping[str, Mapping[str, str]]) -> None:
        self.namespace, self.members = namespace, dict(members)
        self.name, self.title = f"remove-{set_name}", f"Remove set {set_name}"

    async def _left(self, context: StepContext) -> list[tuple[Snapshot | None, Content | None]]:
        found = []
        for name, told in self.members.items():
            snapshot = await context.reader.get(SNAPSHOTS, name, self.namespace, type=Snapshot)
            if snapshot is not None and snapshot.metadata.uid != told["uid"]:
                snapshot = None
            content = await context.reader.get(CONTENTS, told["content"], type=Content) if told["content"] else None
            if content is not None and content.spec.volume_snapshot_ref.uid != told["uid"]:
                content = None
            if snapshot is not None or content is not None:
                found.append((snapshot, content))
        return found

    async def observe(self, context: StepContext) -> Observation:
        left = await self._left(context)
        if not left:
            return Observation(Seen.DONE, how_many(len(self.members), "snapshot"))
        kept = [one for one, _ in left if one is not None and HOLD in (one.metadata.annotations or {})]
        if kept and not any(one.metadata.deletion_timestamp for one, _ in left if one is not None):
            return Observation(Seen.DIVERGED, "it was put on legal hold meanwhile", hint="make the plan again")
        held = [one.metadata.name for one, _ in left if one is not None and not one.metadata.deletion_timestamp]
        loose = any(content is not None and content.spec.deletion_policy != "Delete" for _, content in left)
        if held or loose:
            return Observation(Seen.ABSENT)
        return Observation(Seen.WAITING, f"{len(left)} are being deleted", hint="see the snapshots' events")

    async def act(self, context: StepContext) -> None:
        for snapshot, content in await self._left(context):
            if content is not None and content.spec.deletion_policy != "Delete":
                changed = await carry_out(context, keeping(content, "Delete"))
                if changed.outcome is not Ended.APPLIED:
                    continue  # still on Retain, its data would stay when its snapshot goes: the next look decides
            if snapshot is not None and not snapshot.metadata.deletion_timestamp:
                meta = snapshot.metadata
                await carry_out(context, Write("delete", SNAPSHOTS, self.namespace, meta.name, uid=meta.uid))
