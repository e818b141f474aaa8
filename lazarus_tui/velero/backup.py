"""The plan of a backup: from parameters or from a schedule, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model import durations
from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.objects import Backup, BackupSpec, Location, Namespace, record
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.resources import (
    BACKUPS,
    LOCATIONS,
    NAMESPACES,
    SCHEDULES,
    SNAPSHOT_LOCATIONS,
)
from lazarus_tui.model.schedules import wants_volumes
from lazarus_tui.model.snapshots import SNAPSHOT_CLASSES
from lazarus_tui.model.stepping import planned
from lazarus_tui.model.steps import Catalog, Reader, Step
from lazarus_tui.velero import estimate, names, served
from lazarus_tui.velero.backup_steps import Create, Preflight, Settle, Verify, Wait
from lazarus_tui.velero.claims import expected_claims
from lazarus_tui.velero.discover import velero_namespace

KIND = "velero.backup"
RUN_KIND = "velero.run-schedule"
SANDBOX_CONTEXT = "lazarus-sandbox"
# Seconds between the two equal reads that a settled object needs (reliability V2); the sandbox's Velero runs faster.
SETTLE_SECONDS, SANDBOX_SETTLE_SECONDS = 10.0, 1.0


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """The plan of a backup; raises ``PlanRefused``."""
    velero = await velero_namespace(reader, str(params.get("velero", "")))
    body = await _from_schedule(reader, velero, params) if params.get("from_schedule") else _from_form(params)
    name = str(params.get("name") or "") or names.stamped(body["base"], clock.now())
    if not names.valid(name):
        raise PlanRefused(f"{name!r} is not a valid name", where="name", hint="lower case letters, digits, '-' and '.'")
    if await reader.get(BACKUPS, name, velero, type=Backup) is not None:
        raise PlanRefused(f"there is a backup {name} already", where="name", hint="choose another name")
    warnings = [*body["warnings"], *await _fit(reader, body)]
    spec = decoded(body["spec"])
    warnings += await _check_location(reader, velero, spec)
    effects = await _effects(reader, velero, name, spec, warnings)
    frozen = {
        "velero": velero,
        "name": name,
        "spec": body["spec"],
        "labels": body["labels"],
        "annotations": body["annotations"],
        "owner": body["owner"],
        "settle": settle_seconds(reader.context),
    }
    history = await reader.list(BACKUPS, velero, type=Backup)
    return Plan(
        kind=RUN_KIND if body["schedule"] else KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=name,
        title=f"Back up {_what(spec)}" + (f" by schedule {body['schedule']}" if body["schedule"] else ""),
        danger=Danger.SAFE,
        params=frozen,
        steps=planned(_steps(frozen)),
        effects=tuple(effects),
        warnings=tuple(warnings),
        undo="the backup can be deleted afterwards",
        estimate=estimate.for_backup(history, schedule=body["schedule"], base=names.base(name)),
        made=rfc3339(clock.now()),
    )


async def plan_run(reader: Reader, params: Params, clock: Clock) -> Plan:
    """The plan of running a schedule now: its template, its labels, a name as the schedule itself would give."""
    if not params.get("schedule"):
        raise PlanRefused("which schedule?", where="schedule")
    return await plan(reader, {**params, "from_schedule": params["schedule"], "name": ""}, clock)


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    return _steps(plan.params)


def _steps(params: Mapping[str, Any]) -> list[Step]:
    return [Preflight(params), Create(params), Wait(params), Settle(params), Verify(params)]


def settle_seconds(context: str) -> float:
    return SANDBOX_SETTLE_SECONDS if context == SANDBOX_CONTEXT else SETTLE_SECONDS


def _from_form(params: Params) -> dict[str, Any]:
    spec: dict[str, Any] = {"includedNamespaces": list(params.get("namespaces") or ["*"])}
    if params.get("excluded_namespaces"):
        spec["excludedNamespaces"] = list(params["excluded_namespaces"])
    if params.get("resources"):
        spec["includedResources"] = list(params["resources"])
    if params.get("labels"):
        spec["labelSelector"] = {"matchLabels": dict(params["labels"])}
    if params.get("storage_location"):
        spec["storageLocation"] = str(params["storage_location"])
    if params.get("ttl"):
        try:
            spec["ttl"] = durations.go(durations.parse(str(params["ttl"])))
        except durations.DurationError as error:
            raise PlanRefused(str(error), where="ttl", hint="write for example 72h") from error
    for key, field in (("snapshot_volumes", "snapshotVolumes"), ("fs_backup", "defaultVolumesToFsBackup")):
        if params.get(key) is not None:
            spec[field] = bool(params[key])
    included = spec["includedNamespaces"]
    base = included[0] if len(included) == 1 and included[0] != "*" else "backup"
    return {
        "base": base if names.valid(base) else "backup",
        "spec": spec, "labels": {}, "annotations": {}, "owner": None, "schedule": "", "warnings": [],
    }  # fmt: skip


async def _from_schedule(reader: Reader, velero: str, params: Params) -> dict[str, Any]:
    """What Velero itself would create (reference: velero §2.2)."""
    name = str(params["from_schedule"])
    schedule: dict[str, Any] | None = await reader.get(SCHEDULES, name, velero, type=dict)
    if schedule is None:
        raise PlanRefused(f"there is no schedule {name}", where=f"namespace {velero}")
    meta, spec = schedule["metadata"], schedule.get("spec") or {}
    template = dict(spec.get("template") or {})
    labels = (template.get("metadata") or {}).get("labels") or meta.get("labels") or {}
    owner = None
    if spec.get("useOwnerReferencesInBackup"):
        owner = {"apiVersion": SCHEDULES.api_version, "kind": "Schedule", "name": name, "uid": meta.get("uid", "")}
        owner["controller"] = True
    warnings = ["the schedule is paused; this runs it once anyway"] if spec.get("paused") else []
    return {
        "base": name,
        "spec": template,
        "labels": {**labels, names.SCHEDULE_LABEL: name},
        "annotations": dict(meta.get("annotations") or {}),
        "owner": owner,
        "schedule": name,
        "warnings": warnings,
    }


async def _fit(reader: Reader, body: dict[str, Any]) -> list[str]:
    """Nothing is sent that the cluster would drop: refused if a person asked for it, left out if a schedule did."""
    if not body["schedule"]:
        await served.require(reader, BACKUPS, body["spec"])
        return []
    body["spec"], lost = await served.served(reader, BACKUPS, body["spec"])
    return [f"the Backups of this cluster have no {', '.join(lost)}: left out, as Velero itself would"] if lost else []


def decoded(spec: Mapping[str, Any]) -> BackupSpec:
    """A spec as Velero reads it; raises ``PlanRefused``."""
    try:
        return record(spec, BackupSpec)
    except msgspec.ValidationError as error:
        raise PlanRefused(f"this is not a backup's spec: {error}", where="spec") from error


async def _check_location(reader: Reader, velero: str, spec: BackupSpec) -> list[str]:
    """Warnings about the storage location; a location that cannot take the backup refuses the plan."""
    places = {place.metadata.name: place for place in await reader.list(LOCATIONS, velero, type=Location)}
    name = spec.storage_location or default_location(places)
    place = places.get(name)
    if place is None:
        known = ", ".join(sorted(places)) or "none"
        raise PlanRefused(f"there is no storage location {name or '(default)'}", hint=f"known: {known}")
    if place.spec.access_mode == "ReadOnly":
        raise PlanRefused(f"storage location {name} is read-only", hint="choose another one")
    if place.status.phase == "Unavailable":
        raise PlanRefused(
            f"storage location {name} is unavailable: {place.status.message}", hint="choose another one, or repair it"
        )
    return [] if place.status.phase == "Available" else [f"storage location {name} has not been validated yet"]


def default_location(places: Mapping[str, Location]) -> str:
    """The location a backup without one goes to: the newest marked default, else the one called default."""
    marked = [place for place in places.values() if place.spec.default]
    newest = max(marked, key=lambda place: place.metadata.creation_timestamp or "", default=None)
    return newest.metadata.name if newest else "default"


async def _effects(reader: Reader, velero: str, name: str, spec: BackupSpec, warnings: list[str]) -> list[Effect]:
    """What the plan shows; adds what it should warn about."""
    effects = [Effect("create", f"backups.velero.io/{name}", _what(spec))]
    for namespace in spec.included_namespaces or ():
        if not set(namespace) & set("*?[") and await reader.get(NAMESPACES, namespace, type=Namespace) is None:
            raise PlanRefused(f"there is no namespace {namespace}", where="namespaces")
    if not wants_volumes(spec):
        warnings.append("this backup will hold no volume data")
        return effects
    claims = await expected_claims(reader, spec)
    doubt = "" if spec.default_volumes_to_fs_backup or not claims else await _no_snapshots(reader, velero)
    effects += [Effect("create", f"copy of volume {claim}", doubt and "perhaps not, see below") for claim in claims]
    if doubt:
        warnings.append(f"{doubt}: volumes without file copies hold NO data unless a pod's annotation asks for it")
        warnings.append("ask for file copies (--fs-backup) to be sure")
    if not claims:
        warnings.append("no bound volume is in scope: this backup will hold objects only")
    return effects


async def _no_snapshots(reader: Reader, velero: str) -> str:
    """Why Velero will find no way to snapshot a volume; "" when there may be one (reference: velero §4.3)."""
    try:
        classes = await reader.list(SNAPSHOT_CLASSES, type=dict)
    except Forbidden:
        return ""
    except NotFound:
        classes = []
    if classes or await reader.list(SNAPSHOT_LOCATIONS, velero, type=dict):
        return ""
    return "this cluster has no volume snapshot class and no snapshot location"


def _what(spec: BackupSpec) -> str:
    included = ", ".join(spec.included_namespaces or ()) or "*"
    what = "all namespaces" if included == "*" else included
    return f"{what} without {', '.join(spec.excluded_namespaces)}" if spec.excluded_namespaces else what
