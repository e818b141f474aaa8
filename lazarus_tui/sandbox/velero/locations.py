"""Storage locations: whether they answer, and the backups found in their buckets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.labels import BACKUP_UID_LABEL, LOCATION_LABEL, label_value
from lazarus_tui.model.resources import BACKUPS, LOCATIONS, POD_VOLUME_BACKUPS
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.bucket import Bucket
from lazarus_tui.sandbox.controllers.base import Key
from lazarus_tui.sandbox.velero import durations, layout
from lazarus_tui.sandbox.velero.controller import VeleroController
from lazarus_tui.sandbox.velero.installation import Json, StoreUnreachable, copied, phase

_UNFINISHED = (
    "WaitingForPluginOperations",
    "WaitingForPluginOperationsPartiallyFailed",
    "Finalizing",
    "FinalizingPartiallyFailed",
)


class LocationCheck(VeleroController):
    """Lists each bucket's top level as often as its validation frequency says. It never tries to write."""

    name = "backup-location"
    watches = (LOCATIONS,)

    async def reconcile(self, key: Key) -> float | None:
        location = self.site.get(LOCATIONS, key[1])
        if location is None:
            return None
        self._one_default(location)
        cause = self._cause(location)
        self.site.status(
            LOCATIONS,
            key[1],
            phase="Unavailable" if cause else "Available",
            message=f'BackupStorageLocation "{key[1]}" is unavailable: {cause}' if cause else None,
            lastValidationTime=self.site.now(),
        )
        frequency = location["spec"].get("validationFrequency")
        if frequency is not None and durations.seconds(frequency, 0.0) == 0.0:
            return None  # checked once only
        return durations.seconds(frequency, self.site.settings.validation_period)

    def _cause(self, location: Mapping[str, Any]) -> str:
        storage = location["spec"].get("objectStorage") or {}
        if storage.get("caCert") and storage.get("caCertRef"):
            return "cannot specify both caCert and caCertRef in objectStorage"
        try:
            found = self.site.bucket_of(location).prefixes()
        except StoreUnreachable as error:
            return str(error)
        strange = [name for name in found if name not in layout.ALLOWED_FOLDERS]
        return f"Backup store contains invalid top-level directories: [{' '.join(strange)}]" if strange else ""

    def _one_default(self, location: Json) -> None:
        """Of several defaults the newest stays."""
        marked = [place for place in self.site.list(LOCATIONS) if place["spec"].get("default")]
        newest = max(marked, key=lambda place: str(place["metadata"].get("creationTimestamp", "")), default=None)
        for place in marked:
            if newest is not None and place["metadata"]["name"] != newest["metadata"]["name"]:
                self.site.patch(LOCATIONS, place["metadata"]["name"], {"spec": {"default": False}})


class BackupSync(VeleroController):
    """Makes Backups of what it finds in the buckets, and drops those whose files are gone."""

    name = "backup-sync"
    watches = (LOCATIONS,)

    async def reconcile(self, key: Key) -> float | None:
        location = self.site.get(LOCATIONS, key[1])
        if location is None:
            return None
        period = location["spec"].get("backupSyncPeriod")
        again = durations.seconds(period, self.site.settings.sync_period)
        if period is not None and durations.seconds(period, 0.0) == 0.0:
            return None  # 0 turns sync off
        if phase(location) != "Available":
            return min(again, 5.0)
        try:
            bucket = self.site.bucket_of(location)
        except StoreUnreachable:
            return again
        found = set(bucket.prefixes("backups"))
        for name in sorted(found):
            if self.site.get(BACKUPS, name) is None:
                self._import(bucket, key[1], name)
        self._drop_orphans(key[1], found)
        self.site.status(LOCATIONS, key[1], lastSyncedTime=self.site.now())
        return again if again > 0 else self.site.settings.sync_period

    def _import(self, bucket: Bucket, location: str, name: str) -> None:
        try:
            backup: Json = json.loads(bucket.get(layout.metadata_key(name)))
        except (FileNotFoundError, json.JSONDecodeError):
            return  # not finished, or not a backup
        expiration = (backup.get("status") or {}).get("expiration")
        expired = bool(expiration) and parse_rfc3339(str(expiration)) <= self.site.clock.now()
        if phase(backup) in _UNFINISHED and not expired:
            return
        meta = backup["metadata"]
        meta["namespace"] = self.site.namespace
        for gone in ("uid", "resourceVersion", "creationTimestamp", "generation", "ownerReferences", "managedFields"):
            meta.pop(gone, None)
        meta["labels"] = {**(meta.get("labels") or {}), LOCATION_LABEL: label_value(location)}
        backup["spec"]["storageLocation"] = location
        try:
            made = self.api.create(BACKUPS, backup, self.site.namespace)
        except ApiError as error:
            self.site.say("error", f"error syncing backup: {error.message}", backup=name)
            return
        self._import_copies(bucket, location, made)
        self.site.say("info", "Successfully synced backup into cluster", backup=name, backupLocation=location)

    def _import_copies(self, bucket: Bucket, location: str, backup: Json) -> None:
        key = layout.pod_volumes_key(backup["metadata"]["name"])
        stored: list[Json] = layout.unpacked(bucket.get(key)) if bucket.exists(key) else []
        for kept in stored:
            copy = copied(kept)
            meta = copy["metadata"]
            for gone in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "finalizers"):
                meta.pop(gone, None)
            meta["namespace"] = self.site.namespace
            meta["labels"] = {**(meta.get("labels") or {}), BACKUP_UID_LABEL: backup["metadata"]["uid"]}
            meta["ownerReferences"] = [
                {
                    "apiVersion": BACKUPS.api_version,
                    "kind": BACKUPS.kind,
                    "name": backup["metadata"]["name"],
                    "uid": backup["metadata"]["uid"],
                }
            ]
            copy["spec"]["backupStorageLocation"] = location
            if self.site.get(POD_VOLUME_BACKUPS, meta["name"]) is None:
                self.api.create(POD_VOLUME_BACKUPS, copy, self.site.namespace)

    def _drop_orphans(self, location: str, found: set[str]) -> None:
        for backup in self.site.list(BACKUPS, {LOCATION_LABEL: label_value(location)}):
            name = backup["metadata"]["name"]
            if phase(backup) in ("Completed", "PartiallyFailed") and name not in found:
                self.api.delete(BACKUPS, name, self.site.namespace)
                self.site.say("info", "Deleted orphaned backup from cluster", backup=name)
