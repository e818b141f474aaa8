"""A Velero backup as ``Contents``: the tarball of its objects, read as a stream, and its volume list.

The tarball comes from object storage and is not trusted: nothing is ever written to disk, members and bytes are capped,
links and devices are passed over (reference: reliability §3 H6; layout: velero §2.6). Secrets in it stay in memory and
go nowhere but through the rules.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lazarus_tui.model.plan import canonical
from lazarus_tui.model.volumes import Coverage, Held
from lazarus_tui.prove.points import Contents, Item, PointVolume

MOST_MEMBERS = 400_000  # every object lies in it twice
MOST_BYTES = 512 * 1024 * 1024  # of the unpacked tarball, other namespaces included
LARGEST_OBJECT = 4 * 1024 * 1024  # the API server takes 1.5 MiB, with a margin for escapes
MOST_OBJECTS = 20_000  # of one namespace
_CLUSTER = "cluster"
# Kinds that Velero never restores.
_NEVER = frozenset({
    "nodes", "events", "events.events.k8s.io", "backups.velero.io", "restores.velero.io",
    "resticrepositories.velero.io", "csinodes.storage.k8s.io", "volumeattachments.storage.k8s.io",
    "backuprepositories.velero.io",
})  # fmt: skip


_NEVER_KINDS = frozenset({
    "Node", "Event", "Backup", "Restore", "ResticRepository", "CSINode", "VolumeAttachment", "BackupRepository",
})  # fmt: skip


class ContentsError(ValueError):
    """The bytes are not a backup's contents, or more than is read."""


def read_tarball(data: bytes, namespace: str) -> tuple[list[Item], list[Item]]:
    """The objects of ``namespace`` and the cluster-scoped ones, each once; raises ``ContentsError``.

    ``data``: gzip or plain tar. Objects of other namespaces are never decoded.
    """
    inside: list[Item] = []
    outside: list[Item] = []
    read = 0
    try:
        stream = _Capped(data)
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                read += 1
                if read > MOST_MEMBERS:
                    raise ContentsError(f"it holds more than {MOST_MEMBERS} files")
                place = _place(member, namespace)
                if place is not None:
                    (outside if not place[1] else inside).append(_item(archive, member, *place))
                    if len(inside) + len(outside) > MOST_OBJECTS:
                        raise ContentsError(f"it holds more than {MOST_OBJECTS} objects of this namespace")
        while stream.read(64 * 1024):
            pass  # to the end, where its checksum is: damage can look like the end of the archive
    except (tarfile.TarError, zlib.error, EOFError, UnicodeDecodeError, OverflowError) as error:
        raise ContentsError(f"it is no readable tarball: {type(error).__name__}") from error
    if not read:
        raise ContentsError("it is empty")
    return inside, outside


class _Capped(io.RawIOBase):
    """The unpacked bytes as a stream: at most ``MOST_BYTES``, and never more than one block of them in memory."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._source = io.BytesIO(data)
        self._machine = zlib.decompressobj(wbits=31) if data.startswith(b"\x1f\x8b") else None
        self._given = 0

    def read(self, size: int = -1) -> bytes:
        size = 64 * 1024 if size < 0 else size
        data = self._source.read(size) if self._machine is None else self._inflated(size)
        self._given += len(data)
        if self._given > MOST_BYTES:
            raise ContentsError(f"it is larger than {MOST_BYTES} bytes when unpacked")
        return data

    def _inflated(self, size: int) -> bytes:
        assert self._machine is not None
        parts, missing = [], size
        while missing and not self._machine.eof:
            packed = self._machine.unconsumed_tail or self._source.read(64 * 1024)
            if not packed:
                raise EOFError("cut short")
            parts.append(self._machine.decompress(packed, missing))
            missing -= len(parts[-1])
        return b"".join(parts)


def _place(member: tarfile.TarInfo, namespace: str) -> tuple[str, str, str] | None:
    """plural.group, namespace and name of an object that is wanted; None for all else, version folders included."""
    parts = member.name.split("/")
    if not member.isreg() or parts[0] != "resources" or not parts[-1].endswith(".json") or parts[1] in _NEVER:
        return None
    name = parts[-1].removesuffix(".json")
    if len(parts) == 4 and parts[2] == _CLUSTER:
        return parts[1], "", name
    if len(parts) == 5 and parts[2] == "namespaces" and parts[3] == namespace:
        return parts[1], namespace, name
    return None


def _item(archive: tarfile.TarFile, member: tarfile.TarInfo, resource: str, namespace: str, name: str) -> Item:
    if member.size > LARGEST_OBJECT:
        raise ContentsError(f"{resource}/{name} is larger than {LARGEST_OBJECT} bytes")
    source = archive.extractfile(member)
    try:
        body = json.loads(source.read() if source else b"")
    except (ValueError, RecursionError) as error:
        raise ContentsError(f"{resource}/{name} is not JSON") from error
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        raise ContentsError(f"{resource}/{name} is not an object")
    return Item(resource, namespace, name, body)


def volumes(items: Iterable[Item], held: Coverage, infos: Sequence[Any]) -> tuple[PointVolume, ...]:
    """Every claim among the objects with what the backup holds of it; ``infos``: the raw entries of the volume list."""
    by_claim = {(_text(one, "pvcNamespace"), _text(one, "pvcName")): one for one in infos if isinstance(one, dict)}
    found = []
    for item in items:
        if item.resource != "persistentvolumeclaims":
            continue
        volume = held.of(item.namespace, item.name)
        info = by_claim.get((item.namespace, item.name), {})
        found.append(
            PointVolume(
                claim=item.name,
                held=volume.held,
                reason=volume.reason,
                size=volume.size,
                method=volume.method,
                handle=_handle(info),
                frozen_at=_text(info, "startTimestamp") if volume.held is Held.CAPTURED else "",
                reclaim_policy=volume.reclaim_policy,
                volume=str(item.spec.get("volumeName") or ""),
            )
        )
    return tuple(sorted(found, key=lambda one: one.claim))


def filled_pods(infos: Sequence[Any], namespace: str) -> frozenset[str]:
    """Pods whose files were copied: Velero fills their volumes while it starts them."""
    copies = [one.get("pvbInfo") for one in infos if isinstance(one, dict)]
    return frozenset(
        _text(one, "podName") for one in copies if isinstance(one, dict) and _text(one, "podNamespace") == namespace
    )


def _split(pods: Iterable[str]) -> Iterable[tuple[str, str]]:
    for one in pods:
        space, _, name = one.partition("/")
        yield space, name


def _handle(info: Mapping[str, Any]) -> str:
    for part in ("snapshotDataMovementInfo", "csiSnapshotInfo", "nativeSnapshotInfo", "pvbInfo"):
        found = info.get(part)
        if isinstance(found, dict) and _text(found, "snapshotHandle"):
            return _text(found, "snapshotHandle")
    return ""


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def digest(items: Iterable[Item], found: Iterable[PointVolume]) -> str:
    """SHA-256 over every object and volume, hex; the order in the tarball says nothing."""
    machine = hashlib.sha256()
    for item in sorted(items, key=lambda one: (one.resource, one.namespace, one.name)):
        machine.update(canonical([item.resource, item.namespace, item.name, item.body]))
    for volume in sorted(found, key=lambda one: one.claim):
        machine.update(canonical([volume.claim, volume.held, volume.method, volume.handle, volume.size]))
    return machine.hexdigest()


def lost(listed: Any, items: Iterable[Item], namespace: str) -> tuple[str, ...]:
    """Objects of ``namespace`` that the backup's own list (BackupResourceList) names and ``items`` does not have.

    ``listed``: ``{"apps/v1/StatefulSet": ["shop/orders"]}``. Versions are not compared: the list may name another one.
    """
    there = {(item.body.get("apiVersion", "").rpartition("/")[0], item.kind, item.name) for item in items}
    found = []
    for key, name in named(listed, namespace):
        version, _, kind = key.rpartition("/")
        if kind not in _NEVER_KINDS and (version.rpartition("/")[0], kind, name) not in there:
            found.append(f"{key}/{name}")
    return tuple(sorted(found))


def named(listed: Any, namespace: str) -> Iterable[tuple[str, str]]:
    """("apps/v1/StatefulSet", "orders") for what a backup's own list names of a namespace; see ``lost``."""
    for key, entries in listed.items() if isinstance(listed, Mapping) else ():
        for entry in entries if isinstance(entries, Sequence) else ():
            space, _, name = str(entry).partition("/")
            if space == namespace and name:
                yield str(key), name


def assemble(
    point: str, namespace: str, tarball: bytes, held: Coverage, infos: Sequence[Any], *, start: str, expires: str,
    listed: Any = None, unlisted: str = "",
) -> Contents:  # fmt: skip
    """The contents of a Velero backup from its artefacts; raises ``ContentsError``. ``unlisted``: why ``listed`` is not
    known; a list that names none of the objects says no more than none."""
    inside, outside = read_tarball(tarball, namespace)
    if not unlisted and inside and not any(named(listed, namespace)):
        unlisted = f"its own list of objects names nothing of {namespace}"
    own = {str(item.spec.get("volumeName") or "") for item in inside if item.resource == "persistentvolumeclaims"}
    related = [item for item in outside if item.resource != "persistentvolumes" or item.name in own]
    found = volumes(inside, held, infos)
    return Contents(
        kind="velero",
        point=point,
        namespace=namespace,
        items=tuple(inside),
        cluster=tuple(related),
        volumes=found,
        filled_pods=filled_pods(infos, namespace) | {name for space, name in _split(held.pods) if space == namespace},
        digest=digest([*inside, *related], found),
        start=start,
        expires=expires,
        lost=lost(listed, inside, namespace),
        unlisted=unlisted,
    )
