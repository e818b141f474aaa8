"""What people write: Lazarus's own SnapshotPolicy, and StatefulSetBackup and StatefulSetRestore as their operator has
them, in version 0.0.2 (seed document) and 0.0.7. Strict: a field nobody knows is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
Label = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Count = Annotated[int, Field(ge=1, le=10_000)]
Words = Annotated[list[Annotated[str, Field(max_length=16_384)]], Field(min_length=1, max_length=256)]


class Written(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class Hooks(Written):
    """A recipe, or commands of one's own (argv, no shell). ``pods``: all, primary, an ordinal, label:KEY=VALUE."""

    recipe: str = ""
    before: Words | None = None
    after: Words | None = None
    container: str = ""
    pods: str = ""
    timeout: str = ""
    on_error: Literal["Fail", "Continue"] = "Fail"


class Retention(Written):
    keep_last: Count | None = None
    keep_hourly: Count | None = None
    keep_daily: Count | None = None
    keep_weekly: Count | None = None
    keep_monthly: Count | None = None
    keep_yearly: Count | None = None
    keep_within: str = ""
    min_good: Count | None = None
    most: Annotated[int, Field(ge=1, le=10)] | None = None


class Dark(Written):
    """From each time of a cron line on, for a duration."""

    begins: str
    lasts: str


class PolicyFile(Written):
    """``kind: SnapshotPolicy``"""

    api_version: Literal["lazarus.io/v1alpha1"]
    kind: Literal["SnapshotPolicy"]
    name: Label
    workload: Annotated[str, Field(pattern=r"^[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9.]*$")]
    schedule: str = ""
    time_zone: str = "UTC"
    run_on_create: bool = False
    catch_up: Literal["skip", "runOnce", "runAll"] = "runOnce"
    jitter: str = "0"
    blackout: Annotated[list[Dark], Field(max_length=20)] = []
    in_blackout: Literal["skip", "defer"] = "skip"
    writes: Literal["", "schedules"] = ""
    snapshot_class: str = ""
    together: Literal["auto", "group", "each"] = "auto"
    hooks: Hooks | None = None
    retention: Retention | None = None


class Metadata(Written):
    """A name, and all that a server adds."""

    name: Name
    namespace: Label = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    uid: Any = None
    resource_version: Any = None
    generation: Any = None
    creation_timestamp: Any = None
    deletion_timestamp: Any = None
    deletion_grace_period_seconds: Any = None
    managed_fields: Any = None
    owner_references: Any = None
    finalizers: Any = None
    generate_name: Any = None


class Reference(Written):
    name: Name
    namespace: Label = ""


class KeepLast(Written):
    keep_last: Count | None = None
    keep_days: Count | None = None


class Hook(Written):
    command: Words | None = None
    container_name: str = ""
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None


class BackupSpec(Written):
    stateful_set_ref: Reference
    schedule: str = ""
    retention_policy: KeepLast | None = None
    pre_backup_hook: Hook | None = None
    post_backup_hook: Hook | None = None
    volume_snapshot_class: str = ""
    volume_snapshot_class_name: str = ""


class RestoreSpec(Written):
    stateful_set_ref: Reference
    backup_name: str = ""
    use_latest_backup: bool = False
    snapshot_names: list[Name] = []
    scale_down: bool = True
    pvc_deletion_timeout_seconds: Annotated[int, Field(ge=1)] | None = None


class StatefulSetBackup(Written):
    api_version: Literal["backup.sts-backup.io/v1alpha1"]
    kind: Literal["StatefulSetBackup"]
    metadata: Metadata
    spec: BackupSpec
    status: Any = None


class StatefulSetRestore(Written):
    api_version: Literal["backup.sts-backup.io/v1alpha1"]
    kind: Literal["StatefulSetRestore"]
    metadata: Metadata
    spec: RestoreSpec
    status: Any = None


KINDS: dict[str, tuple[str, type[Written]]] = {
    "SnapshotPolicy": ("lazarus.io/v1alpha1", PolicyFile),
    "StatefulSetBackup": ("backup.sts-backup.io/v1alpha1", StatefulSetBackup),
    "StatefulSetRestore": ("backup.sts-backup.io/v1alpha1", StatefulSetRestore),
}
