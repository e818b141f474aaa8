"""Restores: one at a time, validated, run inside the reconcile, and finished when their volumes are filled."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from lazarus_tui.model.labels import RESTORE_UID_LABEL, SCHEDULE_LABEL
from lazarus_tui.model.resources import BACKUPS, CONFIGMAPS, LOCATIONS, POD_VOLUME_RESTORES, RESTORES
from lazarus_tui.sandbox.controllers.base import Key, Object
from lazarus_tui.sandbox.velero import durations, modifiers
from lazarus_tui.sandbox.velero.controller import VeleroController
from lazarus_tui.sandbox.velero.filters import filter_problems
from lazarus_tui.sandbox.velero.installation import Installation, Json, StoreUnreachable, copied, meta, phase
from lazarus_tui.sandbox.velero.order import NON_RESTORABLE
from lazarus_tui.sandbox.velero.restore_run import RestoreRun

logger = logging.getLogger(__name__)

FINALIZER = "restores.velero.io/external-resources-finalizer"


class RestoreRunner(VeleroController):
    """The single worker: while one restore runs, all others stay New."""

    name = "restore"
    watches = (RESTORES,)

    def concerns(self, obj: Object, old: Object | None) -> bool:
        return old is None or phase(obj) != phase(old)

    async def start(self) -> None:
        """What was running when the server died cannot be resumed."""
        for restore in self.site.list(RESTORES):
            if phase(restore) == "InProgress":
                reason = 'found a restore with status "InProgress" during the server starting, mark it as "Failed"'
                name = restore["metadata"]["name"]
                done = {"phase": "Failed", "failureReason": reason, "completionTimestamp": self.site.now()}
                self.site.status(RESTORES, name, **done)
                for copy in self.site.list(POD_VOLUME_RESTORES, {RESTORE_UID_LABEL: restore["metadata"]["uid"]}):
                    self.site.patch(POD_VOLUME_RESTORES, copy["metadata"]["name"], {"spec": {"cancel": True}})

    async def reconcile(self, key: Key) -> float | None:
        restore = self.site.get(RESTORES, key[1])
        if restore is None or restore["metadata"].get("deletionTimestamp"):
            return None
        if phase(restore) in ("", "New"):
            await self._run(restore)
        elif phase(restore) in ("Finalizing", "FinalizingPartiallyFailed"):
            finish(self.site, restore)
        return None

    async def _run(self, restore: Json) -> None:
        name = restore["metadata"]["name"]
        spec = copied(restore.get("spec") or {})
        excluded = list(spec.get("excludedResources") or ())
        problems = self._resource_problems(spec)
        spec["excludedResources"] = list(dict.fromkeys([*excluded, *NON_RESTORABLE]))
        backup = self._source(spec, problems)
        rules = self._rules(spec, problems)
        spec["itemOperationTimeout"] = durations.text(
            durations.seconds(spec.get("itemOperationTimeout"), self.site.settings.item_operation_timeout)
        )
        status: Json
        if problems or backup is None:
            status = {"phase": "FailedValidation", "validationErrors": problems}
        else:
            status = {"phase": "InProgress", "startTimestamp": self.site.now()}
            spec["scheduleName"] = meta(backup, "labels").get(SCHEDULE_LABEL, "")
        finalizers = list(dict.fromkeys([*(restore["metadata"].get("finalizers") or ()), FINALIZER]))
        ready = self.site.patch(
            RESTORES, name, {"metadata": {"finalizers": finalizers}, "spec": spec, "status": status}
        )
        if ready is None or problems or backup is None:
            return
        log = self.site.run_log("restore", name)
        try:
            running = await RestoreRun(self.site, ready, backup, rules, log).run()
        except Exception as error:  # whatever it is, a restore must not stay InProgress for ever
            logger.warning("restore %s failed", name, exc_info=error)
            log.error(f"restore failed: {error}")
            failed = {"phase": "Failed", "failureReason": str(error), "completionTimestamp": self.site.now()}
            self.site.status(RESTORES, name, **failed)
            return
        if running is not None:
            finish(self.site, running)

    def _resource_problems(self, spec: Json) -> list[str]:
        problems = filter_problems(spec, "restore")
        refused = [
            name for name in map(self.site.resolve, spec.get("includedResources") or ()) if name in NON_RESTORABLE
        ]
        if refused:
            problems.insert(0, f"{', '.join(refused)} are non-restorable resources")
        policy = spec.get("existingResourcePolicy") or ""
        if policy not in ("", "none", "update"):
            problems.append(f"Invalid ExistingResourcePolicy: {policy}")
        return problems

    def _source(self, spec: Json, problems: list[str]) -> Json | None:
        """The backup to restore from; its name is written into the spec."""
        backup_name, schedule = spec.get("backupName") or "", spec.get("scheduleName") or ""
        if bool(backup_name) == bool(schedule):
            problems.append("Either a backup or schedule must be specified as a source for the restore, but not both")
            return None
        if schedule:
            backup_name = self._newest_of(schedule, problems)
            if not backup_name:
                return None
            spec["backupName"] = backup_name
        backup = self.site.get(BACKUPS, backup_name)
        if backup is None:
            problems.append(f'Error retrieving backup: Backup.velero.io "{backup_name}" not found')
            return None
        place = backup["spec"].get("storageLocation") or self.site.settings.default_location
        location = self.site.get(LOCATIONS, place)
        if location is None:
            problems.append(f'Error retrieving backup: BackupStorageLocation.velero.io "{place}" not found')
        elif phase(location) == "Unavailable":
            problems.append(f"The BSL {place} is unavailable, cannot retrieve the backup")
        return backup

    def _newest_of(self, schedule: str, problems: list[str]) -> str:
        made = self.site.list(BACKUPS, {SCHEDULE_LABEL: schedule})
        if not made:
            problems.append("No backups found for schedule")
            return ""
        good = [backup for backup in made if phase(backup) == "Completed"]
        if not good:
            problems.append("No completed backups found for schedule")
            return ""
        newest = max(good, key=lambda backup: str(backup["status"].get("startTimestamp") or ""))
        return str(newest["metadata"]["name"])

    def _rules(self, spec: Json, problems: list[str]) -> list[modifiers.Rule]:
        reference: Any = spec.get("resourceModifier")
        if not reference or str(reference.get("kind", "")).lower() != "configmap":
            return []
        name = str(reference.get("name", ""))
        where = f"{self.site.namespace}/{name}"
        configmap = self.site.get(CONFIGMAPS, name)
        if configmap is None:
            problems.append(f"failed to get resource modifiers configmap {where}")
            return []
        try:
            return modifiers.parse(configmap, where)
        except modifiers.ModifierError as error:
            problems.append(str(error))
            return []


def finish(site: Installation, restore: Json) -> None:
    """The last step of a restore that left InProgress."""
    done = "Completed" if phase(restore) == "Finalizing" else "PartiallyFailed"
    site.status(RESTORES, restore["metadata"]["name"], phase=done, completionTimestamp=site.now())


class RestoreRemoval(VeleroController):
    """Removes a deleted Restore's files from the bucket; without the bucket the object hangs in deletion."""

    name = "restore-removal"
    watches = (RESTORES, LOCATIONS)

    def keys(self, resource: Any, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == RESTORES:
            going = obj["metadata"].get("deletionTimestamp")
            return super().keys(resource, obj, old) if going else ()
        if old is not None and phase(old) == phase(obj):
            return ()
        return [
            (self.site.namespace, restore["metadata"]["name"])
            for restore in self.site.list(RESTORES)
            if restore["metadata"].get("deletionTimestamp")
        ]

    def concerns(self, obj: Object, old: Object | None) -> bool:
        return bool(obj["metadata"].get("deletionTimestamp"))

    async def reconcile(self, key: Key) -> float | None:
        restore = self.site.get(RESTORES, key[1])
        if restore is None or FINALIZER not in (restore["metadata"].get("finalizers") or ()):
            return None
        backup = self.site.get(BACKUPS, str((restore.get("spec") or {}).get("backupName", "")))
        if backup is not None:
            try:
                self.site.backup_bucket(backup).remove(f"restores/{key[1]}")
            except StoreUnreachable as error:
                self.site.say("error", f"error deleting restore files: {error}", restore="/".join(key))
                return None  # the location's next change of phase comes back here
        left = [name for name in restore["metadata"]["finalizers"] if name != FINALIZER]
        self.site.patch(RESTORES, key[1], {"metadata": {"finalizers": left or None}})
        return None
