"""Where the bytes of a volume lie, as its spec says it: two volumes at one place are the same bytes (S9), and so is a
directory in another one."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_ANY, _HOST = "*", "kubernetes.io/hostname"
_ON_NODES = frozenset({"hostPath", "local"})
# Whose path is a directory of a server's tree.
_OF_SERVERS = frozenset({"nfs", "cephfs"})
_NFS_DRIVER, _EFS = "nfs.csi.k8s.io", "csi:efs.csi.aws.com:"
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
# A share of files is one of an account: the handle of the driver names it, and so do the Secrets that are made for it
# (csi-translation-lib, azure_file.go). ``_ANY``: nobody says which.
_SHARE, _SHARE_DRIVER = "azureFile", "file.csi.azure.com"
_ACCOUNT = re.compile(r"azure-storage-account-(.+)-secret")
# What the API server fills in where nothing is said, and the port of a portal.
_POOL, _PORTAL = "rbd", ":3260"


def identity(spec: Mapping[str, Any]) -> str:
    """What a PersistentVolume's spec points at on storage: ``csi:driver:handle``, ``nfs:server:/path`` …; "" if none.

    Two volumes with the same identity are the same bytes, whatever their names (requirements S9). A directory of a node
    is ``local:NODES:/path`` with the names of the nodes it can be on, ``*`` for any: see ``same``. Disks that a CSI
    driver has taken over from the kubelet are named as the driver names them, and what csi-driver-nfs mounts as NFS is.
    A share of Azure is ``azureFile:ACCOUNT:SHARE``, ``*`` where the account is not known, with what is mounted of it:
    a directory, or a file that is a disk.
    """
    if shared := _exported(spec.get("csi")) or _share(spec):
        return shared
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


def same(what: str, live: Iterable[str], *, made: bool = False) -> str:
    """The identity among ``live`` that is, or may be, the same bytes as ``what``; "" when none is.

    A directory in another one is part of its bytes, whichever of the two is live; one of a node only if a node can have
    both. ``made``: a provisioner made it for its claim, which it does inside a directory that others may have as a
    whole: only what lies in it counts.
    """
    if not what:
        return ""
    mine = _place(what)
    return next(
        (
            one
            for one in live
            if one == what or _one_share(what, one, made) or (mine is not None and _overlap(mine, _place(one), made))
        ),
        "",
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A directory; ``root`` says of which server, "" for nodes, and ``nodes`` on which it can be, none for any."""

    root: str
    path: str
    nodes: frozenset[str] = frozenset()

    def holds(self, other: _Place) -> bool:
        """Whether the other one is this directory, or lies in it."""
        return other.path == self.path or other.path.startswith(self.path.rstrip("/") + "/")


def _overlap(mine: _Place, other: _Place | None, made: bool) -> bool:
    if other is None or mine.root != other.root:
        return False
    if mine.nodes and other.nodes and not mine.nodes & other.nodes:
        return False
    return mine.holds(other) or (not made and other.holds(mine))


def _place(what: str) -> _Place | None:
    """None for what is no directory. A handle of the EFS driver is SYSTEM[:PATH[:ACCESS POINT]], the path that of the
    access point where there is one; which directory that is, it does not say, but that it is one of the file system."""
    if what.startswith(_EFS):
        system, _, rest = what.removeprefix(_EFS).partition(":")
        path, _, point = rest.partition(":")
        return _Place(_EFS + system, _tidy("path", f"/{point}/{path}"))
    source, _, rest = what.partition(":")
    if source in _OF_SERVERS:
        server, found, path = rest.partition(":/")
        return _Place(f"{source}:{server}", f"/{path}") if found else None
    if source not in _ON_NODES:
        return None
    if rest.startswith("/"):  # without nodes
        return _Place("", rest)
    nodes, _, path = rest.partition(":")
    return _Place("", path, frozenset() if nodes == _ANY else frozenset(nodes.split(",")))


def _exported(csi: Any) -> str:
    """What csi-driver-nfs mounts of a server, "" for another driver: the share and the directory in it that its
    attributes name, whatever the handle says (``NodePublishVolume`` of its nodeserver.go). A name that the driver fills
    in when it mounts is not known: then it is the directory around."""
    if not isinstance(csi, Mapping) or csi.get("driver") != _NFS_DRIVER:
        return ""
    given = {str(key).lower(): str(value) for key, value in (csi.get("volumeAttributes") or {}).items()}
    server, share, inside = (given.get(key, "") for key in ("server", "share", "subdir"))
    if not server or not share:
        return ""
    if "${" in inside:
        inside = inside.partition("${")[0].rpartition("/")[0]
    return f"nfs:{_tidy('server', server)}:{_tidy('path', f'/{share}/{inside}')}"


def _share(spec: Mapping[str, Any]) -> str:
    """What a volume has of Azure Files, "" for anything else. Attributes say more than a handle, as to the driver; but
    of a share that its class names by ``${...}`` the handle alone has the name (controllerserver.go, nodeserver.go)."""
    found, csi = spec.get(_SHARE), spec.get("csi")
    if isinstance(found, Mapping):
        return f"{_SHARE}:{_account(found.get('secretName'))}:{found.get('shareName') or ''}"
    if not isinstance(csi, Mapping) or csi.get("driver") != _SHARE_DRIVER:
        return ""
    given = {str(key).lower(): str(value) for key, value in (csi.get("volumeAttributes") or {}).items()}
    _, account, named, disk, *_ = [*str(csi.get("volumeHandle") or "").split("#"), "", "", "", ""]
    share = given.get("sharename") or named
    share = named if "${" in share else share
    inside = [part for part in (given.get("foldername"), given.get("diskname") or disk) if part]
    account = given.get("storageaccount") or account or _account((csi.get("nodeStageSecretRef") or {}).get("name"))
    return f"{_SHARE}:{account.lower()}:{posixpath.normpath('/'.join((share, *inside)))}" if share else ""


def _account(secret: Any) -> str:
    named = _ACCOUNT.fullmatch(str(secret or ""))
    return named[1].lower() if named else _ANY


def _one_share(what: str, other: str, made: bool) -> bool:
    """Whether two are of one share, or one in the other; shares of one name are of one account, or may be."""
    (kind, _, mine), (also, _, theirs) = what.partition(":"), other.partition(":")
    (account, _, own), (its, _, place) = mine.partition(":"), theirs.partition(":")
    if not kind == also == _SHARE or not (account == its or _ANY in (account, its)):
        return False
    return _overlap(_Place("", own), _Place("", place), made)


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
    if key == "path" and not value:
        return "/"  # all of it, which cephfs takes where none is said
    if key == "path" and value.startswith("/"):
        return posixpath.normpath(value).replace("//", "/")
    if key in ("server", "diskURI"):
        return value.lower().rstrip(".").strip("[]")
    if key == "volumeHandle" and value.lower().startswith("/subscriptions/"):
        return value.lower()  # Azure does not mind the case
    return value
