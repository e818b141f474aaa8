"""Writes the shop and its history into a fresh cluster and its buckets, before any controller runs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.labels import BACKUP_NAME_LABEL, BACKUP_UID_LABEL, LOCATION_LABEL, SCHEDULE_LABEL
from lazarus_tui.model.resources import (
    BACKUPS,
    CLAIMS,
    LOCATIONS,
    POD_VOLUME_BACKUPS,
    PODS,
    RESTORES,
    SCHEDULES,
    STATEFULSETS,
    VOLUMES,
)
from lazarus_tui.sandbox.bucket import Bucket
from lazarus_tui.sandbox.controllers.pods import pod_of, template_hash
from lazarus_tui.sandbox.dataplane.content import ContentStore, Generation
from lazarus_tui.sandbox.dataplane.kubelet import NODE
from lazarus_tui.sandbox.dataplane.volumes import DRIVER, VolumeStore
from lazarus_tui.sandbox.scenarios.manifests import apply
from lazarus_tui.sandbox.scenarios.orderbook import OrderBook
from lazarus_tui.sandbox.scenarios.past import RESTARTED, PastBackup, PastRestore, past_backups, past_restores
from lazarus_tui.sandbox.velero import layout, volumeinfo
from lazarus_tui.sandbox.velero.collect import Collector
from lazarus_tui.sandbox.velero.defaults import filled_spec
from lazarus_tui.sandbox.velero.installation import Installation, Json
from lazarus_tui.sandbox.velero.layout import Item
from lazarus_tui.sandbox.velero.order import NON_RESTORABLE
from lazarus_tui.sandbox.velero.repositories import UPLOADER, ensure_repository, identifier
from lazarus_tui.sandbox.velero.restore import FINALIZER
from lazarus_tui.sandbox.velero.results import RunLog

CLAIM = "data-orders-0"
SPACE = "shop"
_FULL = "no space left on device"


def install_shop(site: Installation, volumes: VolumeStore, orders: OrderBook) -> None:
    """The shop's objects and its claim, bound to a volume that holds the orders so far."""
    apply(site.api, "shop")
    claim = _claim(site)
    volume = f"pvc-{claim['metadata']['uid']}"
    orders.write(volumes.create(volume), orders.count(site.clock.now()))
    site.api.create(VOLUMES, _volume(volume, claim))
    bound = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
    patch = {"metadata": {"annotations": bound}, "spec": {"volumeName": volume}}
    claim = site.api.patch(CLAIMS, CLAIM, patch, SPACE)
    capacity = {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    site.api.update_status(CLAIMS, {**claim, "status": capacity})
    kept = site.api.get(VOLUMES, volume)
    if kept is not None:
        site.api.update_status(VOLUMES, {**kept, "status": {"phase": "Bound"}})


def _claim(site: Installation) -> Json:
    return site.api.create(
        CLAIMS,
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM, "namespace": SPACE, "labels": {"app": "orders"}},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "standard",
                "volumeMode": "Filesystem",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
        SPACE,
    )


def _volume(name: str, claim: Json) -> Json:
    reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": SPACE, "name": CLAIM}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER}},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "claimRef": reference | {"uid": claim["metadata"]["uid"]},
            "csi": {"driver": DRIVER, "volumeHandle": name},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "standard",
            "volumeMode": "Filesystem",
        },
    }


class History:
    """Writes past backups and restores. What many of them have in common is kept once, by hard links."""

    def __init__(self, site: Installation, orders: OrderBook) -> None:
        self._site, self._orders = site, orders
        self._now = site.clock.now()
        self._scratch = Path(tempfile.mkdtemp(prefix="lazarus-seed-"))
        self._saved: dict[tuple[str, int], Generation] = {}
        self._contents: dict[str, tuple[bytes, list[Item]]] = {}
        self._first: dict[tuple[str, str], str] = {}

    def write(self) -> None:
        try:
            schedules = self._site.list(SCHEDULES)
            backups = past_backups(self._now, schedules)
            uids = {past.name: self._write_backup(past) for past in backups}
            for restore in past_restores(backups):
                self._write_restore(restore, uids)
            for schedule in schedules:
                self._tell(schedule, backups)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _tell(self, schedule: Json, backups: list[PastBackup]) -> None:
        name = schedule["metadata"]["name"]
        last = max((past.start for past in backups if past.schedule == name), default=None)
        if last is not None:
            self._site.patch(SCHEDULES, name, {"spec": {"skipImmediately": False}, "status": {"phase": "Enabled"}})
            self._site.status(SCHEDULES, name, lastBackup=rfc3339(last))

    def _items(self, past: PastBackup) -> tuple[bytes, list[Item]]:
        """The objects of a backup: today's, with the pod of the order book added, which runs only later."""
        key = json.dumps(past.spec.get("includedNamespaces")) + json.dumps(past.spec.get("includedResources"))
        if key not in self._contents:
            items = Collector(self._site, past.spec).items()
            if not past.spec.get("includedResources"):
                items = [_orders_pod(self._site), *items]
            self._contents[key] = (layout.write_tarball(items), items)
        return self._contents[key]

    def _bucket(self, past: PastBackup) -> Bucket | None:
        location = self._site.get(LOCATIONS, past.location)
        if location is None or past.location == "offsite":
            return None  # its store does not answer: nothing of it is here
        return self._site.bucket_of(location)

    def _write_backup(self, past: PastBackup) -> str:
        """Create the CR, its PodVolumeBackup and its files; the CR's uid."""
        contents, items = self._items(past)
        made = self._site.api.create(BACKUPS, self._backup(past, len(items)), self._site.namespace)
        uid = str(made["metadata"]["uid"])
        bucket = self._bucket(past)
        if bucket is None or past.phase == "Failed":
            return uid
        copies = [self._copy(past, uid, items[0], bucket)] if past.volumes in ("whole", "broken") else []
        for copy in copies:
            self._site.api.create(POD_VOLUME_BACKUPS, copy, self._site.namespace)
        self._files(past, made, bucket, contents, items, copies)
        return uid

    def _backup(self, past: PastBackup, total: int) -> Json:
        labels = dict(past.labels) | {LOCATION_LABEL: past.location}
        if past.schedule:
            labels[SCHEDULE_LABEL] = past.schedule
        status: Json = {
            "version": 1,
            "formatVersion": layout.FORMAT_VERSION,
            "phase": past.phase,
            "startTimestamp": rfc3339(past.start),
            "completionTimestamp": rfc3339(past.start + past.took),
            "expiration": rfc3339(past.expiration),
            "progress": {"totalItems": total, "itemsBackedUp": total},
        }
        if past.phase == "PartiallyFailed":
            status["errors"] = 1
        if past.phase == "Failed":
            status |= {"failureReason": RESTARTED, "progress": {"totalItems": total, "itemsBackedUp": total // 3}}
        return {
            "apiVersion": BACKUPS.api_version,
            "kind": BACKUPS.kind,
            "metadata": {
                "name": past.name,
                "namespace": self._site.namespace,
                "labels": labels,
                "annotations": {"velero.io/source-cluster-k8s-gitversion": self._site.settings.kubernetes_version},
            },
            "spec": filled_spec(self._site, past.spec),
            "status": status,
        }

    def _generation(self, past: PastBackup, bucket: Bucket) -> Generation:
        """The order book as it was then; older points share the state of a day or a month."""
        moment = past.start
        age = self._now - moment
        if past.rank > 3 and age > timedelta(hours=6):
            moment = moment.replace(hour=0, minute=0, second=0)
        if age > timedelta(days=7):
            moment = moment.replace(day=1)
        orders = self._orders.count(moment)
        key = (bucket.root.name, orders)
        if key not in self._saved:
            folder = self._scratch / str(orders)
            if not folder.exists():
                self._orders.write(folder, orders)
            store = ContentStore(bucket.path(f"{UPLOADER}/{SPACE}"))
            self._saved[key] = store.save(past.token(32), folder)
            ensure_repository(self._site, past.location, SPACE)
        return self._saved[key]

    def _copy(self, past: PastBackup, uid: str, pod: Item, bucket: Bucket) -> Json:
        location = self._site.get(LOCATIONS, past.location) or {"spec": {}}
        status: Json = {"startTimestamp": rfc3339(past.start + timedelta(seconds=1)), "path": CLAIM}
        status["completionTimestamp"] = rfc3339(past.start + past.took - timedelta(seconds=1))
        if past.volumes == "whole":
            saved = self._generation(past, bucket)
            done = {"totalBytes": saved.bytes, "bytesDone": saved.bytes}
            status |= {"phase": "Completed", "snapshotID": saved.name, "progress": done}
        else:
            status |= {"phase": "Failed", "message": f"data path backup failed: {_FULL}"}
        claim = self._site.api.get(CLAIMS, CLAIM, SPACE) or {"metadata": {"uid": ""}}
        return {
            "apiVersion": POD_VOLUME_BACKUPS.api_version,
            "kind": POD_VOLUME_BACKUPS.kind,
            "metadata": {
                "name": f"{past.name}-{past.token(5)}",
                "namespace": self._site.namespace,
                "labels": {
                    BACKUP_NAME_LABEL: past.name,
                    BACKUP_UID_LABEL: uid,
                    "velero.io/pvc-uid": claim["metadata"]["uid"],
                },
                "annotations": {"velero.io/pvc-name": CLAIM},
                "ownerReferences": [
                    {
                        "apiVersion": BACKUPS.api_version,
                        "kind": "Backup",
                        "name": past.name,
                        "uid": uid,
                        "controller": True,
                    }
                ],
            },
            "spec": {
                "node": NODE,
                "pod": {"kind": "Pod", "namespace": SPACE, "name": pod.name, "uid": pod.body["metadata"]["uid"]},
                "volume": "data",
                "backupStorageLocation": past.location,
                "repoIdentifier": identifier(location, SPACE),
                "uploaderType": UPLOADER,
            },
            "status": status,
        }

    def _files(
        self, past: PastBackup, made: Json, bucket: Bucket, contents: bytes, items: list[Item], copies: list[Json]
    ) -> None:
        log = RunLog(_Then(past.start), {"backup": f"{self._site.namespace}/{past.name}"}, lambda _: None)
        log.info(f"Collected {len(items)} items matching the backup spec from the Kubernetes API")
        if past.volumes == "broken":
            log.error(f"pod volume backup failed: data path backup failed: {_FULL}", SPACE, resource="pods")
        infos = volumeinfo.backup_volume_infos(items, copies, {})
        meta = {
            key: value for key, value in made["metadata"].items() if key not in ("resourceVersion", "managedFields")
        }
        own: dict[str, bytes] = {
            layout.artefact_key("BackupVolumeInfos", past.name): layout.packed(infos),
            layout.pod_volumes_key(past.name): layout.packed(copies),
            layout.artefact_key("BackupLog", past.name): log.packed(),
            layout.metadata_key(past.name): json.dumps({**made, "metadata": meta}).encode(),
        }
        for key, data in own.items():
            bucket.put(key, data)
        shared: dict[str, Callable[[], bytes]] = {
            "BackupContents": lambda: contents,
            "BackupResourceList": lambda: layout.packed(volumeinfo.resource_list(items)),
            "BackupResults": lambda: layout.packed(log.results()),
            "BackupVolumeSnapshots": lambda: layout.packed([]),
        }
        alike = f"{id(items)}-{past.volumes}"
        for kind, data_of in shared.items():
            key = layout.artefact_key(kind, past.name)
            source = self._first.setdefault((bucket.root.name, f"{kind}-{alike}"), key)
            if source == key:
                bucket.put(key, data_of())
            else:
                bucket.link(key, source)

    def _write_restore(self, past: PastRestore, uids: dict[str, str]) -> None:
        status: Json = {"phase": past.phase}
        if past.phase == "FailedValidation":
            status["validationErrors"] = ["Invalid ExistingResourcePolicy: overwrite"]
        else:
            status |= {
                "startTimestamp": rfc3339(past.start),
                "completionTimestamp": rfc3339(past.start + past.took),
                "progress": {"totalItems": 24, "itemsRestored": 24},
            }
        if past.errors:
            status["errors"] = len(past.errors)
        spec: Json = {
            "backupName": past.backup,
            "includedNamespaces": [SPACE],
            "excludedResources": list(NON_RESTORABLE),
        }
        if past.mapping:
            spec["namespaceMapping"] = dict(past.mapping)
        if past.phase == "FailedValidation":
            spec["existingResourcePolicy"] = "overwrite"
        body = {
            "apiVersion": RESTORES.api_version,
            "kind": RESTORES.kind,
            "metadata": {"name": past.name, "namespace": self._site.namespace, "finalizers": [FINALIZER]},
            "spec": spec,
            "status": status,
        }
        self._site.api.create(RESTORES, body, self._site.namespace)
        backup = self._site.get(BACKUPS, past.backup)
        if backup is not None and past.phase != "FailedValidation":
            self._restore_files(past, self._site.backup_bucket(backup))

    def _restore_files(self, past: PastRestore, bucket: Bucket) -> None:
        log = RunLog(_Then(past.start), {"restore": f"{self._site.namespace}/{past.name}"}, lambda _: None)
        log.info("starting restore")
        space = dict(past.mapping).get(SPACE, SPACE)
        for error in past.errors:
            log.error(error, space)
        log.info("restore completed")
        for kind, data in (
            ("RestoreLog", log.packed()),
            ("RestoreResults", layout.packed(log.results())),
            ("RestoreResourceList", layout.packed({"apps/v1/StatefulSet": [f"{space}/orders(created)"]})),
            ("RestoreVolumeInfo", layout.packed([])),
        ):
            bucket.put(layout.artefact_key(kind, past.name), data)


class _Then:
    """A clock that shows one past moment, for the stamps in old logs."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise RuntimeError("the past does not pass")


def _orders_pod(site: Installation) -> Item:
    """The pod ``orders-0`` as its StatefulSet makes it, running."""
    owner = site.api.get(STATEFULSETS, "orders", SPACE)
    if owner is None:
        raise LookupError("the shop is not installed")
    pod: dict[str, Any] = pod_of(owner, STATEFULSETS, owner["spec"]["template"])
    pod["metadata"] |= {"name": "orders-0", "uid": "00000000-0000-4000-8000-000000000000"}
    pod["metadata"]["labels"] |= {
        "controller-revision-hash": f"orders-{template_hash(owner['spec']['template'])}",
        "statefulset.kubernetes.io/pod-name": "orders-0",
        "apps.kubernetes.io/pod-index": "0",
    }
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}}
    pod["spec"] |= {"nodeName": NODE, "hostname": "orders-0", "subdomain": "orders", "volumes": [volume]}
    pod["status"] = {"phase": "Running"}
    return Item(PODS.group_resource, SPACE, "orders-0", pod)
