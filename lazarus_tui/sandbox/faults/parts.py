"""Faults of the sandbox's parts: the object store, the disk, Velero's processes, the snapshot driver, quota."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lazarus_tui.model.resources import CLAIMS, LOCATIONS, NAMESPACES, PODS, Resource
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.bucket import Outage
from lazarus_tui.sandbox.controllers.base import Controller, Loop
from lazarus_tui.sandbox.faults.effects import Done
from lazarus_tui.sandbox.faults.model import Fault, FaultRefused
from lazarus_tui.sandbox.faults.parameters import meant
from lazarus_tui.sandbox.velero.installation import STORE_HOST, Installation

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

FAULT_LABEL = "sandbox.lazarus.dev/fault"
"""On objects that a fault made: its id."""

QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")

# etcd's text once its quota is used up (NOSPACE alarm).
_NO_SPACE = "etcdserver: mvcc: database space exceeded"
# The part of a download that still comes when it is cut off.
_SHARE = 0.5


class Switch:
    """Something that is either on or off."""

    def __init__(self, target: str, on: Callable[[Fault], None], off: Callable[[], None]) -> None:
        self._target, self._on, self._off = target, on, off

    async def begin(self, fault: Fault) -> Done:
        self._on(fault)
        return [(self._target, fault.kind)]

    async def end(self, fault: Fault) -> Done:
        self._off()
        return [(self._target, "as before")]


class StoreOutage:
    """Kind ``location-unavailable``."""

    def __init__(self, site: Installation) -> None:
        self._site = site

    async def begin(self, fault: Fault) -> Done:
        buckets = self._buckets(str(fault.parameters["location"]))
        outage: Outage = self._site.store.outage
        how = fault.parameters["how"]
        if how == "refuse":
            outage.refused = lambda bucket: _unreachable(bucket) if bucket in buckets else ""
        elif how == "slow":
            outage.late = float(fault.parameters["delay"])
        else:
            outage.share = _SHARE
        return [(f"bucket {bucket}", f"{how}s") for bucket in buckets]

    def _buckets(self, location: str) -> list[str]:
        there = {
            str(one["metadata"]["name"]): str((one["spec"].get("objectStorage") or {}).get("bucket", ""))
            for one in self._site.list(LOCATIONS)
        }
        if location and location not in there:
            raise FaultRefused(f"there is no storage location {location!r}{meant(location, tuple(there))}")
        return [there[location]] if location else sorted(set(there.values()))

    async def end(self, fault: Fault) -> Done:
        fresh = Outage(full=self._site.store.outage.full)
        outage = self._site.store.outage
        outage.refused, outage.late, outage.share = fresh.refused, fresh.late, fresh.share
        return [("buckets", "answer again")]


def _unreachable(bucket: str) -> str:
    return (
        "rpc error: code = Unknown desc = operation error S3: ListObjectsV2, exceeded maximum number of attempts, 3, "
        f'https response error StatusCode: 0, RequestID: , request send failed, Get "{STORE_HOST}/{bucket}'
        '?delimiter=%2F&list-type=2&prefix=": dial tcp 10.96.0.20:9000: connect: connection refused'
    )


class Full:
    """Kind ``disk-full``."""

    def __init__(self, store: Store, site: Installation) -> None:
        self._store, self._site = store, site

    async def begin(self, fault: Fault) -> Done:
        return [(self._set(fault, True), "full")]

    async def end(self, fault: Fault) -> Done:
        return [(self._set(fault, False), "has space again")]

    def _set(self, fault: Fault, full: bool) -> str:
        part = str(fault.parameters["part"])
        if part == "volumes":
            self._site.disk.full = full
        elif part == "bucket":
            self._site.store.outage.full = full
        else:
            self._store.full = _NO_SPACE if full else ""
        return part


class VeleroRestart:
    """Kind ``velero-restart``: at once, or with a while in between. ``make`` gives the controllers of a new process."""

    def __init__(self, loop: Loop, make: Callable[[], Sequence[Controller]], running: Sequence[Controller]) -> None:
        self._loop, self._make, self._running = loop, make, list(running)

    async def begin(self, fault: Fault) -> Done:
        if not self._running:
            raise FaultRefused("Velero is down already")
        await self._loop.remove(self._running)
        self._running = []
        if not fault.until:
            await self._start()
        return [("velero", "down" if fault.until else "restarted")]

    async def end(self, fault: Fault) -> Done:
        await self._start()
        return [("velero", "up again")]

    async def _start(self) -> None:
        self._running = list(self._make())
        await self._loop.add(self._running)


class Quota:
    """Kind ``quota``: a ResourceQuota that allows what is there and nothing more."""

    def __init__(self, api: LocalApi) -> None:
        self._api = api

    async def begin(self, fault: Fault) -> Done:
        namespace = str(fault.parameters["namespace"])
        if self._api.get(NAMESPACES, namespace) is None:
            names = tuple(str(one["metadata"]["name"]) for one in self._api.list(NAMESPACES))
            raise FaultRefused(f"there is no namespace {namespace!r}{meant(namespace, names)}")
        hard = {kind.plural: str(len(self._api.list(kind, namespace))) for kind in (PODS, CLAIMS)}
        meta = {"name": fault.id, "labels": {FAULT_LABEL: fault.id}}
        self._api.create(QUOTAS, {"metadata": meta, "spec": {"hard": hard}}, namespace)
        return [(f"namespace {namespace}", f"quota {fault.id} is used up")]

    async def end(self, fault: Fault) -> Done:
        namespace = str(fault.parameters["namespace"])
        self._api.delete(QUOTAS, fault.id, namespace)
        return [(f"namespace {namespace}", f"quota {fault.id} removed")]
