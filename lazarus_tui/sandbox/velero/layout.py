"""Where Velero keeps what in a bucket, and the tarball of a backup's objects (reference: Velero 1.18)."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lazarus_tui.model.resources import Resource

# Top-level folders Velero tolerates in a bucket; any other makes the location Unavailable.
ALLOWED_FOLDERS = frozenset({"backups", "restores", "restic", "metadata", "plugins", "kopia"})
FORMAT_VERSION = "1.1.0"

_ARTEFACTS = {
    "BackupLog": "backups/{n}/{n}-logs.gz",
    "BackupContents": "backups/{n}/{n}.tar.gz",
    "BackupResults": "backups/{n}/{n}-results.gz",
    "BackupResourceList": "backups/{n}/{n}-resource-list.json.gz",
    "BackupVolumeInfos": "backups/{n}/{n}-volumeinfo.json.gz",
    "BackupVolumeSnapshots": "backups/{n}/{n}-volumesnapshots.json.gz",
    "BackupItemOperations": "backups/{n}/{n}-itemoperations.json.gz",
    "CSIBackupVolumeSnapshots": "backups/{n}/{n}-csi-volumesnapshots.json.gz",
    "CSIBackupVolumeSnapshotContents": "backups/{n}/{n}-csi-volumesnapshotcontents.json.gz",
    "RestoreLog": "restores/{n}/restore-{n}-logs.gz",
    "RestoreResults": "restores/{n}/restore-{n}-results.gz",
    "RestoreResourceList": "restores/{n}/restore-{n}-resource-list.json.gz",
    "RestoreItemOperations": "restores/{n}/restore-{n}-itemoperations.json.gz",
    "RestoreVolumeInfo": "restores/{n}/{n}-volumeinfo.json.gz",
}


def artefact_key(kind: str, name: str) -> str:
    """The object behind a DownloadRequest target; raises ``KeyError`` for a kind Velero does not know."""
    return _ARTEFACTS[kind].format(n=name)


def backup_folder(name: str) -> str:
    return f"backups/{name}"


def metadata_key(name: str) -> str:
    return f"backups/{name}/velero-backup.json"


def pod_volumes_key(name: str) -> str:
    return f"backups/{name}/{name}-podvolumebackups.json.gz"


def packed(value: Any) -> bytes:
    """JSON, gzipped, the same bytes for the same value."""
    return gzip.compress(json.dumps(value).encode(), compresslevel=5, mtime=0)


def unpacked(data: bytes) -> Any:
    return json.loads(gzip.decompress(data))


@dataclass(frozen=True, slots=True)
class Item:
    """One backed-up object; ``namespace`` is "" for a cluster-scoped one."""

    group_resource: str
    namespace: str
    name: str
    body: dict[str, Any]

    @property
    def version(self) -> str:
        return str(self.body.get("apiVersion", "v1")).rpartition("/")[2]

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def resource(self) -> Resource:
        plural, _, group = self.group_resource.partition(".")
        return Resource(group, self.version, plural, self.kind, bool(self.namespace))


def write_tarball(items: Iterable[Item]) -> bytes:
    """Every object twice, as Velero does: in its resource folder and again under ``<version>-preferredversion``."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, "metadata/version", f"{FORMAT_VERSION}\n".encode())
        for item in items:
            data = json.dumps(item.body).encode()
            place = f"namespaces/{item.namespace}" if item.namespace else "cluster"
            folder = f"resources/{item.group_resource}"
            _add(tar, f"{folder}/{place}/{item.name}.json", data)
            _add(tar, f"{folder}/{item.version}-preferredversion/{place}/{item.name}.json", data)
    return gzip.compress(raw.getvalue(), compresslevel=4, mtime=0)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, io.BytesIO(data))


def read_tarball(data: bytes) -> list[Item]:
    """The objects of a backup, each once; raises ``ValueError`` when the bytes are not a readable tarball."""
    items = []
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data)), mode="r") as tar:
            for member in tar:
                item = _item(tar, member)
                if item is not None:
                    items.append(item)
    except (tarfile.TarError, OSError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"error unzipping and extracting: {error}") from error
    return items


def _item(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Item | None:
    parts = member.name.split("/")
    if not member.isfile() or parts[0] != "resources" or len(parts) < 4:
        return None
    if parts[2] == "cluster" and len(parts) == 4:
        namespace = ""
    elif parts[2] == "namespaces" and len(parts) == 5:
        namespace = parts[3]
    else:
        return None  # a version folder: the same objects again
    source = tar.extractfile(member)
    if source is None:
        return None
    return Item(parts[1], namespace, parts[-1].removesuffix(".json"), json.loads(source.read()))
