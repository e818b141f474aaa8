"""Claims find their volumes: by name, among those that wait, or a new directory is made, empty or with a copy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import CLAIMS, STORAGECLASSES, VOLUMES, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import is_ending
from lazarus_tui.sandbox.controllers.quantities import quantity
from lazarus_tui.sandbox.controllers.retries import Retries
from lazarus_tui.sandbox.dataplane.volumes import DRIVER
from lazarus_tui.sandbox.snapshots.driver import DirectoryDriver, DriverFault
from lazarus_tui.sandbox.snapshots.names import SNAPSHOTS
from lazarus_tui.sandbox.snapshots.restore import (
    Filling,
    NotOurs,
    NotProvisionable,
    find_filling,
    hold,
    release,
    release_left_behind,
)

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

SELECTED_NODE = "volume.kubernetes.io/selected-node"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
_PROVISIONER = "volume.kubernetes.io/storage-provisioner"


class ClaimController(Controller):
    """Binds claims to volumes and makes volumes for those that no volume waits for."""

    name = "claim"
    watches: ClassVar[Sequence[Resource]] = (CLAIMS, VOLUMES, STORAGECLASSES)
    workers: ClassVar[int] = 4  # so that one large copy does not keep all other claims waiting

    def __init__(self, api: LocalApi, clock: Clock, driver: DirectoryDriver) -> None:
        super().__init__(api, clock)
        self._driver = driver
        self._recorder = Recorder(api, clock, "persistentvolume-controller")
        self._provisioner = Recorder(api, clock, DRIVER)
        self._retries: Retries[str] = Retries(clock)

    async def start(self) -> None:
        release_left_behind(self.api)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == CLAIMS:
            return (key_of(obj),)
        if resource == VOLUMES and (reference := obj["spec"].get("claimRef")):
            return ((reference.get("namespace", ""), reference["name"]),)
        return [key_of(claim) for claim in self.api.list(CLAIMS) if not claim["spec"].get("volumeName")]

    async def reconcile(self, key: Key) -> float | None:
        claim = self.api.get(CLAIMS, key[1], key[0])
        if claim is None:
            return None
        if name := claim["spec"].get("volumeName"):
            self._by_name(claim, name)
        elif not is_ending(claim):
            return await self._find(claim)
        return None

    def _by_name(self, claim: Object, name: str) -> None:
        """A claim that names its volume gets that one or none."""
        self._retries.forget(claim["metadata"]["uid"])
        volume = self.api.get(VOLUMES, name)
        if volume is None:
            self._unbound(claim, f'the volume "{name}" does not exist')
        elif not _free_for(volume, claim):
            reference = volume["spec"]["claimRef"]
            text = f'volume "{name}" already bound to a different claim ({reference["namespace"]}/{reference["name"]}).'
            self._unbound(claim, text)
        elif not _reference(volume) and (why := _mismatch(volume, claim)):
            self._unbound(claim, f'Cannot bind to requested volume "{name}": {why}', "VolumeMismatch")
        elif not is_ending(claim) or _reference(volume).get("uid"):
            self._bind(claim, self._grown(claim, volume))

    def _grown(self, claim: Object, volume: Object) -> Object:
        """The volume, as large as its claim asks for where its class lets it grow."""
        asked = claim["spec"]["resources"]["requests"]["storage"]
        storage = self.api.get(STORAGECLASSES, claim["spec"].get("storageClassName") or "")
        ours = (volume["spec"].get("csi") or {}).get("driver") == DRIVER
        bound = _reference(volume).get("uid") == claim["metadata"]["uid"]
        if not (ours and bound and (storage or {}).get("allowVolumeExpansion")) or quantity(asked) <= _capacity(volume):
            return volume
        grown = self.api.patch(VOLUMES, volume["metadata"]["name"], {"spec": {"capacity": {"storage": asked}}})
        self._provisioner.normal(claim, "VolumeResizeSuccessful", "Resize volume succeeded")
        return grown

    def _unbound(self, claim: Object, why: str, reason: str = "FailedBinding") -> None:
        """A claim without its volume waits; one that once had it has lost it."""
        lost = BIND_COMPLETED in (claim["metadata"].get("annotations") or {})
        phase = "Lost" if lost else "Pending"
        if (claim.get("status") or {}).get("phase") != phase:
            self.api.update_status(CLAIMS, {**claim, "status": {"phase": phase}})
        self._recorder.warning(claim, "ClaimLost" if lost else reason, why)

    async def _find(self, claim: Object) -> float | None:
        volumes = [one for one in self.api.list(VOLUMES) if not is_ending(one)]
        reserved = [one for one in volumes if _reference(one) and _free_for(one, claim)]
        if reserved:
            self._bind(claim, reserved[0])
            return None
        class_name = claim["spec"].get("storageClassName") or ""
        storage = self.api.get(STORAGECLASSES, class_name) if class_name else None
        late = (storage or {}).get("volumeBindingMode") == "WaitForFirstConsumer"
        node = (claim["metadata"].get("annotations") or {}).get(SELECTED_NODE)
        if late and not node:
            text = "waiting for first consumer to be created before binding"
            self._recorder.normal(claim, "WaitForFirstConsumer", text)
            return None
        fitting = [one for one in volumes if not _reference(one) and _fits(one, claim, class_name)]
        if fitting and not (claim["spec"].get("dataSource") or claim["spec"].get("dataSourceRef")):
            self._bind(claim, min(fitting, key=_capacity))
        elif storage is None:
            text = (
                f'storageclass.storage.k8s.io "{class_name}" not found'
                if class_name
                else "no persistent volumes available for this claim and no storage class is set"
            )
            self._recorder.warning(claim, "ProvisioningFailed" if class_name else "FailedBinding", text)
        elif storage["provisioner"] == DRIVER:
            return await self._provision(claim, storage)
        else:
            self._recorder.normal(claim, "ExternalProvisioning", _waiting_for(storage["provisioner"]))
        return None

    async def _provision(self, claim: Object, storage: Object) -> float | None:
        """Has the driver make a volume; seconds until the next attempt when that fails."""
        meta, class_name = claim["metadata"], storage["metadata"]["name"]
        if wait := self._retries.wait(meta["uid"]):
            return wait
        self._recorder.normal(claim, "ExternalProvisioning", _waiting_for(DRIVER))
        text = f'External provisioner is provisioning volume for claim "{meta["namespace"]}/{meta["name"]}"'
        self._provisioner.normal(claim, "Provisioning", text)
        try:
            await self._make(claim, storage)
        except NotOurs:
            text = "Assuming an external populator will provision the volume"
            self._provisioner.normal(claim, "Provisioning", text)
            return None
        except (NotProvisionable, DriverFault) as fault:
            text = f'failed to provision volume with StorageClass "{class_name}": {fault}'
            self._provisioner.warning(claim, "ProvisioningFailed", text)
            return self._retries.again(meta["uid"])
        self._retries.forget(meta["uid"])
        return None

    async def _make(self, claim: Object, storage: Object) -> None:
        """Data first, then the object: nobody ever sees the volume of a restore without its data."""
        filling = find_filling(self.api, claim, storage)
        volume = _volume(claim, storage)
        name = volume["metadata"]["name"]
        if filling is None:
            self._driver.volumes.create(name)
        else:
            hold(self.api, filling)
            try:
                await self._fill(filling, name)
            finally:
                release(self.api, filling)
        now = self.api.get(CLAIMS, claim["metadata"]["name"], claim["metadata"]["namespace"])
        if now is None or now["metadata"]["uid"] != claim["metadata"]["uid"]:
            await asyncio.to_thread(self._driver.volumes.delete, volume)
        elif self.api.get(VOLUMES, name) is None:
            self.api.create(VOLUMES, volume)
            self._provisioner.normal(claim, "ProvisioningSucceeded", f"Successfully provisioned volume {name}")

    async def _fill(self, filling: Filling, name: str) -> None:
        if filling.resource == SNAPSHOTS:
            await self._driver.restore(filling.handle, name)
        else:
            await self._driver.clone(filling.handle, name)

    def _bind(self, claim: Object, volume: Object) -> None:
        """The volume names the claim, then the claim the volume, then both say so; a crash in between is no harm."""
        meta, name = claim["metadata"], volume["metadata"]["name"]
        if _reference(volume).get("uid") != meta["uid"]:
            patch = {
                "spec": {"claimRef": _claim_reference(claim)},
                "metadata": {"annotations": {BOUND_BY_CONTROLLER: "yes"}},
            }
            volume = self.api.patch(VOLUMES, name, patch)
        annotations = meta.get("annotations") or {}
        if claim["spec"].get("volumeName") != name or BIND_COMPLETED not in annotations:
            added = {BIND_COMPLETED: "yes"}
            if not claim["spec"].get("volumeName"):
                added |= {BOUND_BY_CONTROLLER: "yes", _PROVISIONER: DRIVER}
            patch = {"metadata": {"uid": meta["uid"], "annotations": added}, "spec": {"volumeName": name}}
            claim = self.api.patch(CLAIMS, meta["name"], patch, meta["namespace"])
        status = {
            "phase": "Bound",
            "accessModes": volume["spec"].get("accessModes", []),
            "capacity": dict(volume["spec"].get("capacity") or {}),
        }
        if (claim.get("status") or {}) != status:
            self.api.update_status(CLAIMS, {**claim, "status": status})


def _volume(claim: Object, storage: Object) -> Object:
    """The volume that is to be made for a claim."""
    name, spec = f"pvc-{claim['metadata']['uid']}", claim["spec"]
    return {
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: DRIVER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "storageClassName": storage["metadata"]["name"],
            "persistentVolumeReclaimPolicy": storage.get("reclaimPolicy", "Delete"),
            "csi": {"driver": DRIVER, "volumeHandle": name, "volumeAttributes": {"backing": "directory"}},
            "claimRef": _claim_reference(claim),
        },
    }


def _waiting_for(provisioner: str) -> str:
    return (
        f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the "
        "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
        "correctly registered."
    )


def _reference(volume: Object) -> Object:
    found: Object = volume["spec"].get("claimRef") or {}
    return found


def _claim_reference(claim: Object) -> Object:
    meta = claim["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
    }


def _free_for(volume: Object, claim: Object) -> bool:
    """Nobody has the volume, or it is kept for this claim: by name, and by uid when one is written there."""
    reference, meta = _reference(volume), claim["metadata"]
    if not reference:
        return True
    named = (reference.get("namespace"), reference.get("name")) == (meta["namespace"], meta["name"])
    return named and reference.get("uid") in (None, "", meta["uid"])


def _mismatch(volume: Object, claim: Object) -> str:
    """Why nobody's volume cannot be this claim's; one that is kept for the claim by name is not asked."""
    theirs, ours = volume["spec"], claim["spec"]
    if _capacity(volume) < quantity((ours.get("resources") or {}).get("requests", {}).get("storage", "0")):
        return "requested PV is too small"
    if (theirs.get("storageClassName") or "") != (ours.get("storageClassName") or ""):
        return "storageClassName does not match"
    if theirs.get("volumeMode", "Filesystem") != ours.get("volumeMode", "Filesystem"):
        return "incompatible volumeMode"
    if not set(ours.get("accessModes") or ()) <= set(theirs.get("accessModes") or ()):
        return "incompatible accessMode"
    return ""


def _fits(volume: Object, claim: Object, class_name: str) -> bool:
    spec = volume["spec"]
    asked = quantity((claim["spec"].get("resources") or {}).get("requests", {}).get("storage", "0"))
    return (
        (volume.get("status") or {}).get("phase") == "Available"
        and (spec.get("storageClassName") or "") == class_name
        and set(claim["spec"].get("accessModes") or ()) <= set(spec.get("accessModes") or ())
        and _capacity(volume) >= asked
    )


def _capacity(volume: Object) -> int:
    return quantity((volume["spec"].get("capacity") or {}).get("storage", "0"))
