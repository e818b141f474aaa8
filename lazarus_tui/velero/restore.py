"""The plan of a restore: what it creates, changes and skips, what stays lost, and whether it can be undone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.objects import Backup, Claim, Location, Namespace, Restore
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.points import Known, location_name, usability
from lazarus_tui.model.resources import BACKUPS, CLAIMS, LOCATIONS, NAMESPACES, RESTORES
from lazarus_tui.model.scope import Wanted
from lazarus_tui.model.stepping import planned
from lazarus_tui.model.steps import ArtefactReader, Catalog, Reader, Step
from lazarus_tui.model.volumes import Coverage, Held, HeldVolume, coverage, parse_volume_infos
from lazarus_tui.velero import effects, estimate, leaving_out, progress, served
from lazarus_tui.velero.backup import settle_seconds
from lazarus_tui.velero.claims import backup_copies
from lazarus_tui.velero.discover import velero_namespace
from lazarus_tui.velero.leaving_out import stays_empty
from lazarus_tui.velero.restore_finish import Finalize, Results, Settle
from lazarus_tui.velero.restore_steps import Contents, Create, Objects, Preflight, Queue, Volumes

KIND = "velero.restore"
CHECKS_KIND = "prove.checks"


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """The plan of a restore from one backup; raises ``PlanRefused``."""
    velero = await velero_namespace(reader, str(params.get("velero", "")))
    backup = await _source(reader, velero, params, clock)
    spec = _spec(params, velero)
    await served.require(reader, RESTORES, {**spec, "backupName": backup.metadata.name})
    mapping = dict(params.get("namespace_mapping") or {})
    contents = await _contents(reader, velero, backup)
    inside, pods = _volumes(params, contents.coverage), _pods(params, contents.coverage)
    leaving_out.refuse_originals(spec, inside)
    leaving_out.refuse_waiting(spec, inside, pods)
    spec, notes = leaving_out.emptied(spec, inside, pods)
    found = effects.in_scope(contents.items, spec) if contents.items is not None else None
    sources = _sources(params, backup, found)
    targets = sorted({mapping.get(name, name) for name in sources})
    existing = {name: await reader.get(NAMESPACES, name, type=Namespace) is not None for name in targets}
    update = spec.get("existingResourcePolicy") == "update"
    lines, kept = await effects.compare(reader, found or (), mapping, existing, update=update)
    claims = {name: await _claims(reader, name) if there else frozenset[str]() for name, there in existing.items()}
    left_out = {one.claim for one in inside if stays_empty(spec, one)}
    volumes = effects.volumes([*inside, *_unlisted(found, contents.coverage)], mapping, claims, left_out)
    hazards = await _hazards(reader, velero, backup, contents.coverage, sources, mapping)
    warnings = [*contents.warnings, *notes, *hazards]
    if maybe := leaving_out.maybe_on_originals(spec, contents.coverage, backup):
        warnings.append(
            f"{maybe}: unless the list can be read when the restore begins, it stops before it makes anything"
        )
    warnings += _about_existing(kept, existing, update, found is None)
    frozen = {
        "velero": velero,
        "backup": backup.metadata.name,
        "name": str(params.get("name") or ""),
        "spec": spec,
        "targets": targets,
        "sources": {mapping.get(name, name): name for name in sources},
        "settle": settle_seconds(reader.context),
        "workloads": found is None or any(item.short_kind in ("StatefulSet", "Deployment") for item in found),
    }
    fresh = [name for name, there in existing.items() if not there]
    destroys = update and (bool(kept) or found is None)
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=targets[0] if len(targets) == 1 else backup.metadata.name,
        title=f"Restore {', '.join(targets) or 'all namespaces'} from {backup.metadata.name}",
        danger=Danger.DESTROYS if destroys else Danger.CHANGES,
        params=frozen,
        steps=planned(_steps(frozen)),
        effects=(*(Effect("create", f"namespace {name}") for name in fresh), *lines, *volumes),
        losses=_losses(kept, found is None) if update else (),
        warnings=tuple(warnings),
        undo=_undo(targets, existing),
        estimate=estimate.for_restore(await reader.list(RESTORES, velero, type=Restore), backup.metadata.name),
        made=rfc3339(clock.now()),
    )


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    """The restore's own steps, then the checks of what it brought back, unless a drill brings checks of its own."""
    own = _steps(plan.params)
    if plan.params.get("checks") is False:
        return own
    checks = msgspec.structs.replace(plan, kind=CHECKS_KIND, params=_to_check(plan.params))
    return [*own, *catalog.steps(CHECKS_KIND, checks)]


def _to_check(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"sources": params["sources"], "workloads": params.get("workloads", True)}


def _steps(params: Mapping[str, Any]) -> list[Step]:
    kinds = (Preflight, Contents, Create, Queue, Objects, Volumes, Finalize, Settle, Results)
    return [kind(params) for kind in kinds]


async def _source(reader: Reader, velero: str, params: Params, clock: Clock) -> Backup:
    name = str(params.get("backup") or "")
    if not name:
        raise PlanRefused("which backup?", where="backup")
    backup = await reader.get(BACKUPS, name, velero, type=Backup)
    if backup is None:
        raise PlanRefused(f"there is no backup {name}", where=f"namespace {velero}", hint="choose another point")
    phase = backup.status.phase
    if phase not in ("Completed", "PartiallyFailed") or backup.metadata.deletion_timestamp:
        raise PlanRefused(
            f"backup {name} cannot be restored: its phase is {phase or 'New'}", hint="choose another point"
        )
    place = await reader.get(LOCATIONS, location_name(backup), velero, type=Location)
    if place is None or place.status.phase == "Unavailable":
        why = place.status.message if place else "it does not exist"
        raise PlanRefused(
            f"storage location {location_name(backup)} does not answer: {why}",
            hint="choose a point in another location",
        )
    known = Known(clock.now(), {place.metadata.name: place}, partial=True)
    expired = [text for text in usability(backup, Wanted("*"), known).reasons if text.startswith("expire")]
    if expired:
        raise PlanRefused(f"backup {name} {expired[0]}", hint="choose a newer point")
    return backup


def _spec(params: Params, velero: str) -> dict[str, Any]:
    """The Restore's spec but for the backup's name; Velero's own namespace stays out unless it is named."""
    spec: dict[str, Any] = {"includedNamespaces": list(params.get("namespaces") or ["*"])}
    if spec["includedNamespaces"] == ["*"]:
        spec["excludedNamespaces"] = [velero]
    if params.get("namespace_mapping"):
        spec["namespaceMapping"] = dict(params["namespace_mapping"])
    policy = str(params.get("existing_policy") or "none")
    if policy not in ("none", "update"):
        raise PlanRefused(f"unknown existing_policy {policy!r}", where="existing_policy", hint="none or update")
    if policy == "update":
        spec["existingResourcePolicy"] = "update"
    if params.get("restore_volumes") is not None:
        spec["restorePVs"] = bool(params["restore_volumes"])
    if params.get("exclude_resources"):
        spec["excludedResources"] = list(params["exclude_resources"])
    return spec


class _Contents:
    def __init__(self) -> None:
        self.items: list[effects.Item] | None = None
        self.coverage = Coverage()
        self.warnings: list[str] = []


async def _contents(reader: Reader, velero: str, backup: Backup) -> _Contents:
    """What the backup holds, as far as it can be read from here before anything is changed."""
    found, name = _Contents(), backup.metadata.name
    infos = None
    if isinstance(reader, ArtefactReader):
        try:
            found.items = effects.items(json.loads(await reader.artefact(velero, "BackupResourceList", name)))
            infos = parse_volume_infos(await reader.artefact(velero, "BackupVolumeInfos", name))
        except Exception as error:  # whatever it is, the plan is made without it and says so
            unknown = "which volumes it holds is" if found.items is not None else "what happens to each object is"
            found.warnings.append(f"what the backup holds could not be read: {error}; {unknown} unknown")
    else:
        found.warnings.append("what the backup holds is read only when the restore begins")
    copies = await backup_copies(reader, velero, backup.metadata.uid)
    found.coverage = coverage(infos, copies)
    return found


def _sources(params: Params, backup: Backup, found: Sequence[effects.Item] | None) -> list[str]:
    if params.get("namespaces"):
        return sorted(map(str, params["namespaces"]))
    if found is not None:
        return sorted({item.namespace for item in found})
    return sorted(name for name in backup.spec.included_namespaces or () if not set(name) & set("*?["))


def _volumes(params: Params, held: Coverage) -> list[HeldVolume]:
    wanted = set(params.get("namespaces") or ())
    return [one for one in held.volumes.values() if not wanted or one.claim.partition("/")[0] in wanted]


def _unlisted(found: Sequence[effects.Item] | None, held: Coverage) -> list[HeldVolume]:
    """Claims that come back and of whose data nothing is known, for the list of volumes was not read."""
    claims = [item for item in found or () if item.short_kind == "PersistentVolumeClaim"]
    unknown = [held.of(item.namespace, item.name) for item in claims] if not held.complete else []
    return [one for one in unknown if one.claim not in held.volumes]


def _pods(params: Params, held: Coverage) -> list[str]:
    wanted = set(params.get("namespaces") or ())
    return [one for one in held.pods if not wanted or one.partition("/")[0] in wanted]


async def _claims(reader: Reader, namespace: str) -> frozenset[str]:
    return frozenset(claim.metadata.name for claim in await reader.list(CLAIMS, namespace, type=Claim))


async def _hazards(
    reader: Reader, velero: str, backup: Backup, held: Coverage, sources: Sequence[str], mapping: Mapping[str, str]
) -> list[str]:
    """What can go wrong although everything works as designed (reference: velero §4.3–4.5)."""
    warnings = []
    if backup.status.phase == "PartiallyFailed":
        errors = how_many(backup.status.errors, "error")
        warnings.append(f"the backup is PartiallyFailed ({errors}): parts of it are missing")
    for volume in held.volumes.values():
        if volume.claim.partition("/")[0] not in sources or volume.held is not Held.ABSENT:
            continue
        if volume.reclaim_policy == "Retain":
            warnings.append(f"volume {volume.claim} has no data here; its PV would point at the ORIGINAL storage")
        else:
            warnings.append(f"volume {volume.claim} has no data in this backup: it comes back EMPTY ({volume.reason})")
    for source in sources:
        target = mapping.get(source, source)
        for claim in await reader.list(CLAIMS, target, type=Claim):
            warnings.append(f"volume {target}/{claim.metadata.name} exists: its data is NOT overwritten")
    for restore in await reader.list(RESTORES, velero, type=Restore):
        if restore.status.phase in progress.WAITING | progress.RUNNING:
            warnings.append(f"restore {restore.metadata.name} comes first: Velero runs one at a time")
    if velero in sources:
        warnings.append("namespace velero is included: its schedules and storage locations come to life here")
    return warnings


def _about_existing(kept: Sequence[effects.Item], existing: Mapping[str, bool], update: bool, blind: bool) -> list[str]:
    if blind:
        there = [name for name, found in existing.items() if found]
        words = "objects already in it are left as they are, but service accounts get what they lack"
        return [f"namespace {name} exists: {words}" for name in there if not update]
    if kept and not update:
        many = ("object exists already and is left as it is", "objects exist already and are left as they are")
        return [how_many(len(kept), *many)]
    return []


def _losses(kept: Sequence[effects.Item], blind: bool) -> tuple[str, ...]:
    if blind:
        return ("objects that exist are patched back to their state in the backup; which ones is not known",)
    if not kept:
        return ()
    many = ("existing object is patched back to its state", "existing objects are patched back to their state")
    return (f"{how_many(len(kept), *many)} in the backup",)


def _undo(targets: Sequence[str], existing: Mapping[str, bool]) -> str:
    """Only a restore into namespaces that did not exist can be taken back."""
    if not targets or any(existing.values()):
        return ""
    return f"delete namespace {', '.join(targets)} again, if nobody else has put anything into it"
