"""The plan of a snapshot set: which claims, by which class, together or one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.objects import Claim, LabelSelector
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.resources import CLAIMS, STATEFULSETS, VOLUMES
from lazarus_tui.model.sets import BACKUP_ROLE
from lazarus_tui.model.snapshots import SNAPSHOT_CLASSES, SnapshotClass
from lazarus_tui.model.stepping import planned
from lazarus_tui.model.steps import Catalog, Reader, Step
from lazarus_tui.model.storage import Volume
from lazarus_tui.snapshots.classes import choose_class
from lazarus_tui.snapshots.discover import group_class, group_version, taken_by
from lazarus_tui.snapshots.hooks.note import Note, NoteGone, noted
from lazarus_tui.snapshots.hooks.planning import hook_effects, plan_hooks
from lazarus_tui.snapshots.hooks.spec import hooks_of
from lazarus_tui.snapshots.hooks.steps import Freeze, Mark, Thaw
from lazarus_tui.snapshots.names import set_id, shortened
from lazarus_tui.snapshots.reading import sets_of
from lazarus_tui.snapshots.taking.group import CutGroup
from lazarus_tui.snapshots.taking.steps import Cut, Keep, Ready
from lazarus_tui.snapshots.targets import StatefulSet, Target, strays, targets

KIND = "snapshots.create"
# RFC 1123 subdomain; its parts begin and end with a letter or a digit too.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def _steps(params: Mapping[str, Any]) -> list[Step]:
    hooks = hooks_of(params)
    before: list[Step] = [Freeze(params)] if hooks else []
    after: list[Step] = [Thaw(params)] if hooks and hooks.holds else []
    if noted(hooks):
        before, after = [Note(params), *before], [*after, NoteGone(params)]
    cut = CutGroup(params) if params.get("group") else Cut(params)
    return [*before, cut, *after, Mark(params), Ready(params), Keep(params)]


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    return _steps(plan.params)


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """``params``: namespace, statefulset, name ("" for one by the time), class ("" for the driver's default),
    together ("auto", "group" or "each"), schedule, and those of ``hooks.planning``. Raises ``PlanRefused``."""
    namespace, name = str(params.get("namespace") or ""), str(params.get("statefulset") or "")
    if not namespace or not name:
        raise PlanRefused("which StatefulSet?", where="statefulset", hint="name it as NAMESPACE/NAME")
    raw: dict[str, Any] | None = await reader.get(STATEFULSETS, name, namespace, type=dict)
    if raw is None:
        raise PlanRefused(f"there is no StatefulSet {namespace}/{name}", where="statefulset")
    found = msgspec.convert(raw, StatefulSet)
    every = targets(found)
    if not every:
        why = "has no volume claim templates" if not found.templates else "is at 0 replicas"
        raise PlanRefused(f"{namespace}/{name} {why}", hint="there is nothing to snapshot")
    set_name = _name(params, name, clock)
    if any(one.id == set_name for one in await sets_of(reader, namespace)):
        raise PlanRefused(f"there is a snapshot set {set_name} already", where="name", hint="choose another name")
    claims = {claim.metadata.name: claim for claim in await reader.list(CLAIMS, namespace, type=Claim)}
    drivers = {target.claim: await _driver(reader, claims.get(target.claim), target) for target in every}
    classes = await _classes(reader, set(drivers.values()), params)
    group, notices = await _group(reader, raw, claims, every, drivers, str(params.get("together") or "auto"))
    notices += [choice.notice for choice in classes.values() if choice.notice and not group]
    hooks, said = await plan_hooks(reader, params, namespace, every, raw)
    notices += said
    if old := strays(found, claims):
        notices.append(f"claims of earlier replicas are left out: {', '.join(old)}")
    frozen: dict[str, Any] = {
        "namespace": namespace,
        "statefulset": name,
        "uid": found.metadata.uid,
        "replicas": found.replicas,
        "set": set_name,
        "claims": {target.claim: classes[drivers[target.claim]].name for target in every},
        "group": group,
        "hooks": hooks,
        "role": BACKUP_ROLE,
        "schedule": str(params.get("schedule") or ""),
        "lease_namespace": namespace,
    }
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=f"{namespace}/{name}",
        title=f"Snapshot {namespace}/{name} as {set_name}",
        danger=Danger.SAFE,
        params=frozen,
        steps=planned(_steps(frozen)),
        effects=tuple(_effects(frozen)),
        warnings=tuple(notices),
        undo="the set is removed, from storage too",
        made=rfc3339(clock.now()),
    )


def _name(params: Params, workload: str, clock: Clock) -> str:
    wanted = str(params.get("name") or "")
    if wanted and wanted != shortened(wanted, "", 63):
        raise PlanRefused(f"{wanted!r} is too long for the id of a set", where="name", hint="at most 63 characters")
    if wanted and not _NAME.fullmatch(wanted):
        hint = "small letters, digits, - and ., with a letter or a digit at both ends"
        raise PlanRefused(f"{wanted!r} cannot be the name of a snapshot", where="name", hint=hint)
    return wanted or set_id(workload, clock.now())


async def _driver(reader: Reader, claim: Claim | None, target: Target) -> str:
    if claim is None:
        raise PlanRefused(f"claim {target.claim} does not exist", hint="wait until the replica is up")
    if claim.metadata.deletion_timestamp:
        raise PlanRefused(f"claim {target.claim} is being deleted")
    bound = claim.spec.volume_name
    volume = await reader.get(VOLUMES, bound, type=Volume) if bound else None
    if volume is None:
        raise PlanRefused(f"claim {target.claim} has no volume yet", hint="wait until its pod runs")
    if volume.spec.csi is None:
        raise PlanRefused(f"the volume of {target.claim} is not of a CSI driver", hint="it cannot be snapshotted")
    return volume.spec.csi.driver


async def _classes(reader: Reader, drivers: set[str], params: Params) -> dict[str, Any]:
    kinds = await reader.list(SNAPSHOT_CLASSES, type=SnapshotClass)
    wanted = {"": str(params["class"])} if params.get("class") else {}
    return {driver: choose_class(driver, kinds, wanted=wanted) for driver in drivers}


async def _group(reader: Reader, raw: Mapping[str, Any], claims: Mapping[str, Claim], every: Sequence[Target],
                 drivers: Mapping[str, str], together: str) -> tuple[dict[str, Any], list[str]]:  # fmt: skip
    """How to cut all volumes in one instant ({} when they are cut one by one), and what to say about it."""
    if together not in ("auto", "group", "each"):
        raise PlanRefused(f"{together!r} is no way to cut", where="together", hint="auto, group or each")
    if together == "each" or (together == "auto" and len(every) < 2):
        return {}, []
    why = ""
    version, classes = await group_version(reader)
    one = next(iter(drivers.values()))
    chosen = group_class(one, classes)
    selector = (raw.get("spec") or {}).get("selector") or {}
    hit = taken_by(msgspec.convert(selector, LabelSelector), claims.values())
    if not version:
        why = "this cluster serves no group snapshots"
    elif len(set(drivers.values())) > 1:
        why = f"the volumes are of several drivers: {', '.join(sorted(set(drivers.values())))}"
    elif not chosen:
        why = f"no group snapshot class is clear for driver {one}"
    elif hit != {target.claim for target in every}:
        other = sorted(hit ^ {target.claim for target in every})
        why = f"the labels of its claims do not select exactly them ({', '.join(other)})"
    if not why:
        return {"version": version, "class": chosen, "selector": selector}, []
    if together == "group":
        raise PlanRefused(f"the volumes cannot be cut together: {why}", hint="let them be cut one by one")
    return {}, [f"cut one by one, so not at one instant: {why}"]


def _effects(params: Mapping[str, Any]) -> list[Effect]:
    how = f"together, by group class {params['group']['class']}" if params["group"] else ""
    made = [
        Effect("create", f"volumesnapshot of {claim}", how or f"class {name}")
        for claim, name in sorted(params["claims"].items())
    ]
    return [*made, *hook_effects(hooks_of(params))]
