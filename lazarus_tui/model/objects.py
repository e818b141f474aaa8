"""Slim records of the cluster objects Lazarus keeps in memory, in the shape the API sends them.

Only the fields a row, a rule or a step needs are decoded: a list of 10 000 Backups costs 50 ms instead of 11 s. The
same records travel over the link to the console. Absent and null are the same: every field has a default. Unknown enum
values stay as they are (Velero adds phases with every release).
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Base of all wire-shaped records."""


class OwnerRef(Wire, frozen=True):
    kind: str = ""
    name: str = ""
    uid: str = ""


class Meta(Wire, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerRef] | None = None

    def label(self, key: str) -> str:
        return (self.labels or {}).get(key, "")


class Progress(Wire, frozen=True):
    """Items (backups, restores) or bytes (volume copies); absent while the server has said nothing."""

    total_items: int = 0
    items_backed_up: int = 0
    items_restored: int = 0
    total_bytes: int = 0
    bytes_done: int = 0


class LabelRequirement(Wire, frozen=True):
    """``operator`` is In, NotIn, Exists or DoesNotExist."""

    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class LabelSelector(Wire, frozen=True):
    match_labels: dict[str, str] | None = None
    match_expressions: list[LabelRequirement] | None = None


class BackupSpec(Wire, frozen=True):
    included_namespaces: list[str] | None = None
    excluded_namespaces: list[str] | None = None
    included_resources: list[str] | None = None
    excluded_resources: list[str] | None = None
    included_namespace_scoped_resources: list[str] | None = None
    excluded_namespace_scoped_resources: list[str] | None = None
    include_cluster_resources: bool | None = None
    label_selector: LabelSelector | None = None
    or_label_selectors: list[LabelSelector] | None = None
    snapshot_volumes: bool | None = None
    snapshot_move_data: bool | None = None
    default_volumes_to_fs_backup: bool | None = None
    storage_location: str = ""
    ttl: str = ""


class BackupStatus(Wire, frozen=True):
    phase: str = ""
    validation_errors: list[str] | None = None
    failure_reason: str = ""
    start_timestamp: str | None = None
    completion_timestamp: str | None = None
    expiration: str | None = None
    progress: Progress | None = None
    queue_position: int = 0
    warnings: int = 0
    errors: int = 0
    csi_volume_snapshots_attempted: int = 0
    csi_volume_snapshots_completed: int = 0
    volume_snapshots_attempted: int = 0
    volume_snapshots_completed: int = 0
    backup_item_operations_attempted: int = 0
    backup_item_operations_completed: int = 0
    backup_item_operations_failed: int = 0


class Backup(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: BackupSpec = msgspec.field(default_factory=BackupSpec)
    status: BackupStatus = msgspec.field(default_factory=BackupStatus)


class RestoreSpec(Wire, frozen=True):
    backup_name: str = ""
    schedule_name: str = ""
    included_namespaces: list[str] | None = None
    excluded_namespaces: list[str] | None = None
    namespace_mapping: dict[str, str] | None = None
    existing_resource_policy: str = ""


class RestoreStatus(Wire, frozen=True):
    phase: str = ""
    validation_errors: list[str] | None = None
    failure_reason: str = ""
    start_timestamp: str | None = None
    completion_timestamp: str | None = None
    progress: Progress | None = None
    warnings: int = 0
    errors: int = 0


class Restore(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: RestoreSpec = msgspec.field(default_factory=RestoreSpec)
    status: RestoreStatus = msgspec.field(default_factory=RestoreStatus)


class ScheduleSpec(Wire, frozen=True):
    schedule: str = ""
    paused: bool = False
    skip_immediately: bool | None = None
    template: BackupSpec = msgspec.field(default_factory=BackupSpec)


class ScheduleStatus(Wire, frozen=True):
    phase: str = ""
    last_backup: str | None = None
    last_skipped: str | None = None
    validation_errors: list[str] | None = None


class Schedule(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: ScheduleSpec = msgspec.field(default_factory=ScheduleSpec)
    status: ScheduleStatus = msgspec.field(default_factory=ScheduleStatus)


class ObjectStorage(Wire, frozen=True):
    bucket: str = ""
    prefix: str = ""


class LocationSpec(Wire, frozen=True):
    provider: str = ""
    object_storage: ObjectStorage = msgspec.field(default_factory=ObjectStorage)
    access_mode: str = ""
    default: bool = False
    validation_frequency: str | None = None


class LocationStatus(Wire, frozen=True):
    phase: str = ""
    message: str = ""
    last_synced_time: str | None = None
    last_validation_time: str | None = None


class Location(Wire, frozen=True):
    """A BackupStorageLocation."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: LocationSpec = msgspec.field(default_factory=LocationSpec)
    status: LocationStatus = msgspec.field(default_factory=LocationStatus)


class PodRef(Wire, frozen=True):
    namespace: str = ""
    name: str = ""
    uid: str = ""


class TargetVolume(Wire, frozen=True):
    pvc: str = ""
    pv: str = ""
    namespace: str = ""


class VolumeCopySpec(Wire, frozen=True):
    """Fields of PodVolumeBackup, PodVolumeRestore, DataUpload and DataDownload specs that Lazarus reads."""

    pod: PodRef | None = None
    volume: str = ""
    node: str = ""
    backup_storage_location: str = ""
    uploader_type: str = ""
    source_namespace: str = ""
    source_pvc: str = msgspec.field(default="", name="sourcePVC")
    target_volume: TargetVolume | None = None
    snapshot_size: int = 0


class VolumeCopyStatus(Wire, frozen=True):
    phase: str = ""
    message: str = ""
    start_timestamp: str | None = None
    completion_timestamp: str | None = None
    progress: Progress | None = None


class VolumeCopy(Wire, frozen=True):
    """One volume on its way: PodVolumeBackup, PodVolumeRestore, DataUpload or DataDownload."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: VolumeCopySpec = msgspec.field(default_factory=VolumeCopySpec)
    status: VolumeCopyStatus = msgspec.field(default_factory=VolumeCopyStatus)


class ClaimSource(Wire, frozen=True):
    claim_name: str = ""


class PodVolume(Wire, frozen=True):
    name: str = ""
    persistent_volume_claim: ClaimSource | None = None


class PodSpec(Wire, frozen=True):
    node_name: str = ""
    volumes: list[PodVolume] | None = None


class PodTemplate(Wire, frozen=True):
    spec: PodSpec = msgspec.field(default_factory=PodSpec)


class ClaimTemplate(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)


class WorkloadSpec(Wire, frozen=True):
    replicas: int | None = None
    template: PodTemplate = msgspec.field(default_factory=PodTemplate)
    volume_claim_templates: list[ClaimTemplate] | None = None


class WorkloadStatus(Wire, frozen=True):
    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    observed_generation: int = 0


class Workload(Wire, frozen=True):
    """A StatefulSet or Deployment."""

    kind: str = ""
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: WorkloadSpec = msgspec.field(default_factory=WorkloadSpec)
    status: WorkloadStatus = msgspec.field(default_factory=WorkloadStatus)

    @property
    def desired(self) -> int:
        return 1 if self.spec.replicas is None else self.spec.replicas

    def claims(self) -> tuple[str, ...]:
        """Names of the claims this workload mounts, those of StatefulSet replicas included."""
        direct = [
            v.persistent_volume_claim.claim_name
            for v in self.spec.template.spec.volumes or ()
            if v.persistent_volume_claim
        ]
        templated = [
            f"{t.metadata.name}-{self.metadata.name}-{ordinal}"
            for t in self.spec.volume_claim_templates or ()
            for ordinal in range(self.desired)
        ]
        return tuple(sorted(set(direct + templated)))


class ClaimSpec(Wire, frozen=True):
    storage_class_name: str | None = None
    volume_name: str = ""


class ClaimStatus(Wire, frozen=True):
    phase: str = ""
    capacity: dict[str, str] | None = None


class Claim(Wire, frozen=True):
    """A PersistentVolumeClaim."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: ClaimSpec = msgspec.field(default_factory=ClaimSpec)
    status: ClaimStatus = msgspec.field(default_factory=ClaimStatus)


class ContainerStatus(Wire, frozen=True):
    name: str = ""
    ready: bool = False
    restart_count: int = 0
    state: dict[str, Any] | None = None


class PodStatus(Wire, frozen=True):
    phase: str = ""
    reason: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    container_statuses: list[ContainerStatus] | None = None


class Pod(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class Namespace(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)


T = TypeVar("T")


class ListMeta(Wire, frozen=True):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class Page(Wire, Generic[T], frozen=True):
    """One page of a list."""

    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    items: list[T] = msgspec.field(default_factory=list)


def without_nulls(value: Any) -> Any:
    """Plain JSON data with every null member removed: the API means "absent" by it."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def record(found: Any, wanted: type[T]) -> T:
    """Plain JSON data as a record; raises ``msgspec.ValidationError``."""
    return msgspec.convert(without_nulls(found), wanted)
