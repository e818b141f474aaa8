"""Backups: the queue that lets one run at a time, and the run itself, phase by phase."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from datetime import timedelta

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.labels import BACKUP_UID_LABEL, LOCATION_LABEL, label_value
from lazarus_tui.model.resources import BACKUPS, POD_VOLUME_BACKUPS, PODS, Resource
from lazarus_tui.sandbox.bucket import Bucket
from lazarus_tui.sandbox.controllers.base import Key, Object
from lazarus_tui.sandbox.velero import durations, layout
from lazarus_tui.sandbox.velero.collect import Collector
from lazarus_tui.sandbox.velero.controller import VeleroController
from lazarus_tui.sandbox.velero.defaults import backup_problems, filled_spec
from lazarus_tui.sandbox.velero.hooks import BackupHooks
from lazarus_tui.sandbox.velero.installation import Json, StoreUnreachable, copied, phase
from lazarus_tui.sandbox.velero.layout import Item
from lazarus_tui.sandbox.velero.podvolumes import BackupVolumes
from lazarus_tui.sandbox.velero.results import RunLog
from lazarus_tui.sandbox.velero.volumeinfo import backup_volume_infos, resource_list

logger = logging.getLogger(__name__)

_BUSY = ("ReadyToStart", "InProgress")
_UNFINISHED = ("", "New", "Queued", *_BUSY)
_LINE: Key = ("", "queue")
# Objects handled between two pauses, so the server keeps answering during a large backup.
_STRIDE = 10


def _age(backup: Json) -> tuple[str, int]:
    """Orders backups as they were made; within a second, by their first revision known here."""
    meta = backup["metadata"]
    return str(meta.get("creationTimestamp", "")), int(meta.get("resourceVersion") or 0)


class BackupQueue(VeleroController):
    """Puts new backups in line and readies the first one whenever none is being worked on."""

    name = "backup-queue"
    watches = (BACKUPS,)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        """One key for the whole queue: ten thousand finished backups cost one look, not ten thousand."""
        return (_LINE,) if super().keys(resource, obj, old) else ()

    def concerns(self, obj: Object, old: Object | None) -> bool:
        return phase(obj) in _UNFINISHED if old is None else phase(obj) != phase(old)

    async def reconcile(self, key: Key) -> float | None:
        backups = self.site.list(BACKUPS)
        last = max((self._position(backup) for backup in backups if phase(backup) == "Queued"), default=0)
        new = [backup for backup in backups if phase(backup) in ("", "New")]
        for position, backup in enumerate(sorted(new, key=_age), start=last + 1):
            self.site.status(BACKUPS, backup["metadata"]["name"], phase="Queued", queuePosition=position)
        self._dequeue()
        return None

    def _queued(self) -> list[Json]:
        return sorted((b for b in self.site.list(BACKUPS) if phase(b) == "Queued"), key=self._position)

    @staticmethod
    def _position(backup: Json) -> int:
        return int((backup.get("status") or {}).get("queuePosition") or 0)

    def _dequeue(self) -> None:
        if any(phase(backup) in _BUSY for backup in self.site.list(BACKUPS)):
            return
        waiting = self._queued()
        if not waiting:
            return
        self.site.status(BACKUPS, waiting[0]["metadata"]["name"], phase="ReadyToStart", queuePosition=0)
        for position, backup in enumerate(waiting[1:], start=1):
            if self._position(backup) != position:
                self.site.status(BACKUPS, backup["metadata"]["name"], queuePosition=position)


class BackupRunner(VeleroController):
    """Runs backups that are ready, one at a time, and finishes those a restart left in Finalizing."""

    name = "backup"
    watches = (BACKUPS,)

    def concerns(self, obj: Object, old: Object | None) -> bool:
        return old is None or phase(obj) != phase(old)

    async def start(self) -> None:
        """What was running when the server died cannot be resumed."""
        for backup in self.site.list(BACKUPS):
            if phase(backup) == "InProgress":
                name = backup["metadata"]["name"]
                reason = 'found a backup with status "InProgress" during the server starting, mark it as "Failed"'
                self.site.status(
                    BACKUPS, name, phase="Failed", failureReason=reason, completionTimestamp=self.site.now()
                )
                _cancel_volumes(self, backup["metadata"]["uid"])

    async def reconcile(self, key: Key) -> float | None:
        backup = self.site.get(BACKUPS, key[1])
        if backup is None:
            return None
        if phase(backup) == "ReadyToStart":
            await self._run(backup)
        elif phase(backup) in ("Finalizing", "FinalizingPartiallyFailed"):
            finalize(self, backup)
        return None

    async def _run(self, backup: Json) -> None:
        name = backup["metadata"]["name"]
        started = self.site.clock.now()
        given = backup.get("spec") or {}
        spec = filled_spec(self.site, given)
        problems = backup_problems(self.site, given, spec)
        expiration = rfc3339(started + timedelta(seconds=durations.seconds(spec["ttl"], 0)))
        status: Json = {"version": 1, "formatVersion": layout.FORMAT_VERSION, "expiration": expiration}
        if problems:
            status |= {"phase": "FailedValidation", "validationErrors": problems}
        else:
            status |= {"phase": "InProgress", "startTimestamp": rfc3339(started)}
        ready = self.site.patch(BACKUPS, name, {"metadata": self._marks(spec), "spec": spec, "status": status})
        if ready is None or problems:
            return
        log = self.site.run_log("backup", name)
        try:
            await BackupRun(self, ready, log).run()
        except Exception as error:  # whatever it is, a backup must not stay InProgress for ever
            logger.warning("backup %s failed", name, exc_info=error)
            log.error(f"backup failed: {error}")
            self._fail(name, str(error))
            return
        waiting = self.site.get(BACKUPS, name)
        if waiting is not None and phase(waiting).startswith("Finalizing"):
            finalize(self, waiting)

    def _marks(self, spec: Json) -> Json:
        version = self.site.settings.kubernetes_version
        major, minor = version.lstrip("v").split(".")[:2]
        return {
            "labels": {LOCATION_LABEL: label_value(spec["storageLocation"])},
            "annotations": {
                "velero.io/source-cluster-k8s-gitversion": version,
                "velero.io/source-cluster-k8s-major-version": major,
                "velero.io/source-cluster-k8s-minor-version": minor,
                "velero.io/resource-timeout": durations.text(self.site.settings.resource_timeout),
            },
        }

    def _fail(self, name: str, reason: str) -> None:
        self.site.status(BACKUPS, name, phase="Failed", failureReason=reason, completionTimestamp=self.site.now())


def _cancel_volumes(controller: VeleroController, uid: str) -> None:
    for copy in controller.site.list(POD_VOLUME_BACKUPS, {BACKUP_UID_LABEL: uid}):
        if phase(copy) not in ("Completed", "Failed", "Canceled"):
            controller.site.patch(POD_VOLUME_BACKUPS, copy["metadata"]["name"], {"spec": {"cancel": True}})


def finalize(controller: VeleroController, backup: Json) -> None:
    """The last step: the outcome into the CR and into the bucket's copy of it."""
    site, name = controller.site, backup["metadata"]["name"]
    done = "Completed" if phase(backup) == "Finalizing" else "PartiallyFailed"
    final = site.status(BACKUPS, name, phase=done, completionTimestamp=site.now())
    if final is None:
        return
    try:
        store_metadata(site.backup_bucket(final), final)
    except (StoreUnreachable, OSError) as error:
        site.status(BACKUPS, name, phase="PartiallyFailed")
        site.say("error", f"error uploading backup json: {error}", backup=f"{site.namespace}/{name}")


def store_metadata(bucket: Bucket, backup: Json) -> None:
    """``velero-backup.json``: the CR as other clusters will read it."""
    body = copied(backup)
    for key in ("resourceVersion", "managedFields"):
        body["metadata"].pop(key, None)
    bucket.put(layout.metadata_key(body["metadata"]["name"]), json.dumps(body).encode())


class BackupRun:
    """One run of one backup, from the first item to the upload."""

    def __init__(self, controller: BackupRunner, backup: Json, log: RunLog) -> None:
        self.site, self.backup, self.log = controller.site, backup, log
        self.name = str(backup["metadata"]["name"])
        self.bucket = self.site.backup_bucket(backup)
        self._controller = controller
        self._volumes = BackupVolumes(self.site, backup, log)
        self._hooks = BackupHooks(self.site, backup["spec"], log)
        self._reported = float("-inf")

    async def run(self) -> None:
        if self.bucket.exists(layout.metadata_key(self.name)):
            raise ValueError("backup already exists in object storage")
        self.log.info("Setting up backup log")
        items = Collector(self.site, self.backup["spec"]).items()
        self.log.info(f"Collected {len(items)} items matching the backup spec from the Kubernetes API")
        kept: list[Item] = []
        for done, item in enumerate(items):
            if await self._take(item):
                kept.append(item)
            self._report(done + 1, len(items))
            if done % _STRIDE == _STRIDE - 1:
                await self.site.spend(self.site.settings.item_seconds * _STRIDE)
        self._report(len(items), len(items), final=True)
        copies = await self._volumes.finished()
        await self._hooks.after_all()
        await self._upload(kept, copies)

    async def _take(self, item: Item) -> bool:
        """Back one item up; False when an explicit Fail of a pre hook leaves it out."""
        fields = {"resource": item.group_resource, "name": item.name, "namespace": item.namespace}
        if item.group_resource == PODS.group_resource:
            if not await self._hooks.before(item.body):
                return False
            self._volumes.add(item.body)
            self._hooks.owe(item.body)
        self.log.info("Backed up item", **{key: value for key, value in fields.items() if value})
        return True

    def _report(self, done: int, total: int, *, final: bool = False) -> None:
        """Progress into the CR, at most once a second."""
        now = self.site.clock.monotonic()
        if not final and now - self._reported < 1.0:
            return
        self._reported = now
        self.site.status(BACKUPS, self.name, progress={"totalItems": total, "itemsBackedUp": done})
        self.log.info(
            f"Backed up {done} items out of an estimated total of {total} (estimate will change throughout the backup)",
            progress="",
        )

    async def _upload(self, items: list[Item], copies: list[Json]) -> None:
        infos = backup_volume_infos(items, copies, self._volumes.skipped)
        contents = await asyncio.to_thread(layout.write_tarball, items)
        uploads = {
            layout.artefact_key("BackupContents", self.name): contents,
            layout.artefact_key("BackupResults", self.name): layout.packed(self.log.results()),
            layout.artefact_key("BackupResourceList", self.name): layout.packed(resource_list(items)),
            layout.artefact_key("BackupVolumeInfos", self.name): layout.packed(infos),
            layout.artefact_key("BackupVolumeSnapshots", self.name): layout.packed([]),
            layout.artefact_key("BackupItemOperations", self.name): layout.packed([]),
            layout.pod_volumes_key(self.name): layout.packed(copies),
            layout.artefact_key("BackupLog", self.name): self.log.packed(),
        }
        for key, data in uploads.items():
            self.bucket.put(key, data)
        status: Json = {
            "phase": "FinalizingPartiallyFailed" if self.log.errors.count else "Finalizing",
            "errors": self.log.errors.count or None,
            "warnings": self.log.warnings.count or None,
            "hookStatus": self._hooks.status(),
        }
        waiting = self.site.status(BACKUPS, self.name, **status)
        if waiting is not None:
            store_metadata(self.bucket, waiting)
