"""The end of backups: garbage collection by expiration, and DeleteBackupRequests."""

from __future__ import annotations

from datetime import timedelta

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.labels import BACKUP_NAME_LABEL, BACKUP_UID_LABEL, label_value
from lazarus_tui.model.resources import BACKUPS, DELETE_REQUESTS, LOCATIONS, POD_VOLUME_BACKUPS, RESTORES
from lazarus_tui.sandbox.bucket import Bucket
from lazarus_tui.sandbox.controllers.base import Key, Object
from lazarus_tui.sandbox.velero import layout
from lazarus_tui.sandbox.velero.controller import VeleroController
from lazarus_tui.sandbox.velero.installation import Installation, Json, StoreUnreachable, meta, phase
from lazarus_tui.sandbox.velero.repositories import repository

_RUNNING = (
    "InProgress",
    "WaitingForPluginOperations",
    "WaitingForPluginOperationsPartiallyFailed",
    "Finalizing",
    "FinalizingPartiallyFailed",
)
# Finished and forgotten requests are removed a day after their creation.
_REQUEST_LIFE = timedelta(hours=24)
_TICK: Key = ("", "gc")


class GarbageCollector(VeleroController):
    """Hourly: asks for the deletion of every expired backup whose location allows it."""

    name = "gc"
    watches = ()

    async def start(self) -> None:
        self.enqueue_after(_TICK, self.site.settings.gc_period)

    async def reconcile(self, key: Key) -> float | None:
        now = self.site.clock.now()
        for backup in self.site.list(BACKUPS):
            expiration = (backup.get("status") or {}).get("expiration")
            if expiration and parse_rfc3339(expiration) <= now:
                self._expire(backup)
        for request in self.site.list(DELETE_REQUESTS):
            made = parse_rfc3339(request["metadata"]["creationTimestamp"])
            if phase(request) in ("Processed", "InProgress") and now - made > _REQUEST_LIFE:
                self.api.delete(DELETE_REQUESTS, request["metadata"]["name"], self.site.namespace)
        return self.site.settings.gc_period

    def _expire(self, backup: Json) -> None:
        name, uid = backup["metadata"]["name"], backup["metadata"]["uid"]
        location = self.site.get(LOCATIONS, str(backup["spec"].get("storageLocation", "")))
        failure = ""
        if location is None:
            failure = "BSLNotFound"
        elif location["spec"].get("accessMode") == "ReadOnly":
            failure = "BSLReadOnly"
        elif phase(location) == "Unavailable":
            return  # 1.18 says nothing about these: they stay until the location answers again
        if failure:
            if meta(backup, "labels").get("velero.io/gc-failure") != failure:
                self.site.patch(BACKUPS, name, {"metadata": {"labels": {"velero.io/gc-failure": failure}}})
            return
        pending = self.site.list(DELETE_REQUESTS, {BACKUP_UID_LABEL: uid})
        if any(phase(request) in ("", "New", "InProgress") for request in pending):
            return
        self.site.say("info", "Creating a new deletion request", backup=f"{self.site.namespace}/{name}")
        self.api.create(DELETE_REQUESTS, deletion_request(self.site, name, uid), self.site.namespace)


def deletion_request(site: Installation, backup: str, uid: str) -> Json:
    return {
        "apiVersion": DELETE_REQUESTS.api_version,
        "kind": DELETE_REQUESTS.kind,
        "metadata": {
            "generateName": f"{backup[:50]}-",
            "namespace": site.namespace,
            "labels": {BACKUP_NAME_LABEL: label_value(backup), BACKUP_UID_LABEL: uid},
        },
        "spec": {"backupName": backup},
    }


class Deletions(VeleroController):
    """Carries out DeleteBackupRequests: files, volume data, Restore records and the Backup itself."""

    name = "backup-deletion"
    watches = (DELETE_REQUESTS,)

    def concerns(self, obj: Object, old: Object | None) -> bool:
        return old is None

    async def reconcile(self, key: Key) -> float | None:
        request = self.site.get(DELETE_REQUESTS, key[1])
        if request is None or phase(request) not in ("", "New"):
            return None
        name = str((request.get("spec") or {}).get("backupName") or "")
        backup = self.site.get(BACKUPS, name) if name else None
        refusal, bucket = self._refusal(name, backup)
        if refusal or backup is None or bucket is None:
            self.site.status(DELETE_REQUESTS, key[1], phase="Processed", errors=[refusal])
            return None
        self._claim(request, backup)
        self.site.status(BACKUPS, name, phase="Deleting")
        self._remove(backup, bucket)
        return None

    def _refusal(self, name: str, backup: Json | None) -> tuple[str, Bucket | None]:
        if not name:
            return "spec.backupName is required", None
        if backup is not None and phase(backup) in _RUNNING:
            return "backup is still in progress", None
        if backup is None:
            return "backup not found", None
        place = backup["spec"].get("storageLocation") or self.site.settings.default_location
        location = self.site.get(LOCATIONS, place)
        if location is None:
            return f"backup storage location {place} not found", None
        if location["spec"].get("accessMode") == "ReadOnly":
            return f"cannot delete backup because backup storage location {place} is currently in read-only mode", None
        if phase(location) == "Unavailable":
            return (
                f"cannot delete backup because backup storage location {place} is currently in Unavailable state",
                None,
            )
        try:
            return "", self.site.bucket_of(location)
        except StoreUnreachable as error:
            return f"error getting the backup store: {error}", None

    def _claim(self, request: Json, backup: Json) -> None:
        """Take the request on; other requests for the same backup are dropped."""
        name, uid = backup["metadata"]["name"], backup["metadata"]["uid"]
        for other in self.site.list(DELETE_REQUESTS, {BACKUP_NAME_LABEL: label_value(name)}):
            if other["metadata"]["uid"] != request["metadata"]["uid"]:
                self.api.delete(DELETE_REQUESTS, other["metadata"]["name"], self.site.namespace)
        labels = {BACKUP_NAME_LABEL: label_value(name), BACKUP_UID_LABEL: uid}
        patch = {"metadata": {"labels": labels}, "status": {"phase": "InProgress"}}
        self.site.patch(DELETE_REQUESTS, request["metadata"]["name"], patch)

    def _remove(self, backup: Json, bucket: Bucket) -> None:
        name = backup["metadata"]["name"]
        self._forget_volumes(backup, bucket)
        for restore in self.site.list(RESTORES):
            if (restore.get("spec") or {}).get("backupName") == name:
                bucket.remove(f"restores/{restore['metadata']['name']}")
                self.api.delete(RESTORES, restore["metadata"]["name"], self.site.namespace)
        bucket.remove(layout.backup_folder(name))
        self.api.delete(BACKUPS, name, self.site.namespace)
        for request in self.site.list(DELETE_REQUESTS, {BACKUP_UID_LABEL: backup["metadata"]["uid"]}):
            self.api.delete(DELETE_REQUESTS, request["metadata"]["name"], self.site.namespace)

    def _forget_volumes(self, backup: Json, bucket: Bucket) -> None:
        """Generations another backup's files still name are kept: seeded history shares them."""
        name = backup["metadata"]["name"]
        key = layout.pod_volumes_key(name)
        stored: list[Json] = layout.unpacked(bucket.get(key)) if bucket.exists(key) else []
        mine = {_generation(copy) for copy in stored if (copy.get("status") or {}).get("snapshotID")}
        if not mine:
            return
        shared = {found for other in bucket.prefixes("backups") if other != name for found in _stored(bucket, other)}
        for space, snapshot in sorted(mine - shared):
            repository(self.site, str(backup["spec"]["storageLocation"]), space).forget(snapshot)
        for copy in self.site.list(POD_VOLUME_BACKUPS, {BACKUP_NAME_LABEL: label_value(name)}):
            self.api.delete(POD_VOLUME_BACKUPS, copy["metadata"]["name"], self.site.namespace)


def _generation(copy: Json) -> tuple[str, str]:
    return str(copy["spec"]["pod"]["namespace"]), str(copy["status"]["snapshotID"])


def _stored(bucket: Bucket, backup: str) -> set[tuple[str, str]]:
    key = layout.pod_volumes_key(backup)
    if not bucket.exists(key):
        return set()
    return {_generation(copy) for copy in layout.unpacked(bucket.get(key)) if copy["status"].get("snapshotID")}
