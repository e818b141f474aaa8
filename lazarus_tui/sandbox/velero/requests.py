"""Small requests to the server: signed URLs for artefacts, and the server's own status."""

from __future__ import annotations

from datetime import timedelta

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.resources import BACKUPS, DOWNLOAD_REQUESTS, RESTORES, STATUS_REQUESTS
from lazarus_tui.sandbox.controllers.base import Key
from lazarus_tui.sandbox.velero import layout
from lazarus_tui.sandbox.velero.controller import VeleroController
from lazarus_tui.sandbox.velero.installation import SERVER_VERSION, StoreUnreachable, phase

# The server removes processed status requests after a minute, looking every five.
_STATUS_LIFE, _STATUS_RESYNC = timedelta(minutes=1), 300.0
_PLUGINS = (
    ("velero.io/aws", "ObjectStore"),
    ("velero.io/pod", "BackupItemAction"),
    ("velero.io/pv", "BackupItemAction"),
    ("velero.io/service-account", "BackupItemAction"),
    ("velero.io/add-pvc-from-pod", "RestoreItemAction"),
    ("velero.io/job", "RestoreItemAction"),
    ("velero.io/pod", "RestoreItemAction"),
    ("velero.io/pod-volume-restore", "RestoreItemAction"),
    ("velero.io/role-bindings", "RestoreItemAction"),
    ("velero.io/service", "RestoreItemAction"),
)


class Downloads(VeleroController):
    """Answers a DownloadRequest with a signed URL, whether the object exists or not, and removes expired ones."""

    name = "download-request"
    watches = (DOWNLOAD_REQUESTS,)

    async def reconcile(self, key: Key) -> float | None:
        request = self.site.get(DOWNLOAD_REQUESTS, key[1])
        if request is None:
            return None
        status = request.get("status") or {}
        expiration = status.get("expiration")
        if expiration and parse_rfc3339(expiration) <= self.site.clock.now():
            self.api.delete(DOWNLOAD_REQUESTS, key[1], self.site.namespace)
            return None
        if phase(request) == "Processed":
            return 60.0
        seconds = self.site.settings.download_seconds
        answer = {"expiration": rfc3339(self.site.clock.now() + timedelta(seconds=seconds))}
        url = self._url(request["spec"]["target"], seconds)
        if url:
            answer |= {"phase": "Processed", "downloadURL": url}
        self.site.status(DOWNLOAD_REQUESTS, key[1], **answer)
        return 60.0

    def _url(self, target: dict[str, str], seconds: float) -> str:
        """ "" when the backup, its location or the restore is missing: 1.18 leaves such requests without a URL."""
        name, backup_name = str(target.get("name", "")), str(target.get("name", ""))
        if str(target.get("kind", "")).startswith("Restore"):
            restore = self.site.get(RESTORES, name)
            backup_name = str(((restore or {}).get("spec") or {}).get("backupName", ""))
        backup = self.site.get(BACKUPS, backup_name) if backup_name else None
        try:
            key = layout.artefact_key(str(target.get("kind", "")), name)
            bucket = self.site.backup_bucket(backup) if backup else None
        except (KeyError, StoreUnreachable) as error:
            self.site.say("error", f"error getting download URL: {error}", target=name)
            return ""
        if bucket is None:
            self.site.say("error", f'error getting download URL: backup "{backup_name}" not found', target=name)
            return ""
        root, *prefix = bucket.root.relative_to(self.site.store.root).parts
        return self.site.store.sign(root, "/".join((*prefix, key)), seconds)


class StatusRequests(VeleroController):
    """Says which server this is and what it can do."""

    name = "server-status-request"
    watches = (STATUS_REQUESTS,)

    async def reconcile(self, key: Key) -> float | None:
        request = self.site.get(STATUS_REQUESTS, key[1])
        if request is None:
            return None
        if phase(request) == "Processed":
            done = parse_rfc3339(request["status"]["processedTimestamp"])
            if self.site.clock.now() - done >= _STATUS_LIFE:
                self.api.delete(STATUS_REQUESTS, key[1], self.site.namespace)
                return None
            return _STATUS_RESYNC
        plugins = [{"name": name, "kind": kind} for name, kind in _PLUGINS]
        answer = {"processedTimestamp": self.site.now(), "serverVersion": SERVER_VERSION, "plugins": plugins}
        self.site.status(STATUS_REQUESTS, key[1], phase="Processed", **answer)
        return _STATUS_RESYNC
