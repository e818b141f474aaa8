"""File-system backup as the server sees it: which pod volumes are copied, and waiting for the copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.model.labels import BACKUP_NAME_LABEL, BACKUP_UID_LABEL, label_value
from lazarus_tui.model.resources import CLAIMS, LOCATIONS, POD_VOLUME_BACKUPS
from lazarus_tui.sandbox.velero import durations
from lazarus_tui.sandbox.velero.installation import Installation, Json, meta, owner, phase
from lazarus_tui.sandbox.velero.repositories import UPLOADER, ensure_repository, identifier
from lazarus_tui.sandbox.velero.results import RunLog

FINISHED = ("Completed", "Failed", "Canceled")
_NEVER = ("hostPath", "secret", "configMap", "projected", "downwardAPI")
_INCLUDE, _EXCLUDE = "backup.velero.io/backup-volumes", "backup.velero.io/backup-volumes-excludes"
FINALIZER = "velero.io/pod-volume-finalizer"


def claim_of(volume: Mapping[str, Any]) -> str:
    return str((volume.get("persistentVolumeClaim") or {}).get("claimName", ""))


def volumes_to_copy(pod: Mapping[str, Any], by_default: bool) -> list[Json]:
    """The pod's volumes that file-system backup takes: all but the opted out, or only the opted in."""
    volumes: list[Json] = (pod.get("spec") or {}).get("volumes") or []
    marks = meta(pod, "annotations")
    if not by_default:
        wanted = _names(marks.get(_INCLUDE, ""))
        return [volume for volume in volumes if volume["name"] in wanted]
    unwanted = _names(marks.get(_EXCLUDE, ""))
    return [
        volume
        for volume in volumes
        if volume["name"] not in unwanted
        and not any(kind in volume for kind in _NEVER)
        and not volume["name"].startswith("default-token")
    ]


def _names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}


class BackupVolumes:
    """The pod volumes of one running backup. ``skipped`` says why a claim (namespace, name) has no data in it."""

    def __init__(self, site: Installation, backup: Json, log: RunLog) -> None:
        self._site, self._backup, self._log = site, backup, log
        self._made: list[str] = []
        self._covered: set[tuple[str, str]] = set()
        self.skipped: dict[tuple[str, str], str] = {}

    def add(self, pod: Json) -> None:
        """Ask the node agent for a copy of each volume of this pod that is due."""
        wanted = volumes_to_copy(pod, bool(self._backup["spec"].get("defaultVolumesToFsBackup")))
        self._note_the_rest(pod, wanted)
        state = phase(pod)
        if wanted and state != "Running":
            name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
            reason = (
                f"pod is not in the expected status, name={name}, namespace={space}, phase={state}: pod is not running"
            )
            self._skip(pod, wanted, reason)
            self._log.warning(f"Skip pod volumes: {reason}", space, resource="pods", name=name)
            return
        for volume in wanted:
            claim = (pod["metadata"]["namespace"], claim_of(volume))
            if claim[1] and claim in self._covered:
                continue  # another pod of this backup mounts the same claim
            self._covered.add(claim)
            self.skipped.pop(claim, None)
            self._made.append(self._create(pod, volume))

    def _note_the_rest(self, pod: Json, wanted: Iterable[Json]) -> None:
        taken = [volume["name"] for volume in wanted]
        opted_out = _names(meta(pod, "annotations").get(_EXCLUDE, ""))
        for volume in (pod.get("spec") or {}).get("volumes") or []:
            if claim_of(volume) and volume["name"] not in taken:
                name = pod["metadata"]["name"]
                out = f"podvolume: opted out due to annotation in pod {name}"
                self._skip(pod, [volume], out if volume["name"] in opted_out else self.default_reason())

    def default_reason(self) -> str:
        """Why a claim nobody copies holds no data: there is no snapshotter in this cluster."""
        if self._backup["spec"].get("snapshotVolumes") is False:
            return "volumeSnapshot: backup has volume snapshots disabled; skipping volume snapshot action."
        return "volumeSnapshot: no applicable volumesnapshotter found"

    def _skip(self, pod: Json, volumes: Iterable[Json], reason: str) -> None:
        for volume in volumes:
            claim = (pod["metadata"]["namespace"], claim_of(volume))
            if claim[1] and claim not in self._covered:
                self.skipped.setdefault(claim, reason)

    def _create(self, pod: Json, volume: Json) -> str:
        site, backup = self._site, self._backup
        location = backup["spec"]["storageLocation"]
        space = pod["metadata"]["namespace"]
        ensure_repository(site, location, space)
        claim = claim_of(volume)
        labels, annotations, tags = self._marks(pod, volume, claim)
        body = {
            "apiVersion": POD_VOLUME_BACKUPS.api_version,
            "kind": POD_VOLUME_BACKUPS.kind,
            "metadata": {
                "generateName": f"{backup['metadata']['name'][:50]}-",
                "namespace": site.namespace,
                "labels": labels,
                "annotations": annotations,
                "finalizers": [FINALIZER],
                "ownerReferences": [owner("Backup", backup)],
            },
            "spec": {
                "node": (pod.get("spec") or {}).get("nodeName", ""),
                "pod": {
                    "kind": "Pod",
                    "namespace": space,
                    "name": pod["metadata"]["name"],
                    "uid": pod["metadata"]["uid"],
                },
                "volume": volume["name"],
                "backupStorageLocation": location,
                "repoIdentifier": identifier(site.get(LOCATIONS, location) or {"spec": {}}, space),
                "uploaderType": UPLOADER,
                "tags": tags,
            },
            "status": {"phase": "New"},
        }
        return str(site.api.create(POD_VOLUME_BACKUPS, body, site.namespace)["metadata"]["name"])

    def _marks(self, pod: Json, volume: Json, claim: str) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        backup = self._backup["metadata"]
        labels = {BACKUP_NAME_LABEL: label_value(backup["name"]), BACKUP_UID_LABEL: backup["uid"]}
        tags = {
            "backup": backup["name"],
            "backup-uid": backup["uid"],
            "ns": pod["metadata"]["namespace"],
            "pod": pod["metadata"]["name"],
            "pod-uid": pod["metadata"]["uid"],
            "volume": volume["name"],
        }
        bound = self._site.api.get(CLAIMS, claim, pod["metadata"]["namespace"]) if claim else None
        if bound is None:
            return labels, {}, tags
        labels["velero.io/pvc-uid"] = bound["metadata"]["uid"]
        return labels, {"velero.io/pvc-name": claim}, tags | {"pvc-uid": bound["metadata"]["uid"]}

    def _state(self) -> list[Json | None]:
        return [self._site.get(POD_VOLUME_BACKUPS, name) for name in self._made]

    async def finished(self) -> list[Json]:
        """Wait for every copy and return their objects; failed ones become errors of the backup.

        After the timeout none is returned, as in Velero up to 1.18: such a backup holds no file-system data at all.
        """
        marks = meta(self._backup, "annotations")
        limit = durations.seconds(marks.get("velero.io/pod-volume-timeout"), self._site.settings.fs_backup_timeout)
        in_time = await self._site.until(lambda: all(c is None or phase(c) in FINISHED for c in self._state()), limit)
        if not in_time:
            self._log.error("timed out waiting for all PodVolumeBackups to complete")
            return []
        copies = [copy for copy in self._state() if copy is not None]
        if len(copies) < len(self._made):
            self._log.error("pod volume backup failed: the PodVolumeBackup was deleted while it ran")
        for copy in copies:
            self._judge(copy)
        return copies

    def _judge(self, copy: Json) -> None:
        state = phase(copy)
        if state == "Completed":
            return
        word = "canceled" if state == "Canceled" else "failed"
        message = f"pod volume backup {word}: {copy['status'].get('message', '')}"
        pod = copy["spec"]["pod"]
        self._log.error(message, pod["namespace"], resource="pods", name=pod["name"])
