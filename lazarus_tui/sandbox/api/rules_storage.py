"""Claims, volumes and their classes: what they need and what never changes (upstream core and storage validation)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lazarus_tui.model.quantities import QuantityError, parse
from lazarus_tui.sandbox.api.causes import (
    Causes,
    Object,
    chosen,
    forbidden,
    invalid_value,
    part,
    required,
    spec_of,
    unchanged,
    unsupported,
)
from lazarus_tui.sandbox.api.claim_sources import source_causes

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_MODES = ("Block", "Filesystem")
_RECLAIM = ("Delete", "Recycle", "Retain")
_BINDING = ("Immediate", "WaitForFirstConsumer")
# Every kind of volume a PersistentVolume may be.
_SOURCES = (
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
)
_SOURCE_NEEDS = {
    "csi": ("driver", "volumeHandle"),
    "hostPath": ("path",),
    "nfs": ("server", "path"),
    "local": ("path",),
}


def _mode_causes(spec: Object) -> Causes:
    modes = spec.get("accessModes") or []
    if not modes:
        return [required("spec.accessModes", "at least 1 access mode is required")]
    causes = [unsupported("spec.accessModes", mode, _MODES) for mode in modes if mode not in _MODES]
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        causes.append(forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes"))
    return causes + chosen(spec, "spec", volumeMode=_VOLUME_MODES)


def _size(spec: Object) -> Any:
    return part(part(spec, "resources"), "requests").get("storage")


def claim(obj: Object) -> Causes:
    spec = spec_of(obj)
    causes = _mode_causes(spec)
    size = _size(spec)
    if not size and size != 0:
        causes.append(required("spec.resources[storage]"))
    elif _quantity(size) <= 0:
        causes.append(invalid_value("spec.resources[storage]", size, "must be greater than zero"))
    return causes + source_causes(spec)


def claim_update(obj: Object, old: Object) -> Causes:
    """Storage may be asked for anew once the claim is bound, and the class named once while nobody had one."""
    new, before = spec_of(obj), spec_of(old)
    if new == before:
        return []
    bound = part(obj, "status").get("phase") == "Bound"
    if _held(new, before, bound=bound) != _held(before, before, bound=bound):
        text = "spec is immutable after creation except resources.requests and volumeAttributesClassName"
        return [forbidden("spec", f"{text} for bound claims")]
    return _shrunk(new, before, old)


def _held(spec: Object, old: Object, *, bound: bool) -> Object:
    """What of a claim's spec must stay as it was."""
    loose = set()
    if not old.get("volumeName"):
        loose.add("volumeName")
    if old.get("storageClassName") is None:
        loose.add("storageClassName")
    if bound:
        loose |= {"volumeAttributesClassName", "resources"}
    held = {key: value for key, value in spec.items() if key not in loose}
    if bound:
        resources = {**part(spec, "resources")}
        requests = {key: value for key, value in part(resources, "requests").items() if key != "storage"}
        held["resources"] = resources | {"requests": requests}
    return held


def _shrunk(new: Object, before: Object, old: Object) -> Causes:
    """A volume never becomes smaller than it is."""
    asked, was = _size(new), _size(before)
    there = part(part(old, "status"), "capacity").get("storage", "0")
    if asked == was or _quantity(asked) >= _quantity(was) or _quantity(asked) > _quantity(there):
        return []
    return [forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")]


def _quantity(text: Any) -> Decimal:
    try:
        return parse(str(text))
    except QuantityError:
        return Decimal(0)


def grows(obj: Object, old: Object) -> bool:
    """Whether more storage is asked for than before."""
    return _quantity(_size(spec_of(obj))) > _quantity(_size(spec_of(old)))


def volume(obj: Object) -> Causes:
    spec = spec_of(obj)
    causes: Causes = []
    if not spec.get("capacity"):
        causes.append(required("spec.capacity"))
    elif set(spec["capacity"]) != {"storage"}:
        causes.append(unsupported("spec.capacity", sorted(spec["capacity"]), ("storage",)))
    elif _quantity(spec["capacity"]["storage"]) <= 0:
        text = "must be greater than zero"
        causes.append(invalid_value("spec.capacity[storage]", spec["capacity"]["storage"], text))
    modes = _mode_causes(spec)
    causes += [required("spec.accessModes")] if not spec.get("accessModes") else modes
    sources = [one for one in _SOURCES if spec.get(one) is not None]
    if not sources:
        causes.append(required("spec", "must specify a volume type"))
    causes += [forbidden(f"spec.{one}", "may not specify more than 1 volume type") for one in sources[1:]]
    for source, fields in _SOURCE_NEEDS.items():
        if source in sources:
            causes += [required(f"spec.{source}.{field}") for field in fields if not spec[source].get(field)]
    causes += chosen(spec, "spec", persistentVolumeReclaimPolicy=_RECLAIM)
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle" and not {"hostPath", "nfs"} & set(sources):
        causes.append(forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for this kind of volume"))
    return causes


def volume_update(obj: Object, old: Object) -> Causes:
    new, before = spec_of(obj), spec_of(old)
    if new == before:
        return []
    causes: Causes = []
    if any(new.get(source) != before.get(source) for source in _SOURCES):
        text = "spec.persistentvolumesource is immutable after creation"
        causes.append(forbidden("spec.persistentvolumesource", text))
    causes += unchanged(new, before, "spec", "volumeMode")
    if before.get("nodeAffinity") is not None:
        causes += unchanged(new, before, "spec", "nodeAffinity")
    return causes


def storage_class(obj: Object) -> Causes:
    causes = [] if obj.get("provisioner") else [required("provisioner")]
    return causes + chosen(obj, "", reclaimPolicy=("Delete", "Retain"), volumeBindingMode=_BINDING)


def storage_class_update(obj: Object, old: Object) -> Causes:
    changed = [field for field in ("parameters", "provisioner", "reclaimPolicy") if obj.get(field) != old.get(field)]
    causes = [forbidden(field, f"updates to {field} are forbidden.") for field in changed]
    return causes + unchanged(obj, old, "", "volumeBindingMode")


def csi_driver_update(obj: Object, old: Object) -> Causes:
    return unchanged(spec_of(obj), spec_of(old), "spec", "attachRequired", "volumeLifecycleModes")


def attachment_update(obj: Object, old: Object) -> Causes:
    return [] if obj.get("spec") == old.get("spec") else unchanged(obj, old, "", "spec")
