"""The plan of a restore in place: everything it will touch, what will be lost, until when it can be undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.durations import human
from lazarus_tui.model.objects import Claim, Pod
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.quantities import QuantityError, parse, size
from lazarus_tui.model.resources import CLAIMS, PODS, STATEFULSETS, STORAGECLASSES, VOLUMES
from lazarus_tui.model.sets import SnapshotSet
from lazarus_tui.model.snapshots import SNAPSHOT_CLASSES, SNAPSHOTS, Snapshot, SnapshotClass, cut_at
from lazarus_tui.model.stepping import planned
from lazarus_tui.model.steps import Catalog, Reader, Step, StepContext
from lazarus_tui.model.storage import WAITS_FOR_CONSUMER, StorageClass, Volume
from lazarus_tui.snapshots.capacity import Need, check_capacity
from lazarus_tui.snapshots.claimspec import kept, largest
from lazarus_tui.snapshots.classes import choose_class
from lazarus_tui.snapshots.fighters import find_fighters
from lazarus_tui.snapshots.inplace.beacon import Beacon, Capsule, Hold
from lazarus_tui.snapshots.inplace.events import warn
from lazarus_tui.snapshots.inplace.parachute import Policy, Retain
from lazarus_tui.snapshots.inplace.part import Part, RestoreStep, used_claims
from lazarus_tui.snapshots.inplace.preflight import (
    check_admission,
    check_quota,
    check_rights,
    check_velero,
    rights,
    room,
)
from lazarus_tui.snapshots.inplace.replace import Bind, Create, Gate, Remove
from lazarus_tui.snapshots.inplace.safety import Safety
from lazarus_tui.snapshots.inplace.start import UNDO_DAYS, Close, First, StartAll
from lazarus_tui.snapshots.inplace.stop import Drain, Stop
from lazarus_tui.snapshots.names import OP, SINCE, annotation
from lazarus_tui.snapshots.reading import choose_set, sets_of
from lazarus_tui.snapshots.targets import StatefulSet, Target, narrowed, strays, targets

KIND = "snapshots.restore-in-place"
PIVOT = Remove.name
Object = dict[str, Any]


def _steps(params: Mapping[str, Any]) -> list[Step]:
    kinds = (
        Capsule,
        Beacon,
        Hold,
        Policy,
        Retain,
        Stop,
        Drain,
        Safety,
        Remove,
        Create,
        Bind,
        Gate,
        First,
        StartAll,
        Close,
    )
    return [kind(params) for kind in kinds]


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    return _steps(plan.params)


async def waits(context: StepContext, why: str) -> None:
    """Tell on the workload that a person is waited for, as long as the beacon is on it."""
    step = RestoreStep(context.plan.params)
    if step.ours(await step.read(context), context):
        await warn(step, context, "RestoreWaits", f"the restore stopped and waits for a person: {why}")


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """``params``: namespace, statefulset, set ("" for the newest usable), ordinal or claim to narrow it, replicas when
    it is at 0 already, hold (agree to hold who fights), safety (False leaves the safety snapshots out), first
    (False starts all replicas at once), class, object (uid of the StatefulSetRestore that asks for it).

    Raises ``PlanRefused``.
    """
    namespace, name = str(params.get("namespace") or ""), str(params.get("statefulset") or "")
    raw, found = await _workload(reader, namespace, name)
    replicas = _replicas(found, params)
    every = targets(found, replicas)
    chosen = narrowed(every, ordinal=params.get("ordinal"), claim=str(params.get("claim") or ""))
    point = choose_set(await sets_of(reader, namespace, f"StatefulSet/{name}"), str(params.get("set") or ""))
    _complete(point, chosen)
    claims = await _claims(reader, namespace, every)
    safety = params.get("safety", True) is not False
    parts = await _parts(reader, namespace, chosen, claims, point, params, safety=safety)
    warnings = await _warnings(reader, namespace, found, replicas, parts, safety=safety)
    fighters = await find_fighters(reader, raw)
    holds = _consent(fighters, params)
    warnings += await check_rights(reader, rights(namespace, name, holds, safety=safety))
    warnings += await check_velero(reader, namespace)
    warnings += await check_quota(reader, namespace, parts, safety=safety)
    free = await check_capacity(reader, [Need(part.claim, _class_of(part.body), part.size) for part in parts])
    warnings += free.warnings
    warnings += await check_admission(reader, namespace, parts, point.id)
    frozen: dict[str, Any] = {
        "namespace": namespace,
        "statefulset": name,
        "uid": found.metadata.uid,
        "replicas": replicas,
        "set": point.id,
        "cut": rfc3339(point.taken, micro=True) if point.taken else "",
        "parts": msgspec.to_builtins(parts),
        "expected": {target.claim: claims[target.claim]["metadata"]["uid"] for target in every},
        "policy": dict((raw.get("spec") or {}).get("persistentVolumeClaimRetentionPolicy") or {}),
        "holds": holds,
        "autoscaled": any(fighter.get("autoscaled") for fighter in fighters),
        "safety": safety,
        "first": params.get("first", True) is not False,
        "grace": int(_grace(raw)),
        "owner": str(params.get("owner") or ""),
        "object": str(params.get("object") or ""),
        "lease_namespace": namespace,
    }
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=f"{namespace}/{name}",
        title=f"Restore {namespace}/{name} in place from {point.id}",
        danger=Danger.DESTROYS,
        params=frozen,
        steps=planned(_steps(frozen)),
        effects=tuple(_effects(namespace, name, replicas, parts, holds, safety=safety, free=free.words)),
        losses=tuple(_losses(parts, point, clock.now())),
        warnings=tuple([*warnings, *(fighter["words"] for fighter in fighters if fighter.get("only_warn"))]),
        undo=_undo(clock.now()),
        made=rfc3339(clock.now()),
    )


async def _workload(reader: Reader, namespace: str, name: str) -> tuple[Object, StatefulSet]:
    if not namespace or not name:
        raise PlanRefused("which StatefulSet?", where="statefulset", hint="name it as NAMESPACE/NAME")
    raw: Object | None = await reader.get(STATEFULSETS, name, namespace, type=dict)
    if raw is None:
        raise PlanRefused(f"there is no StatefulSet {namespace}/{name}", where="statefulset")
    if holder := annotation(raw, OP):
        raise PlanRefused(
            f"operation {holder} works on {namespace}/{name} since {annotation(raw, SINCE) or 'an unknown time'}",
            hint=f"finish or undo it first: lazarus resume {holder}, or lazarus undo {holder}",
        )
    found = msgspec.convert(raw, StatefulSet)
    if found.status.observed_generation < found.metadata.generation:
        raise PlanRefused(f"{namespace}/{name} is being changed right now", hint="try again when its rollout is over")
    if not found.templates:
        raise PlanRefused(f"{namespace}/{name} has no volume claim templates", hint="there is nothing to restore")
    return raw, found


def _replicas(found: StatefulSet, params: Params) -> int:
    wanted = params.get("replicas")
    if found.replicas == 0 and not wanted:
        raise PlanRefused(
            f"{found.metadata.name} is at 0 replicas, so the number to start is not known", hint="say it: --replicas N"
        )
    if wanted and found.replicas not in (0, int(wanted)):
        has = how_many(found.replicas, "replica")
        raise PlanRefused(f"{found.metadata.name} has {has}, not {wanted}", where="replicas")
    return int(wanted or found.replicas)


def _complete(point: SnapshotSet, chosen: Iterable[Target]) -> None:
    if not point.usable:
        raise PlanRefused(f"set {point.id} cannot be used: {'; '.join(point.troubles)}", hint="choose another set")
    absent = [target.claim for target in chosen if target.claim not in point.members]
    if absent:
        raise PlanRefused(f"set {point.id} does not hold {', '.join(absent)}", hint="choose another set, or narrow it")


async def _claims(reader: Reader, namespace: str, every: Iterable[Target]) -> dict[str, Object]:
    found: dict[str, Object] = {}
    for target in every:
        claim = await reader.get(CLAIMS, target.claim, namespace, type=dict)
        if claim is None:
            raise PlanRefused(f"claim {target.claim} does not exist", hint="restore beside it instead, or create it")
        if claim["metadata"].get("deletionTimestamp"):
            raise PlanRefused(f"claim {target.claim} is being deleted")
        found[target.claim] = claim
    return found


async def _parts(reader: Reader, namespace: str, chosen: Iterable[Target], claims: Mapping[str, Object],
                 point: SnapshotSet, params: Params, *, safety: bool) -> list[Part]:  # fmt: skip
    classes = {c.metadata.name: c for c in await reader.list(STORAGECLASSES, type=StorageClass)}
    kinds = await reader.list(SNAPSHOT_CLASSES, type=SnapshotClass)
    wanted = {"": str(params["class"])} if params.get("class") else {}
    parts = []
    for target in chosen:
        claim = claims[target.claim]
        volume = await _volume(reader, namespace, target.claim, claim)
        member = point.members[target.claim]
        storage = classes.get(str(claim["spec"].get("storageClassName") or ""))
        driver = volume.spec.csi.driver if volume.spec.csi else ""
        _fits(target.claim, driver, storage, member.content.spec.driver if member.content else "")
        body = kept(claim)
        try:
            needed = largest(body["requests"], body["capacity"], str(member.snapshot.status.restore_size or ""))
        except QuantityError as error:
            raise PlanRefused(f"{target.claim}: {error}") from error
        parts.append(
            Part(
                ordinal=target.ordinal, claim=target.claim, uid=claim["metadata"]["uid"], body=body,
                volume=volume.metadata.name, volume_uid=volume.metadata.uid,
                reclaim=volume.spec.persistent_volume_reclaim_policy, size=needed,
                snapshot=member.snapshot.metadata.name,
                waits=storage is not None and storage.volume_binding_mode == WAITS_FOR_CONSUMER,
                snapshot_class=choose_class(driver, kinds, wanted=wanted).name if safety else "",
            )
        )  # fmt: skip
    return parts


async def _volume(reader: Reader, namespace: str, name: str, claim: Object) -> Volume:
    bound = str((claim.get("spec") or {}).get("volumeName") or "")
    volume = await reader.get(VOLUMES, bound, type=Volume) if bound else None
    if volume is None:
        raise PlanRefused(f"claim {name} has no volume yet", hint="there is nothing to replace; restore beside it")
    ref = volume.spec.claim_ref
    if ref is None or ref.uid != claim["metadata"]["uid"]:
        raise PlanRefused(f"volume {bound} does not belong to claim {namespace}/{name}")
    return volume


def _fits(claim: str, driver: str, storage: StorageClass | None, snapshot_driver: str) -> None:
    if not driver:
        raise PlanRefused(f"the volume of {claim} is not of a CSI driver", hint="it cannot be restored from a snapshot")
    if storage is None:
        raise PlanRefused(f"the storage class of {claim} does not exist", hint="create it, or restore beside it")
    if snapshot_driver != storage.provisioner:
        raise PlanRefused(
            f"{claim}: its class makes volumes of {storage.provisioner}, its snapshot is of {snapshot_driver}"
        )


async def _warnings(reader: Reader, namespace: str, found: StatefulSet, replicas: int, parts: Sequence[Part], *,
                    safety: bool) -> list[str]:  # fmt: skip
    """What a person should know; what makes it impossible refuses the plan."""
    names = {part.claim for part in parts}
    others = [
        pod.metadata.name
        for pod in await reader.list(PODS, namespace, type=Pod)
        if names & used_claims(pod)
        and pod.status.phase not in ("Succeeded", "Failed")
        and not any(owner.uid == found.metadata.uid for owner in pod.metadata.owner_references or ())
    ]
    if others:
        raise PlanRefused(f"other pods use these claims: {', '.join(sorted(others))}", hint="end them first")
    blocking = [
        snapshot.metadata.name
        for snapshot in await reader.list(SNAPSHOTS, namespace, type=Snapshot)
        if snapshot.spec.source.persistent_volume_claim_name in names and not snapshot.status.ready_to_use
    ]
    if blocking:
        what = f"snapshots of these claims are not ready: {', '.join(sorted(blocking))}"
        raise PlanRefused(what, hint="a claim cannot be deleted before they are: wait for them, or delete them")
    warnings = []
    if replicas > 1 and len({part.ordinal for part in parts}) < replicas:
        warnings.append("only some replicas go back: they will differ from the others until the application catches up")
    if old := strays(
        found, [claim.metadata.name for claim in await reader.list(CLAIMS, namespace, type=Claim)], replicas
    ):
        warnings.append(f"claims of earlier replicas are not touched: {', '.join(old)}")
    if not safety:
        warnings.append("no safety snapshots: the old volumes themselves are the only way back")
    return warnings


def _consent(fighters: Sequence[Mapping[str, Any]], params: Params) -> list[dict[str, Any]]:
    """What will be held; refused without a person's agreement, and where nothing can be held."""
    stubborn = [fighter for fighter in fighters if fighter.get("refuse")]
    if stubborn:
        first = stubborn[0]
        raise PlanRefused(str(first["words"]), hint=str(first.get("hint") or "restore beside it instead"))
    holds = [dict(fighter) for fighter in fighters if fighter.get("hold")]
    if holds and not params.get("hold"):
        words = "; ".join(str(hold["words"]) for hold in holds)
        raise PlanRefused(f"it would be scaled up again: {words}", hint="agree to hold them: --hold", code="consent")
    return holds


def _effects(namespace: str, name: str, replicas: int, parts: Sequence[Part], holds: Sequence[Mapping[str, Any]], *,
             safety: bool, free: str) -> Iterable[Effect]:  # fmt: skip
    yield Effect("create", f"configmap in {namespace}", "recovery capsule, removed with the release")
    yield Effect("change", f"statefulset {namespace}/{name}", f"scaled to 0 and back to {replicas}")
    for hold in holds:
        yield Effect("change", f"{hold['kind']} {hold['name']}", f"{hold['words']}; given back at the end")
    for part in parts:
        needs = size(int(parse(part.size)))
        yield Effect("change", f"volume {part.volume}", "kept when its claim goes")
        if safety:
            yield Effect("create", f"volumesnapshot of {part.claim}", "safety, before anything is replaced")
        yield Effect("replace", f"claim {part.claim}", f"from snapshot {part.snapshot}, needs {needs} more")
    whole = f"{room(parts)} in all, beside the old ones until their release; free: {free}"
    yield Effect("create", how_many(len(parts), "volume"), whole)


def _class_of(body: Mapping[str, Any]) -> str:
    return str((body.get("spec") or {}).get("storageClassName") or "")


def _undo(now: datetime) -> str:
    until = rfc3339(now + timedelta(days=UNDO_DAYS))[:10]
    days = f"{UNDO_DAYS} days after its end, that is until {until} or later"
    return f"the old volumes are kept and can be bound again for {days}, or until they are released"


def _losses(parts: Sequence[Part], point: SnapshotSet, now: datetime) -> Iterable[str]:
    for part in parts:
        cut = cut_at(point.members[part.claim].snapshot)
        if cut is None:
            yield f"{part.claim}: goes back to a moment that is not known"
        else:
            age = human((now - cut).total_seconds())
            yield f"{part.claim}: everything written after {rfc3339(cut)} ({age} ago)"


def _grace(raw: Mapping[str, Any]) -> int:
    """Seconds a pod gets to end; Kubernetes' default is 30."""
    spec = ((raw.get("spec") or {}).get("template") or {}).get("spec") or {}
    value = spec.get("terminationGracePeriodSeconds")
    return 30 if value is None else int(value)
