"""Records of CSI snapshots, and the state that has to be derived from them: they carry no conditions.

Fields and rules: snapshot.storage.k8s.io/v1 and groupsnapshot.storage.k8s.io (reference: data §1.2).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.objects import LabelSelector, Meta, Wire
from lazarus_tui.model.quantities import QuantityError, parse
from lazarus_tui.model.resources import Resource

SNAPSHOTS = Resource("snapshot.storage.k8s.io", "v1", "volumesnapshots", "VolumeSnapshot")
CONTENTS = Resource(
    "snapshot.storage.k8s.io", "v1", "volumesnapshotcontents", "VolumeSnapshotContent", namespaced=False
)
SNAPSHOT_CLASSES = Resource(
    "snapshot.storage.k8s.io", "v1", "volumesnapshotclasses", "VolumeSnapshotClass", namespaced=False
)
GROUP = "groupsnapshot.storage.k8s.io"
# The first of these that a cluster serves is used.
GROUP_VERSIONS = ("v1", "v1beta2", "v1beta1")

DEFAULT_CLASS = "snapshot.storage.kubernetes.io/is-default-class"
DEFAULT_GROUP_CLASS = "groupsnapshot.storage.kubernetes.io/is-default-class"
RETAIN = "Retain"


def group_snapshots(version: str) -> Resource:
    """VolumeGroupSnapshots in one of ``GROUP_VERSIONS``."""
    return Resource(GROUP, version, "volumegroupsnapshots", "VolumeGroupSnapshot")


def group_contents(version: str) -> Resource:
    return Resource(GROUP, version, "volumegroupsnapshotcontents", "VolumeGroupSnapshotContent", namespaced=False)


def group_classes(version: str) -> Resource:
    return Resource(GROUP, version, "volumegroupsnapshotclasses", "VolumeGroupSnapshotClass", namespaced=False)


class SnapshotError(Wire, frozen=True):
    time: str | None = None
    message: str = ""


class SnapshotSource(Wire, frozen=True):
    """One of the two is set."""

    persistent_volume_claim_name: str = ""
    volume_snapshot_content_name: str = ""


class SnapshotSpec(Wire, frozen=True):
    source: SnapshotSource = msgspec.field(default_factory=SnapshotSource)
    volume_snapshot_class_name: str = ""


class SnapshotStatus(Wire, frozen=True):
    """``creation_time`` is the instant of the cut on storage."""

    bound_volume_snapshot_content_name: str = ""
    creation_time: str | None = None
    ready_to_use: bool = False
    restore_size: str | int | None = None
    error: SnapshotError | None = None
    volume_group_snapshot_name: str = ""


class Snapshot(Wire, frozen=True):
    """A VolumeSnapshot."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: SnapshotSpec = msgspec.field(default_factory=SnapshotSpec)
    status: SnapshotStatus = msgspec.field(default_factory=SnapshotStatus)


class SnapshotRef(Wire, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""


class ContentSource(Wire, frozen=True):
    volume_handle: str = ""
    snapshot_handle: str = ""


class ContentSpec(Wire, frozen=True):
    volume_snapshot_ref: SnapshotRef = msgspec.field(default_factory=SnapshotRef)
    deletion_policy: str = ""
    driver: str = ""
    volume_snapshot_class_name: str = ""
    source: ContentSource = msgspec.field(default_factory=ContentSource)
    source_volume_mode: str = ""


class ContentStatus(Wire, frozen=True):
    """``creation_time`` in nanoseconds since 1970, ``restore_size`` in bytes."""

    snapshot_handle: str = ""
    creation_time: int | None = None
    restore_size: int | None = None
    ready_to_use: bool = False
    error: SnapshotError | None = None
    volume_group_snapshot_handle: str = ""


class Content(Wire, frozen=True):
    """A VolumeSnapshotContent."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: ContentSpec = msgspec.field(default_factory=ContentSpec)
    status: ContentStatus = msgspec.field(default_factory=ContentStatus)


class SnapshotClass(Wire, frozen=True):
    """A VolumeSnapshotClass or VolumeGroupSnapshotClass: no spec, its fields are at the top."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    driver: str = ""
    deletion_policy: str = ""
    parameters: dict[str, str] | None = None


class GroupSource(Wire, frozen=True):
    selector: LabelSelector | None = None
    volume_group_snapshot_content_name: str = ""


class GroupSpec(Wire, frozen=True):
    source: GroupSource = msgspec.field(default_factory=GroupSource)
    volume_group_snapshot_class_name: str = ""


class GroupStatus(Wire, frozen=True):
    bound_volume_group_snapshot_content_name: str = ""
    creation_time: str | None = None
    ready_to_use: bool = False
    error: SnapshotError | None = None


class GroupSnapshot(Wire, frozen=True):
    """A VolumeGroupSnapshot."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: GroupSpec = msgspec.field(default_factory=GroupSpec)
    status: GroupStatus = msgspec.field(default_factory=GroupStatus)


class GroupContentSpec(Wire, frozen=True):
    deletion_policy: str = ""
    driver: str = ""


class GroupContent(Wire, frozen=True):
    """A VolumeGroupSnapshotContent: its policy goes before those of its members' contents."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: GroupContentSpec = msgspec.field(default_factory=GroupContentSpec)


class SnapshotState(StrEnum):
    """``CUT``: the data is taken, the application may go on; ``ERROR`` is not final, the controller tries again."""

    PENDING = "pending"
    CUT = "cut"
    READY = "ready"
    ERROR = "error"
    DELETING = "deleting"


def state(snapshot: Snapshot) -> SnapshotState:
    """Where a VolumeSnapshot stands."""
    if snapshot.metadata.deletion_timestamp:
        return SnapshotState.DELETING
    status = snapshot.status
    if status.ready_to_use:
        return SnapshotState.READY
    if status.error is not None and status.error.message:
        return SnapshotState.ERROR
    return SnapshotState.CUT if status.creation_time else SnapshotState.PENDING


def unbound(snapshot: Snapshot, content: Content | None) -> str:
    """Why the snapshot and its content do not belong to each other, both ways; "" when they do.

    Whoever may write contents could otherwise hand over other people's data.
    """
    name = snapshot.status.bound_volume_snapshot_content_name
    if not name:
        return "not bound to a content yet"
    if content is None:
        return f"its content {name} does not exist"
    if content.metadata.name != name:
        return f"bound to content {name}, not to {content.metadata.name}"
    ref, meta = content.spec.volume_snapshot_ref, snapshot.metadata
    if (ref.namespace, ref.name) != (meta.namespace, meta.name):
        return f"its content {name} belongs to {ref.namespace}/{ref.name}"
    if ref.uid != meta.uid:
        return f"its content {name} belongs to an earlier snapshot of this name"
    return ""


def cut_at(snapshot: Snapshot) -> datetime | None:
    """The instant of the cut on storage; None while it is not known."""
    text = snapshot.status.creation_time
    return parse_rfc3339(text) if text else None


def restore_size(snapshot: Snapshot) -> int | None:
    """The smallest size in bytes a claim restored from it may have; None when it is not told."""
    value = snapshot.status.restore_size
    if value in (None, "", 0, "0"):
        return None
    try:
        return int(parse(str(value)))
    except QuantityError:
        return None
