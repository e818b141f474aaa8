"""The kinds, finalizers and annotations of CSI snapshots, and the names their controllers make up.

Source: external-snapshotter 8.x (``client/apis``, ``pkg/utils``), external-provisioner 6.x.
"""

from __future__ import annotations

import hashlib
from typing import Any

from lazarus_tui.model.resources import Resource

GROUP = "snapshot.storage.k8s.io"
GROUP_OF_GROUPS = "groupsnapshot.storage.k8s.io"

SNAPSHOTS = Resource(GROUP, "v1", "volumesnapshots", "VolumeSnapshot")
CONTENTS = Resource(GROUP, "v1", "volumesnapshotcontents", "VolumeSnapshotContent", namespaced=False)
CLASSES = Resource(GROUP, "v1", "volumesnapshotclasses", "VolumeSnapshotClass", namespaced=False)
# v1beta2 is what the definitions store; v1 reads the same.
GROUP_SNAPSHOTS = Resource(GROUP_OF_GROUPS, "v1beta2", "volumegroupsnapshots", "VolumeGroupSnapshot")
GROUP_CONTENTS = Resource(
    GROUP_OF_GROUPS, "v1beta2", "volumegroupsnapshotcontents", "VolumeGroupSnapshotContent", namespaced=False
)
GROUP_CLASSES = Resource(
    GROUP_OF_GROUPS, "v1beta2", "volumegroupsnapshotclasses", "VolumeGroupSnapshotClass", namespaced=False
)

_MARKS = "snapshot.storage.kubernetes.io"
_GROUP_MARKS = "groupsnapshot.storage.kubernetes.io"

DEFAULT_CLASS = f"{_MARKS}/is-default-class"
DEFAULT_GROUP_CLASS = f"{_GROUP_MARKS}/is-default-class"

CLAIM_FINALIZER = f"{_MARKS}/pvc-as-source-protection"
SOURCE_FINALIZER = f"{_MARKS}/volumesnapshot-as-source-protection"
BOUND_FINALIZER = f"{_MARKS}/volumesnapshot-bound-protection"
MEMBER_FINALIZER = f"{_MARKS}/volumesnapshot-in-group-protection"
CONTENT_FINALIZER = f"{_MARKS}/volumesnapshotcontent-bound-protection"
GROUP_FINALIZER = f"{_GROUP_MARKS}/volumegroupsnapshot-bound-protection"
GROUP_CONTENT_FINALIZER = f"{_GROUP_MARKS}/volumegroupsnapshotcontent-bound-protection"
RESTORE_FINALIZER = "provisioner.storage.kubernetes.io/volumesnapshot-as-source-protection"
CLONE_FINALIZER = "provisioner.storage.kubernetes.io/cloning-protection"

BEING_CREATED = f"{_MARKS}/volumesnapshot-being-created"
BEING_DELETED = f"{_MARKS}/volumesnapshot-being-deleted"
GROUP_BEING_CREATED = f"{_GROUP_MARKS}/volumegroupsnapshot-being-created"
GROUP_BEING_DELETED = f"{_GROUP_MARKS}/volumegroupsnapshot-being-deleted"
GROUP_HANDLE = f"{GROUP_OF_GROUPS}/volumeGroupSnapshotHandle"
ALLOW_MODE_CHANGE = f"{_MARKS}/allow-volume-mode-change"
# Of this driver alone: how long the pods of the volume stood still for the cut, in milliseconds of real time.
FROZEN_MILLISECONDS = "directory.lazarus.dev/frozen-milliseconds"


def content_name(snapshot: dict[str, Any]) -> str:
    return f"snapcontent-{snapshot['metadata']['uid']}"


def group_content_name(group: dict[str, Any]) -> str:
    return f"groupsnapcontent-{group['metadata']['uid']}"


def member_names(group_uid: str, volume_handle: str) -> tuple[str, str]:
    """The names of a group's member: its snapshot and its content."""
    digest = hashlib.sha256((group_uid + volume_handle).encode()).hexdigest()
    return f"snapshot-{digest}", f"snapcontent-{digest}"


def path(obj: dict[str, Any]) -> str:
    """``namespace/name`` as the controllers' messages have it."""
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
