"""Volumes and snapshot contents of a quarantine: which storage they are, and what may become of it (S9, S20, V6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

Object = dict[str, Any]

RETAIN, DELETE = "Retain", "Delete"
_PROVISIONED = "pv.kubernetes.io/provisioned-by"
# Field of a volume source that says which storage it is.
_NAMED_BY = {
    "awsElasticBlockStore": "volumeID", "gcePersistentDisk": "pdName", "azureDisk": "diskURI", "azureFile": "shareName",
    "cinder": "volumeID", "vsphereVolume": "volumePath", "hostPath": "path", "local": "path", "fc": "targetWWNs",
    "glusterfs": "path", "cephfs": "path", "rbd": "image", "portworxVolume": "volumeID",
}  # fmt: skip


def identities(volume: Mapping[str, Any]) -> frozenset[str]:
    """All names under which the storage behind a PersistentVolume may be known; two volumes that share one are one."""
    spec = volume.get("spec") or {}
    if csi := spec.get("csi"):
        handle = str(csi.get("volumeHandle") or "")
        return frozenset({handle, f"{csi.get('driver')}/{handle}"} - {""})
    if nfs := spec.get("nfs"):
        return frozenset({f"nfs:{nfs.get('server')}:{nfs.get('path')}", f"{nfs.get('server')}:{nfs.get('path')}"})
    for source, key in _NAMED_BY.items():
        if one := spec.get(source):
            return frozenset({f"{source}:{one.get(key)}", str(one.get(key))} - {""})
    return frozenset()


def bound_into(volume: Mapping[str, Any]) -> str:
    """The namespace of the claim that a volume belongs to; "" when it belongs to none."""
    return str(((volume.get("spec") or {}).get("claimRef") or {}).get("namespace") or "")


def policy_for(volume: Mapping[str, Any], live: Collection[str]) -> str:
    """What must become of a volume's storage when its claim is deleted.

    Storage that something else uses is kept, whatever the volume says. What was provisioned for this very claim goes
    with it. Nobody knows of the rest whose it is: its policy stays as it is.
    """
    spec, meta = volume["spec"], volume["metadata"]
    if identities(volume) & set(live):
        return RETAIN
    claim = str((spec.get("claimRef") or {}).get("uid") or "")
    provisioned = _PROVISIONED in (meta.get("annotations") or {})
    if claim and provisioned and meta["name"].endswith(claim):  # external-provisioner: PREFIX-<uid of the claim>
        return DELETE
    return str(spec.get("persistentVolumeReclaimPolicy") or RETAIN)
