"""Deleting backups (through a DeleteBackupRequest, or plainly when they never began) and restore records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.objects import Backup, Location, Restore
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.points import location_name
from lazarus_tui.model.resources import BACKUPS, DELETE_REQUESTS, LOCATIONS, RESTORES
from lazarus_tui.model.stepping import BaseStep, carry_out
from lazarus_tui.model.steps import Catalog, Observation, Reader, Seen, Step, StepContext, Write
from lazarus_tui.velero import explain, names, progress
from lazarus_tui.velero.claims import backup_copies
from lazarus_tui.velero.discover import velero_namespace

BACKUP_KIND = "velero.delete-backup"
RESTORE_KIND = "velero.delete-restore"
_NEVER_BEGAN = frozenset({"", "New", "Queued", "FailedValidation"})


async def plan_backup(reader: Reader, params: Params, clock: Clock) -> Plan:
    """What goes when a backup goes; raises ``PlanRefused`` for one that is running or cannot be reached."""
    velero = await velero_namespace(reader, str(params.get("velero", "")))
    name = str(params.get("backup") or "")
    backup = await reader.get(BACKUPS, name, velero, type=Backup) if name else None
    if backup is None:
        raise PlanRefused(f"there is no backup {name or '(which one?)'}", where=f"namespace {velero}")
    phase = backup.status.phase
    plain = phase in _NEVER_BEGAN
    if not plain and phase != "Deleting" and phase not in progress.TERMINAL:
        raise PlanRefused(f"backup {name} is still running ({phase})", hint="wait until it has finished")
    if not plain:
        await _reachable(reader, velero, backup)
    restores = [r for r in await reader.list(RESTORES, velero, type=Restore) if r.spec.backup_name == name]
    effects = [Effect("delete", f"backups.velero.io/{name}", "the record" if plain else "the record and its data")]
    if not plain:
        copies = await backup_copies(reader, velero, backup.metadata.uid)
        effects += [Effect("delete", f"data of {len(copies)} volume copies")] if copies else []
        effects += [Effect("delete", f"restores.velero.io/{r.metadata.name}", "the record only") for r in restores]
    losses = ("this recovery point, for good",) if phase in ("Completed", "PartiallyFailed") else ()
    return Plan(
        kind=BACKUP_KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=name,
        title=f"Delete backup {name}",
        danger=Danger.DESTROYS,
        params={"velero": velero, "backup": name, "uid": backup.metadata.uid, "plain": plain},
        steps=(),
        effects=tuple(effects),
        losses=losses,
        warnings=() if plain else ("restored workloads stay as they are", "space in the bucket is freed later"),
        made=rfc3339(clock.now()),
    )


async def _reachable(reader: Reader, velero: str, backup: Backup) -> None:
    name = location_name(backup)
    place = await reader.get(LOCATIONS, name, velero, type=Location)
    if place is None:
        raise PlanRefused(f"storage location {name} does not exist: Velero cannot delete its data")
    if place.spec.access_mode == "ReadOnly":
        raise PlanRefused(f"storage location {name} is read-only", hint="set its accessMode to ReadWrite first")
    if place.status.phase == "Unavailable":
        raise PlanRefused(f"storage location {name} is unavailable: {place.status.message}", hint="repair it first")


def steps_backup(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    return (DeleteRecord(plan.params),) if plan.params["plain"] else (DeleteBackup(plan.params),)


class DeleteBackup(BaseStep):
    """Ask the server; done when the Backup is gone, failed when the request comes back with errors."""

    name, title, mutates = "backup.delete", "Delete the backup", True
    poll, limit = 1.0, 3600.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.velero, self.backup, self.uid = str(params["velero"]), str(params["backup"]), str(params["uid"])

    def _request(self, context: StepContext) -> str:
        return names.restore_name(self.backup, context.op)

    async def observe(self, context: StepContext) -> Observation:
        backup = await context.reader.get(BACKUPS, self.backup, self.velero, type=Backup)
        if backup is None or backup.metadata.uid != self.uid:
            return Observation(Seen.DONE, "gone")
        name = self._request(context)
        request: dict[str, Any] | None = await context.reader.get(DELETE_REQUESTS, name, self.velero, type=dict)
        if request is None:
            return Observation(Seen.ABSENT)
        status = request.get("status") or {}
        errors = [str(error) for error in status.get("errors") or ()]
        if errors:
            left = (
                "parts of it may be gone already: do not rely on this backup"
                if backup.status.phase == "Deleting"
                else ""
            )
            hint = "; ".join(filter(None, [explain.advice_for(errors), left]))
            return Observation(Seen.FAILED, f"Velero could not delete it: {'; '.join(errors)}", hint=hint)
        return Observation(Seen.WAITING, f"request {status.get('phase') or 'New'}, backup {backup.status.phase}")

    async def act(self, context: StepContext) -> None:
        name = self._request(context)
        labels = {names.BACKUP_NAME_LABEL: names.label_value(self.backup), names.BACKUP_UID_LABEL: self.uid}
        body = {
            "apiVersion": DELETE_REQUESTS.api_version,
            "kind": DELETE_REQUESTS.kind,
            "metadata": {"name": name, "namespace": self.velero, "labels": labels},
            "spec": {"backupName": self.backup},
        }
        await carry_out(context, Write("create", DELETE_REQUESTS, self.velero, name, body, expect="the backup is gone"))


class DeleteRecord(BaseStep):
    """Delete a Backup that never began: its version is a precondition, so one that has just begun is not hit."""

    name, title, mutates = "backup.delete-record", "Delete the backup's record", True
    limit = 60.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.velero, self.backup, self.uid = str(params["velero"]), str(params["backup"]), str(params["uid"])

    async def observe(self, context: StepContext) -> Observation:
        backup = await context.reader.get(BACKUPS, self.backup, self.velero, type=Backup)
        if backup is None or backup.metadata.uid != self.uid:
            return Observation(Seen.DONE, "gone")
        if backup.status.phase not in _NEVER_BEGAN:
            return Observation(Seen.FAILED, f"it has begun meanwhile ({backup.status.phase})", hint="delete it again")
        return Observation(Seen.ABSENT)

    async def act(self, context: StepContext) -> None:
        backup = await context.reader.get(BACKUPS, self.backup, self.velero, type=Backup)
        if backup is None or backup.metadata.uid != self.uid or backup.status.phase not in _NEVER_BEGAN:
            return
        write = Write(
            "delete", BACKUPS, self.velero, self.backup,
            uid=self.uid, resource_version=backup.metadata.resource_version, expect="the record is gone",
        )  # fmt: skip
        await carry_out(context, write)


async def plan_restore(reader: Reader, params: Params, clock: Clock) -> Plan:
    """Deleting a Restore deletes its record and log, never what it restored."""
    velero = await velero_namespace(reader, str(params.get("velero", "")))
    name = str(params.get("restore") or "")
    restore = await reader.get(RESTORES, name, velero, type=Restore) if name else None
    if restore is None:
        raise PlanRefused(f"there is no restore {name or '(which one?)'}", where=f"namespace {velero}")
    if restore.status.phase in progress.RUNNING:
        raise PlanRefused(
            f"restore {name} is running: deleting its record would not stop it", hint="wait until it has ended"
        )
    return Plan(
        kind=RESTORE_KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=name,
        title=f"Delete restore {name}",
        danger=Danger.DESTROYS,
        params={"velero": velero, "restore": name, "uid": restore.metadata.uid},
        steps=(),
        effects=(Effect("delete", f"restores.velero.io/{name}", "its record, log and results"),),
        losses=("the log and results of this restore",),
        warnings=("what it restored stays",),
        made=rfc3339(clock.now()),
    )


def steps_restore(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    return (DeleteRestore(plan.params),)


class DeleteRestore(BaseStep):
    name, title, mutates = "restore.delete", "Delete the restore's record", True
    poll, limit = 1.0, 600.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.velero, self.restore, self.uid = str(params["velero"]), str(params["restore"]), str(params["uid"])

    async def observe(self, context: StepContext) -> Observation:
        restore = await context.reader.get(RESTORES, self.restore, self.velero, type=Restore)
        if restore is None or restore.metadata.uid != self.uid:
            return Observation(Seen.DONE, "gone")
        if restore.metadata.deletion_timestamp:
            hint = "its finalizer needs the backup's storage location to be available"
            return Observation(Seen.WAITING, "Velero removes its files", hint=hint)
        return Observation(Seen.ABSENT)

    async def act(self, context: StepContext) -> None:
        write = Write("delete", RESTORES, self.velero, self.restore, uid=self.uid, expect="the record is gone")
        await carry_out(context, write)
