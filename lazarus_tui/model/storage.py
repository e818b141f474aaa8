"""Records of volumes, storage classes and attachments, as far as a restore reads them."""

from __future__ import annotations

import msgspec

from lazarus_tui.model.objects import Meta, Wire
from lazarus_tui.model.resources import Resource

ATTACHMENTS = Resource("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", namespaced=False)
WAITS_FOR_CONSUMER = "WaitForFirstConsumer"


class CsiSource(Wire, frozen=True):
    driver: str = ""
    volume_handle: str = ""


class ClaimRef(Wire, frozen=True):
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""


class VolumeSpec(Wire, frozen=True):
    csi: CsiSource | None = None
    claim_ref: ClaimRef | None = None
    persistent_volume_reclaim_policy: str = ""
    storage_class_name: str = ""
    capacity: dict[str, str] | None = None
    volume_mode: str = ""


class VolumeStatus(Wire, frozen=True):
    phase: str = ""


class Volume(Wire, frozen=True):
    """A PersistentVolume."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: VolumeSpec = msgspec.field(default_factory=VolumeSpec)
    status: VolumeStatus = msgspec.field(default_factory=VolumeStatus)


class StorageClass(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    provisioner: str = ""
    volume_binding_mode: str = ""
    reclaim_policy: str = ""
    allow_volume_expansion: bool = False


class AttachmentSource(Wire, frozen=True):
    persistent_volume_name: str = ""


class AttachmentSpec(Wire, frozen=True):
    source: AttachmentSource = msgspec.field(default_factory=AttachmentSource)
    node_name: str = ""


class Attachment(Wire, frozen=True):
    """A VolumeAttachment: while one exists the volume may still be written from its node."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: AttachmentSpec = msgspec.field(default_factory=AttachmentSpec)
