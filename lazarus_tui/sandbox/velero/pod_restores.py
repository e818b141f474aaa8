"""The volumes of a running restore: which of the backup's copies belong to a pod, and waiting until they are back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.labels import RESTORE_NAME_LABEL, RESTORE_UID_LABEL, label_value
from lazarus_tui.model.resources import CLAIMS, POD_VOLUME_RESTORES, PODS, VOLUMES
from lazarus_tui.sandbox.bucket import Bucket
from lazarus_tui.sandbox.velero import layout
from lazarus_tui.sandbox.velero.filters import filters_of
from lazarus_tui.sandbox.velero.installation import Installation, Json, meta, owner, phase
from lazarus_tui.sandbox.velero.layout import Item
from lazarus_tui.sandbox.velero.podvolumes import FINALIZER, FINISHED, claim_of
from lazarus_tui.sandbox.velero.repositories import UPLOADER, ensure_repository
from lazarus_tui.sandbox.velero.results import RunLog


class RestoreVolumes:
    """Reads the backup's PodVolumeBackups from the bucket: the cluster's own objects may be gone."""

    def __init__(self, site: Installation, restore: Json, backup: Json, bucket: Bucket, log: RunLog) -> None:
        self._site, self._restore, self._backup, self._log = site, restore, backup, log
        self._resources = filters_of(restore["spec"], site.resolve).resources
        self._copies = self._stored(bucket)
        self._made: list[str] = []

    def _stored(self, bucket: Bucket) -> list[Json]:
        key = layout.pod_volumes_key(self._backup["metadata"]["name"])
        stored: list[Json] = layout.unpacked(bucket.get(key)) if bucket.exists(key) else []
        return [copy for copy in stored if phase(copy) == "Completed" and copy["status"].get("snapshotID")]

    def of_pod(self, item: Item) -> dict[str, Json]:
        """Volume name → copy for a backed-up pod, also where ``restorePVs`` is false: that is about snapshots.

        A claim that two pods mount was copied once; the pod it was copied from brings it back.
        """
        wanted = (item.namespace, item.name)
        mine = {
            copy["spec"]["volume"]: copy
            for copy in self._copies
            if (copy["spec"]["pod"]["namespace"], copy["spec"]["pod"]["name"]) == wanted
        }
        present = {volume["name"] for volume in item.body["spec"].get("volumes") or ()}
        return {name: copy for name, copy in mine.items() if name in present}

    def holds_volume(self, volume: Item) -> bool:
        """Whether the backup holds a copy of this PersistentVolume's claim."""
        claim: Mapping[str, Any] = volume.body["spec"].get("claimRef") or {}
        return any(
            copy["spec"]["pod"]["namespace"] == claim.get("namespace")
            and meta(copy, "annotations").get("velero.io/pvc-name") == claim.get("name")
            for copy in self._copies
        )

    def request(self, pod: Json, source_namespace: str, copies: Mapping[str, Json]) -> None:
        """Ask the node agent to fill the volumes of a pod this restore has created; nobody is asked where claims or
        volumes are excluded, and the pod waits for ever (pkg/restore/restore.go)."""
        if not all(self._resources.takes(kind.group_resource) for kind in (CLAIMS, VOLUMES)):
            return
        for volume, copy in sorted(copies.items()):
            self._made.append(self._create(pod, source_namespace, volume, copy))

    def _create(self, pod: Json, source_namespace: str, volume: str, copy: Json) -> str:
        restore, location = self._restore["metadata"], self._backup["spec"]["storageLocation"]
        ensure_repository(self._site, location, source_namespace)
        labels = {
            RESTORE_NAME_LABEL: label_value(restore["name"]),
            RESTORE_UID_LABEL: restore["uid"],
            "velero.io/pod-uid": pod["metadata"]["uid"],
        }
        claim = self._claim(pod, volume)
        if claim is not None:
            labels["velero.io/pvc-uid"] = claim["metadata"]["uid"]
        where = pod["metadata"]
        body = {
            "apiVersion": POD_VOLUME_RESTORES.api_version,
            "kind": POD_VOLUME_RESTORES.kind,
            "metadata": {
                "generateName": f"{restore['name'][:50]}-",
                "namespace": self._site.namespace,
                "labels": labels,
                "finalizers": [FINALIZER],
                "ownerReferences": [owner("Restore", self._restore)],
            },
            "spec": {
                "pod": {"kind": "Pod", "namespace": where["namespace"], "name": where["name"], "uid": where["uid"]},
                "volume": volume,
                "backupStorageLocation": location,
                "repoIdentifier": copy["spec"]["repoIdentifier"],
                "snapshotID": copy["status"]["snapshotID"],
                "sourceNamespace": source_namespace,
                "uploaderType": UPLOADER,
                "snapshotSize": int((copy["status"].get("progress") or {}).get("totalBytes", 0)),
            },
            "status": {"phase": "New"},
        }
        return str(self._site.api.create(POD_VOLUME_RESTORES, body, self._site.namespace)["metadata"]["name"])

    def _claim(self, pod: Json, volume: str) -> Json | None:
        names = [claim_of(entry) for entry in pod["spec"].get("volumes") or () if entry["name"] == volume]
        return self._site.api.get(CLAIMS, names[0], pod["metadata"]["namespace"]) if names and names[0] else None

    def _state(self) -> list[Json | None]:
        return [self._site.get(POD_VOLUME_RESTORES, name) for name in self._made]

    async def finished(self) -> list[Json]:
        """Wait until every volume is filled; what failed becomes an error of the restore."""
        limit = self._site.settings.fs_backup_timeout
        in_time = await self._site.until(lambda: all(c is None or phase(c) in FINISHED for c in self._state()), limit)
        if not in_time:
            self._log.error("timed out waiting for all PodVolumeRestores to complete")
        copies = [copy for copy in self._state() if copy is not None]
        for copy in copies:
            if phase(copy) in ("Failed", "Canceled"):
                word = "canceled" if phase(copy) == "Canceled" else "failed"
                message = f"pod volume restore {word}: {copy['status'].get('message', '')}"
                self._log.error(message, copy["spec"]["pod"]["namespace"])
        if len(copies) < len(self._made):
            self._log.error("pod volume restore failed: the PodVolumeRestore was deleted while it ran")
        return copies

    def claims(self, restores: list[Json]) -> dict[str, tuple[str, str]]:
        """PodVolumeRestore name → (claim, its new volume)."""
        found = {}
        for restore in restores:
            target = restore["spec"]["pod"]
            pod = self._site.api.get(PODS, target["name"], target["namespace"])
            claim = self._claim(pod, restore["spec"]["volume"]) if pod else None
            if claim is not None:
                volume = str((claim.get("spec") or {}).get("volumeName", ""))
                found[restore["metadata"]["name"]] = (claim["metadata"]["name"], volume)
        return found
