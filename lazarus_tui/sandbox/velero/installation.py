"""What every part of one Velero installation is handed: the API, the clock, the buckets, the node and the log."""

from __future__ import annotations

import asyncio
import copy
import errno
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.resources import LOCATIONS, Resource
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.bucket import Bucket, ObjectStore
from lazarus_tui.sandbox.velero.results import RunLog, log_line

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi
    from lazarus_tui.sandbox.runtime import PodRuntime

Json = dict[str, Any]

# Host of the sandbox's own object store as the storage locations name it; any other does not answer here.
STORE_HOST = "http://store.velero.svc:9000"
SERVER_VERSION = "v1.18.2"


class Node(Protocol):
    """What the node agent needs of the sandbox's one node."""

    name: str

    def directory(self, pod: Mapping[str, Any], volume: str) -> Path | None:
        """The directory behind a pod's volume, or None while there is none."""
        ...

    def frozen(self, pod: Mapping[str, Any]) -> AbstractAsyncContextManager[None]:
        """Everything that writes to the pod's claims stands still inside the block."""
        ...


@dataclass(slots=True)
class Disk:
    """The disk that volumes are on: ``full`` refuses copies, ``speed`` in bytes a second slows them (0: as it is)."""

    full: bool = False
    speed: float = 0.0

    def check(self, path: Path) -> None:
        """Raises ``OSError`` when nothing more can be written."""
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


class StoreUnreachable(Exception):
    """A storage location does not answer; the text is the cause."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Flags of ``velero server`` with their defaults, in seconds of the clock.

    ``prepare_seconds`` is what a real node agent spends on getting a data mover ready, ``item_seconds`` what an object
    costs against a real API; 0 leaves both out.
    """

    backup_ttl: float = 720 * 3600
    sync_period: float = 60
    validation_period: float = 60
    schedule_period: float = 60
    gc_period: float = 3600
    download_seconds: float = 600
    fs_backup_timeout: float = 4 * 3600
    item_operation_timeout: float = 4 * 3600
    csi_snapshot_timeout: float = 600
    resource_timeout: float = 600
    progress_period: float = 10
    default_location: str = "default"
    default_volumes_to_fs_backup: bool = False
    kubernetes_version: str = "v1.36.0"
    prepare_seconds: float = 0.0
    item_seconds: float = 0.0


@dataclass(slots=True)
class Installation:
    """``log`` takes lines of the server's log; ``kinds`` lists every kind the API serves."""

    api: LocalApi
    clock: Clock
    store: ObjectStore
    node: Node
    kinds: Callable[[], Iterable[Resource]]
    runtime: PodRuntime | None = None
    log: Callable[[str], None] = field(default=lambda _line: None)
    namespace: str = "velero"
    settings: Settings = field(default_factory=Settings)
    disk: Disk = field(default_factory=Disk)

    def now(self) -> str:
        return rfc3339(self.clock.now())

    def say(self, level: str, message: str, **fields: str) -> None:
        self.log(log_line(self.now(), level, message, fields))

    def run_log(self, kind: str, name: str) -> RunLog:
        return RunLog(self.clock, {kind: f"{self.namespace}/{name}"}, self.log)

    def get(self, resource: Resource, name: str) -> Json | None:
        """An object in Velero's namespace."""
        return self.api.get(resource, name, self.namespace)

    def list(self, resource: Resource, labels: Mapping[str, str] | None = None) -> list[Json]:
        return self.api.list(resource, self.namespace, labels=labels)

    def patch(self, resource: Resource, name: str, patch: Json) -> Json | None:
        """Merge-patch an object in Velero's namespace; None when it has gone meanwhile."""
        try:
            return self.api.patch(resource, name, patch, self.namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def status(self, resource: Resource, name: str, **fields: Any) -> Json | None:
        return self.patch(resource, name, {"status": fields})

    def resolve(self, name: str) -> str:
        """``plural.group`` for a plural, a kind or a name with its group; unknown names stay as they are."""
        wanted = name.lower()
        for kind in self.kinds():
            if wanted in (kind.group_resource, kind.plural, kind.kind.lower()):
                return kind.group_resource
        return wanted

    def bucket_of(self, location: Mapping[str, Any]) -> Bucket:
        """The bucket of a BackupStorageLocation, at its prefix; raises ``StoreUnreachable``."""
        spec = location["spec"]
        url = str((spec.get("config") or {}).get("s3Url", STORE_HOST))
        storage = spec.get("objectStorage") or {}
        name = str(storage.get("bucket", ""))
        if url != STORE_HOST:
            raise StoreUnreachable(
                "rpc error: code = Unknown desc = operation error S3: ListObjectsV2, exceeded maximum number of "
                f'attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Get "{url}/{name}'
                '?delimiter=%2F&list-type=2&prefix=": dial tcp: i/o timeout'
            )
        if not name or not self.store.has(name):
            raise StoreUnreachable(
                "rpc error: code = Unknown desc = operation error S3: ListObjectsV2, https response error "
                "StatusCode: 404, NoSuchBucket: The specified bucket does not exist"
            )
        if why := self.store.outage.refused(name):
            raise StoreUnreachable(why)
        bucket = self.store.bucket(name)
        prefix = str(storage.get("prefix", "")).strip("/")
        return bucket.at(prefix) if prefix else bucket

    def backup_bucket(self, backup: Mapping[str, Any]) -> Bucket:
        """The bucket a Backup lies in; raises ``StoreUnreachable``, also when its location is gone."""
        name = backup["spec"].get("storageLocation") or self.settings.default_location
        location = self.get(LOCATIONS, name)
        if location is None:
            raise StoreUnreachable(f'backupstoragelocations.velero.io "{name}" not found')
        return self.bucket_of(location)

    async def spend(self, seconds: float) -> None:
        """Let this much time pass by the clock; with none to spend, only let others run."""
        if seconds > 0:
            await self.clock.sleep(seconds)
        else:
            await asyncio.sleep(0)

    async def until(self, holds: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``holds`` is true, looking again after every change in the cluster; False after ``timeout``."""
        async with self._changes() as changed:
            deadline = asyncio.ensure_future(self.clock.sleep(timeout))
            try:
                while not holds():
                    changed.clear()
                    waiter = asyncio.ensure_future(changed.wait())
                    try:
                        await asyncio.wait({waiter, deadline}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        waiter.cancel()
                    if deadline.done():
                        return holds()
                return True
            finally:
                deadline.cancel()

    @asynccontextmanager
    async def _changes(self) -> AsyncIterator[asyncio.Event]:
        changed = asyncio.Event()
        unsubscribe = self.api.subscribe(lambda *_: changed.set())
        try:
            yield changed
        finally:
            unsubscribe()


def phase(obj: Mapping[str, Any]) -> str:
    return str((obj.get("status") or {}).get("phase") or "")


def meta(obj: Mapping[str, Any], key: str) -> dict[str, str]:
    """``labels`` or ``annotations`` of an object, never None."""
    return (obj.get("metadata") or {}).get(key) or {}


def copied(obj: Mapping[str, Any]) -> Json:
    """A deep copy: what the API hands out must not be changed."""
    return copy.deepcopy(dict(obj))


def owner(kind: str, obj: Mapping[str, Any]) -> Json:
    return {
        "apiVersion": "velero.io/v1",
        "kind": kind,
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
    }
