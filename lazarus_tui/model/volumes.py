"""Which volumes a backup really holds: BackupVolumeInfos joined with the volume copies' own records.

A Completed backup can hold no volume data at all, so a claim counts as captured only on positive evidence; what is
not known stays unknown (design.md §5).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lazarus_tui.model.objects import VolumeCopy

PVC_NAME_ANNOTATION = "velero.io/pvc-name"  # on PodVolumeBackups whose pod volume is a claim
PVC_UID_LABEL = "velero.io/pvc-uid"  # on PodVolumeRestores that fill one
COPY_ENDED_BADLY = ("Failed", "Canceled")


UNREAD = "the backup's volume list has not been read"


class Held(StrEnum):
    """``ABSENT``: skipped, failed or not in the backup at all; ``UNKNOWN``: nothing says."""

    CAPTURED = "captured"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """One entry of BackupVolumeInfos. ``phase`` is the method's own, ``ready`` the CSI snapshot's ReadyToUse."""

    claim: str
    namespace: str
    volume: str
    method: str
    skipped: bool = False
    skipped_reason: str = ""
    result: str = ""
    phase: str = ""
    ready: bool | None = None
    data_moved: bool = False
    size: int | None = None
    reclaim_policy: str = ""
    pod: str = ""  # namespace/name, of a copy out of a pod

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.claim}"


@dataclass(frozen=True, slots=True)
class HeldVolume:
    """What a backup holds of one claim. ``size`` in bytes, None if not recorded; ``reason`` in plain words."""

    claim: str  # namespace/name
    held: Held
    method: str = ""
    size: int | None = None
    reason: str = ""
    reclaim_policy: str = ""

    @property
    def by_files(self) -> bool:
        """Copied out of a pod, file by file: what is known of it may be no more than its copy."""
        return self.method.startswith(("PodVolumeBackup", "volume copy"))


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a backup holds per claim (``namespace/name``). ``complete``: the backup's own list was read to its end;
    ``unread``: why it was not. ``pods`` (``namespace/name``): those of which it holds files of other volumes, emptyDirs
    as a rule, so that a restore of them waits for those, too."""

    volumes: Mapping[str, HeldVolume] = field(default_factory=dict)
    complete: bool = False
    unread: str = UNREAD
    pods: frozenset[str] = frozenset()

    def of(self, namespace: str, claim: str) -> HeldVolume:
        key = f"{namespace}/{claim}"
        found = self.volumes.get(key)
        if found is not None:
            return found
        if self.complete:
            return HeldVolume(key, Held.ABSENT, reason="not in this backup")
        return HeldVolume(key, Held.UNKNOWN, reason=self.unread)

    @property
    def size(self) -> int:
        """Bytes of all captured volumes, as far as recorded."""
        return sum(volume.size or 0 for volume in self.volumes.values() if volume.held is Held.CAPTURED)


class VolumeInfoError(ValueError):
    """Bytes that are not a BackupVolumeInfos document."""


def parse_volume_infos(data: bytes | str | Sequence[Any]) -> tuple[VolumeInfo, ...]:
    """The entries of a BackupVolumeInfos document (JSON text, or its decoded array). Raises ``VolumeInfoError``."""
    if isinstance(data, (bytes, str)):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise VolumeInfoError(f"the volume list is not JSON: {type(error).__name__}") from error
    if data is None:
        return ()
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise VolumeInfoError("the volume list is not a list of volumes")
    return tuple(_info(entry) for entry in data)


def _info(entry: Mapping[str, Any]) -> VolumeInfo:
    moved = entry.get("snapshotDataMoved") is True
    method = _text(entry, "backupMethod")
    details = {
        "PodVolumeBackup": "pvbInfo",
        "NativeSnapshot": "nativeSnapshotInfo",
        "CSISnapshot": "snapshotDataMovementInfo" if moved else "csiSnapshotInfo",
    }.get(method, "")
    detail = entry.get(details)
    detail = detail if isinstance(detail, dict) else {}
    ready = detail.get("ReadyToUse", detail.get("readyToUse"))
    size = detail.get("size")
    if moved and not size and isinstance(entry.get("csiSnapshotInfo"), dict):
        size = entry["csiSnapshotInfo"].get("size")
    pv = entry.get("pvInfo")
    return VolumeInfo(
        claim=_text(entry, "pvcName"),
        namespace=_text(entry, "pvcNamespace"),
        volume=_text(entry, "pvName"),
        method=method,
        skipped=entry.get("skipped") is True,
        skipped_reason=_text(entry, "skippedReason"),
        result=_text(entry, "result"),
        phase=_text(detail, "Phase") or _text(detail, "phase"),
        ready=ready if isinstance(ready, bool) else None,
        data_moved=moved,
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        reclaim_policy=_text(pv, "reclaimPolicy") if isinstance(pv, dict) else "",
        pod=f"{_text(detail, 'podNamespace')}/{_text(detail, 'podName')}" if _text(detail, "podName") else "",
    )


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def copy_claim(copy: VolumeCopy) -> str:
    """The claim (``namespace/name``) a PodVolumeBackup or DataUpload copies; "" if its volume is no claim."""
    if copy.spec.source_pvc:
        return f"{copy.spec.source_namespace}/{copy.spec.source_pvc}"
    name = (copy.metadata.annotations or {}).get(PVC_NAME_ANNOTATION, "")
    return f"{copy.spec.pod.namespace}/{name}" if name and copy.spec.pod else ""


def fills_claim(copy: VolumeCopy) -> bool:
    """Whether a PodVolumeRestore or DataDownload fills a claim, not some emptyDir of a pod."""
    return copy.spec.target_volume is not None or bool(copy.metadata.label(PVC_UID_LABEL))


def coverage(infos: Iterable[VolumeInfo] | None, copies: Iterable[VolumeCopy] = (), unread: str = UNREAD) -> Coverage:
    """Join the backup's volume list (None: not read, for the reason ``unread``) with its PodVolumeBackups and
    DataUploads.

    A copy that ended badly outweighs a list that says "succeeded": copies can fail after the list was written.
    """
    by_claim: dict[str, list[VolumeCopy]] = {}
    pods: set[str] = set()
    for copy in copies:
        if claim := copy_claim(copy):
            by_claim.setdefault(claim, []).append(copy)
        elif copy.spec.pod and copy.status.phase not in COPY_ENDED_BADLY:
            pods.add(f"{copy.spec.pod.namespace}/{copy.spec.pod.name}")
    volumes: dict[str, HeldVolume] = {}
    for info in infos or ():
        if info.claim:
            volumes[info.key] = _best(volumes.get(info.key), _judge(info, by_claim.get(info.key, ())))
        elif info.pod and _judge(info, ()).held is not Held.ABSENT:
            pods.add(info.pod)
    for claim, found in by_claim.items():
        if claim not in volumes:
            volumes[claim] = _from_copies(claim, found)
    return Coverage(volumes, complete=infos is not None, unread=unread, pods=frozenset(pods))


def _best(first: HeldVolume | None, second: HeldVolume) -> HeldVolume:
    """A claim mounted by several pods is listed several times; one captured copy is enough."""
    return first if first is not None and first.held is Held.CAPTURED else second


def held(info: VolumeInfo) -> HeldVolume:
    """What an entry says by itself, where nothing is known of its copies."""
    return _judge(info, ())


def _judge(info: VolumeInfo, copies: Sequence[VolumeCopy]) -> HeldVolume:
    def absent(reason: str) -> HeldVolume:
        return HeldVolume(info.key, Held.ABSENT, info.method, None, reason, info.reclaim_policy)

    if info.skipped:
        return absent(f"skipped: {info.skipped_reason}" if info.skipped_reason else "skipped by the backup")
    if info.method not in ("PodVolumeBackup", "CSISnapshot", "NativeSnapshot"):
        return absent("no backup method took its data" if not info.method else f"unknown method {info.method}")
    if info.result and info.result.lower() not in ("succeeded", "unknown"):
        return absent(f"its copy {info.result}")
    if info.phase and info.phase.lower() not in ("completed", "unknown"):
        return absent(f"its copy ended {info.phase}")
    if info.method == "CSISnapshot" and not info.data_moved and info.ready is False:
        return absent("its snapshot was never ready to use")
    if copies and not any(copy.status.phase == "Completed" and not short_of(copy) for copy in copies):
        late = _from_copies(info.key, copies)
        return HeldVolume(info.key, late.held, info.method, None, late.reason, info.reclaim_policy)
    positive = info.result.lower() == "succeeded" or info.phase.lower() == "completed" or info.ready is True
    if not positive and not copies:
        return HeldVolume(info.key, Held.UNKNOWN, info.method, info.size, "its result is not recorded")
    size = info.size if info.size is not None else max((_bytes(copy) for copy in copies), default=None)
    return HeldVolume(info.key, Held.CAPTURED, _method(info), size, "", info.reclaim_policy)


def _method(info: VolumeInfo) -> str:
    return f"{info.method} (moved)" if info.data_moved else info.method


def _from_copies(claim: str, copies: Sequence[VolumeCopy]) -> HeldVolume:
    done = [copy for copy in copies if copy.status.phase == "Completed"]
    whole = [copy for copy in done if not short_of(copy)]
    if whole:
        return HeldVolume(claim, Held.CAPTURED, "volume copy", max(_bytes(copy) for copy in whole))
    if done:
        return HeldVolume(claim, Held.UNKNOWN, "volume copy", None, f"its copy is Completed after {short_of(done[0])}")
    for copy in copies:
        if copy.status.phase in COPY_ENDED_BADLY:
            why = f": {copy.status.message}" if copy.status.message else ""
            return HeldVolume(claim, Held.ABSENT, "volume copy", None, f"its copy ended {copy.status.phase}{why}")
    return HeldVolume(claim, Held.UNKNOWN, "volume copy", None, f"its copy is {copies[0].status.phase or 'New'}")


def short_of(copy: VolumeCopy) -> str:
    """ "10 of 4096 bytes" of a copy that says fewer were moved than there are; "" for any other."""
    progress = copy.status.progress
    if progress is None or progress.bytes_done >= progress.total_bytes:
        return ""
    return f"{progress.bytes_done} of {progress.total_bytes} bytes"


def _bytes(copy: VolumeCopy) -> int:
    progress = copy.status.progress
    return max(progress.total_bytes, progress.bytes_done) if progress else 0
