"""Topics the engine publishes and the records in them. A topic is ``name`` or ``name/<context>`` or ``name/<id>``."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from lazarus_tui.model.objects import Backup, Location, Restore, Schedule, VolumeCopy
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.parts import Part
from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.snapshots import Content, Snapshot
from lazarus_tui.model.verdict import Verdict


class Finding(msgspec.Struct, frozen=True):
    """Something a person should know: ``severity`` is info, warning or error; ``hint`` says what to do next."""

    severity: str
    what: str
    hint: str = ""


class PointView(msgspec.Struct, frozen=True, kw_only=True):
    """A recovery point as a workload sees it. ``usable`` None means unknown; ``reasons`` say why it is not usable."""

    name: str
    kind: str
    start: str
    usable: bool | None
    reasons: tuple[str, ...] = ()
    location: str = ""
    schedule: str = ""
    proven: Verdict = Verdict.NOT_TESTED
    proven_at: str = ""


class WorkloadRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the Overview. Exposure is now minus ``newest.start``: compute it where it is shown."""

    namespace: str
    kind: str
    name: str
    ready: int
    desired: int
    claims: tuple[str, ...] = ()
    newest: PointView | None = None
    backed_up: PointView | None = None  # the newest usable backup, where a snapshot set is newer
    newest_proven: PointView | None = None
    skipped: tuple[PointView, ...] = ()  # newer points that were passed over, newest first, with reasons
    next_run: str = ""
    next_schedule: str = ""
    last_verdict: Verdict = Verdict.NOT_TESTED
    last_verdict_at: str = ""
    rta_seconds: float | None = None
    findings: tuple[Finding, ...] = ()
    unlisted: tuple[str, ...] = ()  # of what is needed, by plural: not none, but not known

    def listed(self, plural: str) -> bool:
        """Whether what is said of these objects is all there is to say."""
        return plural not in self.unlisted


class ContextRow(msgspec.Struct, frozen=True, kw_only=True):
    """One kubeconfig context. ``state``: unknown, connecting, ready, stale, failed. ``velero`` lists its namespaces."""

    name: str
    cluster: str = ""
    server: str = ""
    user: str = ""
    state: str = "unknown"
    reason: str = ""
    hint: str = ""
    cluster_uid: str = ""
    server_version: str = ""
    velero: tuple[str, ...] = ()
    velero_namespace: str = ""
    velero_version: str = ""
    current: bool = False
    sandbox: bool = False
    time_factor: float = 1.0
    write_until: str = ""  # RFC 3339 while armed; "always" for the sandbox; "" read-only
    denied: tuple[str, ...] = ()  # capabilities the API would refuse (hints from SSAR), e.g. "create backups.velero.io"


class LogLine(msgspec.Struct, frozen=True):
    """One line of an operation's log."""

    n: int
    at: str
    text: str


class Topic(StrEnum):
    """Names; those with a slash in the comment take a suffix."""

    CONTEXTS = "contexts"  # ContextRow
    OVERVIEW = "overview"  # /<context>: WorkloadRow
    BACKUPS = "backups"  # /<context>: Backup
    SCHEDULES = "schedules"  # /<context>: Schedule
    RESTORES = "restores"  # /<context>: Restore
    LOCATIONS = "locations"  # /<context>: Location
    COPIES = "copies"  # /<context>: VolumeCopy (PodVolumeBackup/Restore, DataUpload/Download)
    SNAPSHOTS = "snapshots"  # /<context>: Snapshot (VolumeSnapshot), by namespace/name
    SNAPSHOT_CONTENTS = "snapshot-contents"  # /<context>: Content (VolumeSnapshotContent)
    PROOFS = "proofs"  # /<context>: ProofView
    POLICIES = "policies"  # /<context>: ProofPolicyRow, by name; without what its proofs are planned with
    QUEUE = "queue"  # /<context>: Entry, by id: open ones and the newest ended; without their parameters
    ENGINE = "engine"  # Part, by name
    OPERATIONS = "operations"  # Operation (steps included), newest first
    OPERATION_LOG = "oplog"  # /<operation id>: LogLine


RECORDS: dict[str, Any] = {
    Topic.CONTEXTS: ContextRow,
    Topic.OVERVIEW: WorkloadRow,
    Topic.BACKUPS: Backup,
    Topic.SCHEDULES: Schedule,
    Topic.RESTORES: Restore,
    Topic.LOCATIONS: Location,
    Topic.COPIES: VolumeCopy,
    Topic.SNAPSHOTS: Snapshot,
    Topic.SNAPSHOT_CONTENTS: Content,
    Topic.PROOFS: ProofView,
    Topic.ENGINE: Part,
    Topic.OPERATIONS: Operation,
    Topic.OPERATION_LOG: LogLine,
}


def record(name: str) -> Any:
    """What a topic of that name (without its suffix) holds; anything for one that is not known."""
    if name in (Topic.POLICIES, Topic.QUEUE):
        # Loaded here: a console starts without them, and they bring cron lines along.
        from lazarus_tui.model.proof_policies import Entry, ProofPolicyRow

        return ProofPolicyRow if name == Topic.POLICIES else Entry
    return RECORDS.get(name, dict[str, Any])
