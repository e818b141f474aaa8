"""Where the bytes of a volume lie, as its spec says it: two volumes at one place are the same bytes (S9)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

_ANY, _HOST = "*", "kubernetes.io/hostname"
_ON_NODES = frozenset({"hostPath", "local"})
# Volume plugins of the kubelet that a CSI driver has taken over, with its name; the handle is the same, for AWS
# without the zone before it.
_MIGRATED = {
    "awsElasticBlockStore": "ebs.csi.aws.com",
    "azureDisk": "disk.csi.azure.com",
    "cinder": "cinder.csi.openstack.org",
}
_SHORT = frozenset({"awsElasticBlockStore"})
_IDENTITIES: Mapping[str, tuple[str, ...]] = {
    "csi": ("driver", "volumeHandle"),
    "nfs": ("server", "path"),
    "hostPath": ("path",),
    "local": ("path",),
    "awsElasticBlockStore": ("volumeID",),
    "gcePersistentDisk": ("pdName",),
    "azureDisk": ("diskURI",),
    "azureFile": ("shareName",),
    "cephfs": ("monitors", "path"),
    "rbd": ("monitors", "pool", "image"),
    "iscsi": ("targetPortal", "iqn", "lun"),
    "glusterfs": ("endpoints", "path"),
    "vsphereVolume": ("volumePath",),
    "cinder": ("volumeID",),
    "fc": ("targetWWNs", "lun", "wwids"),
    "portworxVolume": ("volumeID",),
    "flexVolume": ("driver", "options"),
    "scaleIO": ("gateway", "system", "volumeName"),
    "storageos": ("volumeNamespace", "volumeName"),
    "quobyte": ("registry", "volume"),
}
# What the API server fills in where nothing is said, and the port of a portal.
_POOL, _PORTAL = "rbd", ":3260"


def identity(spec: Mapping[str, Any]) -> str:
    """What a PersistentVolume's spec points at on storage: ``csi:driver:handle``, ``nfs:server:/path`` …; "" if none.

    Two volumes with the same identity are the same bytes, whatever their names (requirements S9). A directory of a node
    is ``local:NODES:/path`` with the names of the nodes it can be on, ``*`` for any: see ``same``. Disks that a CSI
    driver has taken over from the kubelet are named as the driver names them.
    """
    for source, keys in _IDENTITIES.items():
        found = spec.get(source)
        if isinstance(found, Mapping):
            parts = [_tidy(key, _text(found.get(key))) for key in keys]
            if source in _ON_NODES:
                parts.insert(0, ",".join(sorted(_nodes(spec))) or _ANY)
            if source in _MIGRATED:
                return f"csi:{_MIGRATED[source]}:{parts[0].rpartition('/')[2] if source in _SHORT else parts[0]}"
            return f"{source}:" + ":".join(parts)
    return ""


def same(what: str, live: Iterable[str]) -> str:
    """The identity among ``live`` that is, or may be, the same bytes as ``what``; "" when none is.

    The same directory of two volumes is the same only if a node can have both.
    """
    if not what:
        return ""
    mine = _place(what)
    return next((one for one in live if one == what or (mine is not None and _overlap(mine, _place(one)))), "")


def _overlap(one: tuple[str, frozenset[str]], other: tuple[str, frozenset[str]] | None) -> bool:
    if other is None or one[0] != other[0]:
        return False
    return not one[1] or not other[1] or bool(one[1] & other[1])


def _place(what: str) -> tuple[str, frozenset[str]] | None:
    """A directory and the nodes it can be on, none for any; None for what is no directory of a node."""
    source, _, rest = what.partition(":")
    if source not in _ON_NODES:
        return None
    if rest.startswith("/"):  # without nodes
        return rest, frozenset()
    nodes, _, path = rest.partition(":")
    return path, frozenset() if nodes == _ANY else frozenset(nodes.split(","))


def _nodes(spec: Mapping[str, Any]) -> frozenset[str]:
    """Host names that the volume's node affinity leaves; none where it does not say so by host name: any node."""
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    found: set[str] = set()
    for term in terms:
        named = [
            {str(value) for value in one.get("values") or ()}
            for one in term.get("matchExpressions") or ()
            if one.get("key") == _HOST and one.get("operator") == "In"
        ]
        if not named:
            return frozenset()
        found |= set.intersection(*named)
    return frozenset(found)


def _text(value: Any) -> str:
    """Monitors and the like are a set: their order says nothing."""
    return str(sorted(map(str, value))) if isinstance(value, list | tuple) else "" if value is None else str(value)


def _tidy(key: str, value: str) -> str:
    """One way to write a path, a server and a disk, where several mean the same."""
    if key == "pool":
        return value or _POOL
    if key == "targetPortal":
        return value.removesuffix(_PORTAL)
    if key == "path" and value.startswith("/"):
        return posixpath.normpath(value).replace("//", "/")
    if key in ("server", "diskURI"):
        return value.lower().rstrip(".")
    if key == "volumeHandle" and value.lower().startswith("/subscriptions/"):
        return value.lower()  # Azure does not mind the case
    return value
