"""The node agent: copies pod volumes into the repository and back, one at a time, with bytes as they move."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from lazarus_tui.model.labels import RESTORE_UID_LABEL
from lazarus_tui.model.resources import CLAIMS, POD_VOLUME_BACKUPS, POD_VOLUME_RESTORES, PODS, Resource
from lazarus_tui.sandbox.controllers.base import Key, Object
from lazarus_tui.sandbox.dataplane.content import ContentStore, DamagedContent, Generation
from lazarus_tui.sandbox.dataplane.copy import tree_bytes
from lazarus_tui.sandbox.velero.controller import VeleroController
from lazarus_tui.sandbox.velero.installation import Installation, Json, StoreUnreachable, phase
from lazarus_tui.sandbox.velero.podvolumes import FINALIZER, FINISHED
from lazarus_tui.sandbox.velero.repositories import repository

T = TypeVar("T")
Progress = Callable[[int], None]

# Where the done-file lies in a restored volume; the init container restore-wait looks for it.
DONE_FOLDER = ".velero"


class Canceled(Exception):
    """Somebody set ``spec.cancel`` while bytes were moving."""


class DataPath:
    """Runs one blocking transfer in a thread and writes its bytes into the object that asked for it."""

    def __init__(self, site: Installation, resource: Resource, name: str) -> None:
        self._site, self._resource, self._name = site, resource, name
        self._stop = threading.Event()
        self._done = 0

    def _progress(self, done: int) -> None:
        self._done = done
        if self._stop.is_set():
            raise Canceled

    async def run(self, total: int, transfer: Callable[[Progress], T]) -> T:
        """The transfer's answer; raises ``Canceled`` and whatever the transfer raises."""
        self._report(total)
        task = asyncio.ensure_future(asyncio.to_thread(transfer, self._progress))
        try:
            while not task.done():
                tick = asyncio.ensure_future(self._site.clock.sleep(self._site.settings.progress_period))
                try:
                    await asyncio.wait({task, tick}, return_when=asyncio.FIRST_COMPLETED)
                    if tick.done():
                        self._look(total)
                finally:
                    tick.cancel()
            if self._site.disk.speed:
                await self._pace(total)
            return task.result()
        finally:
            if not task.done():
                self._stop.set()
                await asyncio.gather(asyncio.shield(task), return_exceptions=True)

    async def _pace(self, total: int) -> None:
        """What a slow disk takes beyond the time that the bytes took here."""
        left = total / self._site.disk.speed
        while left > 0 and self._site.disk.speed:  # 0 as soon as it is as fast as before
            step = min(left, self._site.settings.progress_period)
            await self._site.clock.sleep(step)
            left -= step
            self._done = int(total - left * self._site.disk.speed)
            self._look(total)
            if self._stop.is_set():
                raise Canceled

    def _look(self, total: int) -> None:
        self._report(total)
        current = self._site.get(self._resource, self._name)
        if current is None or current["spec"].get("cancel"):
            self._stop.set()

    def _report(self, total: int) -> None:
        self._site.status(self._resource, self._name, progress={"totalBytes": total, "bytesDone": self._done})


class _Mover(VeleroController):
    """What both directions share: cancelling, failing, and giving up what a restart interrupted."""

    resource: Resource

    async def start(self) -> None:
        for obj in self.site.list(self.resource):
            if phase(obj) in ("InProgress", "Canceling"):
                self._end(
                    obj, "Canceled", "found a data path in progress during the node-agent starting, mark it as cancel"
                )

    async def reconcile(self, key: Key) -> float | None:
        obj = self.site.get(self.resource, key[1])
        if obj is None:
            return None
        if obj["metadata"].get("deletionTimestamp"):
            self.site.patch(self.resource, key[1], {"metadata": {"finalizers": None}})
        elif phase(obj) in FINISHED:
            return None
        elif obj["spec"].get("cancel"):
            self._end(obj, "Canceled", "canceled by request")
        else:
            await self._move(obj)
        return None

    async def _move(self, obj: Json) -> None:
        raise RuntimeError(f"{type(self).__name__} moves nothing")

    async def _accept(self, obj: Json) -> None:
        name = obj["metadata"]["name"]
        self.site.patch(self.resource, name, {"metadata": {"finalizers": [FINALIZER]}})
        self.site.status(self.resource, name, phase="Accepted", acceptedTimestamp=self.site.now())
        await self.site.spend(self.site.settings.prepare_seconds)
        self.site.status(self.resource, name, phase="Prepared")

    def _end(self, obj: Json, outcome: str, message: str = "") -> None:
        fields = {"phase": outcome, "completionTimestamp": self.site.now()} | ({"message": message} if message else {})
        self.site.status(self.resource, obj["metadata"]["name"], **fields)
        self.site.patch(self.resource, obj["metadata"]["name"], {"metadata": {"finalizers": None}})


class VolumeBackups(_Mover):
    """Carries out PodVolumeBackups; the pods that write to the claim stand still meanwhile."""

    name = "pod-volume-backup"
    watches = (POD_VOLUME_BACKUPS,)
    resource = POD_VOLUME_BACKUPS

    def concerns(self, obj: Object, old: Object | None) -> bool:
        return super().concerns(obj, old) or bool(obj["metadata"].get("deletionTimestamp"))

    async def _move(self, obj: Json) -> None:
        await self._accept(obj)
        source = obj["spec"]["pod"]
        pod = self.api.get(PODS, source["name"], source["namespace"])
        folder = self.site.node.directory(pod, obj["spec"]["volume"]) if pod else None
        if pod is None or folder is None:
            self._end(obj, "Failed", f"error exposing host path for volume {obj['spec']['volume']}: not mounted")
            return
        name = obj["metadata"]["name"]
        self.site.status(self.resource, name, phase="InProgress", startTimestamp=self.site.now(), path=str(folder.name))
        try:
            saved = await self._save(obj, pod, folder)
        except Canceled:
            self._end(obj, "Canceled", "data path backup canceled")
        except (OSError, DamagedContent, StoreUnreachable) as error:
            self._end(obj, "Failed", f"data path backup failed: {error}")
        else:
            bytes_ = {"totalBytes": saved.bytes, "bytesDone": saved.bytes}
            done = {"snapshotID": saved.name, "progress": bytes_, "incrementalBytes": saved.new_bytes}
            self.site.status(self.resource, name, **done)
            self._end(obj, "Completed")

    async def _save(self, obj: Json, pod: Json, folder: Path) -> Generation:
        store = repository(self.site, obj["spec"]["backupStorageLocation"], obj["spec"]["pod"]["namespace"])
        snapshot = secrets.token_hex(16)
        if self.site.store.outage.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), snapshot)
        path = DataPath(self.site, self.resource, obj["metadata"]["name"])
        async with self.site.node.frozen(pod):
            return await path.run(tree_bytes(folder), lambda progress: store.save(snapshot, folder, progress))


class VolumeRestores(_Mover):
    """Carries out PodVolumeRestores once the pod's volume is there, and leaves the done-file for restore-wait."""

    name = "pod-volume-restore"
    watches = (POD_VOLUME_RESTORES, PODS, CLAIMS)
    resource = POD_VOLUME_RESTORES

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        """A pod that got a node or a claim that got bound may be what a waiting restore needs."""
        if resource == POD_VOLUME_RESTORES:
            return super().keys(resource, obj, old)
        space = obj["metadata"].get("namespace", "")
        return [
            (self.site.namespace, restore["metadata"]["name"])
            for restore in self.site.list(POD_VOLUME_RESTORES)
            if phase(restore) not in FINISHED and restore["spec"]["pod"]["namespace"] == space
        ]

    def concerns(self, obj: Object, old: Object | None) -> bool:
        return super().concerns(obj, old) or bool(obj["metadata"].get("deletionTimestamp"))

    async def _move(self, obj: Json) -> None:
        target = obj["spec"]["pod"]
        pod = self.api.get(PODS, target["name"], target["namespace"])
        if pod is None or pod["metadata"]["uid"] != target["uid"]:
            self._end(obj, "Failed", f"pod {target['namespace']}/{target['name']} is gone")
            return
        folder = self.site.node.directory(pod, obj["spec"]["volume"])
        if folder is None:
            return  # the pod has no node or its claim no volume yet: their events come back here
        await self._accept(obj)
        name = obj["metadata"]["name"]
        started = {"startTimestamp": self.site.now(), "node": self.site.node.name}
        self.site.status(self.resource, name, phase="InProgress", **started)
        try:
            restored = await self._restore(obj, folder)
        except Canceled:
            self._end(obj, "Canceled", "data path restore canceled")
        except (OSError, DamagedContent, StoreUnreachable) as error:
            self._end(obj, "Failed", f"data path restore failed: {error}")
        else:
            bytes_ = {"totalBytes": restored.bytes, "bytesDone": restored.bytes}
            self.site.status(self.resource, name, progress=bytes_)
            self._end(obj, "Completed")

    async def _restore(self, obj: Json, folder: Path) -> Generation:
        spec = obj["spec"]
        store: ContentStore = repository(self.site, spec["backupStorageLocation"], spec["sourceNamespace"])
        path = DataPath(self.site, self.resource, obj["metadata"]["name"])
        self.site.disk.check(folder)
        total = await asyncio.to_thread(store.size, spec["snapshotID"])
        restored = await path.run(total, lambda progress: store.restore(spec["snapshotID"], folder, progress))
        done = folder / DONE_FOLDER
        shutil.rmtree(done, ignore_errors=True)
        done.mkdir(mode=0o755)
        (done / restore_uid(obj)).touch()
        return restored


def restore_uid(pod_volume_restore: Json) -> str:
    return str(pod_volume_restore["metadata"]["labels"][RESTORE_UID_LABEL])
