"""Why an action cannot be done now: what it may depend on, and a sentence for each thing that stands against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lazarus_tui.model.objects import Backup, Restore, Schedule
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.sets import SnapshotSet
from lazarus_tui.model.topics import ContextRow, WorkloadRow
from lazarus_tui.view import times
from lazarus_tui.view.proofs import Proven


@dataclass(frozen=True, slots=True)
class Situation:
    """What an action may depend on: where the person is and what the engine last said."""

    mode: str
    now: datetime
    context: ContextRow | None = None
    connected: bool = True
    record: Any = None
    marks: int = 0
    operation: Operation | None = None


Reason = Callable[[Situation], str | None]


def armed(context: ContextRow | None, now: datetime) -> bool:
    """Whether changes are allowed in this context: always in the sandbox, else for the armed minutes."""
    if context is None:
        return False
    if context.write_until == "always":
        return True
    until = times.moment(context.write_until)
    return until is not None and until > now


def engine(situation: Situation) -> str | None:
    return None if situation.connected else "the engine does not answer"


def cluster(situation: Situation) -> str | None:
    if situation.context is None:
        return "no context is in use: choose one with :contexts"
    if situation.context.state == "failed":
        return f"{situation.context.name} cannot be reached: {situation.context.reason}"
    return None


def velero(situation: Situation) -> str | None:
    if situation.context is not None and not situation.context.velero_namespace:
        return "there is no Velero in use in this cluster"
    return None


def writable(situation: Situation) -> str | None:
    if armed(situation.context, situation.now):
        return None
    return "this context is read-only: a arms it for 15 minutes"


def allowed(capability: str) -> Reason:
    """A hint from the API's access review; the API's own answer stays the truth."""

    def reason(situation: Situation) -> str | None:
        denied = situation.context is not None and capability in situation.context.denied
        return f"your account may not {capability}" if denied else None

    return reason


def may(*capabilities: str) -> Reason:
    """The same for rights that may be given in one namespace: that of the record, or of the operation's target."""

    def reason(situation: Situation) -> str | None:
        record, found = situation.record, situation.operation
        namespace = getattr(record, "namespace", "") or (found.target.partition("/")[0] if found else "")
        denied = situation.context.denied if situation.context is not None else ()
        missing = (each for one in capabilities for each in (one, f"{one} in {namespace}") if each in denied)
        return next((f"your account may not {each}" for each in missing), None)

    return reason


def row(situation: Situation) -> str | None:
    return None if situation.record is not None or situation.mode == "document" else "nothing is selected"


def point(situation: Situation) -> str | None:
    record = situation.record
    if isinstance(record, WorkloadRow) and not record.listed("backups"):
        return "its recovery points are not known: backups cannot be listed"
    if isinstance(record, WorkloadRow):
        return None if record.newest is not None else "this workload has no usable recovery point"
    if isinstance(record, Backup) and record.status.phase not in ("Completed", "PartiallyFailed"):
        return f"a backup that is {record.status.phase or 'New'} cannot be restored"
    return row(situation)


def unpaused(situation: Situation) -> str | None:
    if isinstance(situation.record, Schedule) and situation.record.status.phase == "FailedValidation":
        return "Velero refused this schedule: d shows why"
    return row(situation)


def undoable(situation: Situation) -> str | None:
    found = situation.operation
    if found is None:
        return "no operation is selected"
    if found.state == "running" and not found.can_undo:
        return "it runs: P parks it first, then u takes it back where that can be done"
    return None if found.can_undo else "this operation cannot be taken back"


def parked(situation: Situation) -> str | None:
    found = situation.operation
    if found is None:
        return "no operation is selected"
    return None if found.state == "parked" else f"only a parked operation is resumed; this one is {found.state}"


def closable(situation: Situation) -> str | None:
    found = situation.operation
    if found is None:
        return "no operation is selected"
    return None if found.state == "parked" else f"only a parked operation is closed; this one is {found.state}"


def runs(situation: Situation) -> str | None:
    found = situation.operation
    if found is None:
        return "no operation is selected"
    return None if found.state == "running" else f"only a running operation is parked; this one is {found.state}"


def sandbox(situation: Situation) -> str | None:
    if situation.context is not None and situation.context.sandbox:
        return None
    return "rehearsals run in the sandbox only: lazarus --sandbox"


def stateful(situation: Situation) -> str | None:
    record = situation.record
    if isinstance(record, WorkloadRow) and record.kind != "StatefulSet":
        return f"sets are of StatefulSets; this is a {record.kind}"
    if isinstance(record, WorkloadRow) and not record.claims:
        return "it has no volumes"
    if isinstance(record, SnapshotSet) and not record.about.workload:
        return "the set does not say which workload it is of"
    return row(situation)


def usable(situation: Situation) -> str | None:
    record = situation.record
    if isinstance(record, SnapshotSet) and not record.usable:
        return f"a set that is {record.state} cannot be restored: {(*record.troubles, 'it names no volumes')[0]}"
    return stateful(situation)


_MAKES = (
    "create namespaces", "create pods", "create networkpolicies.networking.k8s.io", "delete namespaces",
)  # fmt: skip


def of_a_set(record: Any) -> bool:
    """Whether the newest usable point of this workload is a snapshot set."""
    row = record.row if isinstance(record, Proven) else record
    return isinstance(row, WorkloadRow) and row.newest is not None and row.newest.kind == "snapshots"


def provable(situation: Situation) -> str | None:
    """A proof needs a usable point, Velero where the point is Velero's, and the right to make a quarantine."""
    record, context = situation.record, situation.context
    if isinstance(record, SnapshotSet):
        found = usable(situation)
    elif of_a_set(record):
        found = _newest(situation)
    else:
        found = velero(situation) or allowed("create restores.velero.io")(situation) or _newest(situation)
    denied = context.denied if context is not None else ()
    return found or next((f"your account may not {each}" for each in _MAKES if each in denied), None)


def _newest(situation: Situation) -> str | None:
    record = situation.record
    if isinstance(record, Proven):
        if record.open is not None:
            return "a proof of it runs: enter shows it"
        return None if record.row is None else point(replace(situation, record=record.row))
    return point(situation)


def enabled(situation: Situation) -> str | None:
    """What a policy proves was agreed to when it was enabled; before, nothing of it begins."""
    from lazarus_tui.view.downtime import IN_SANDBOX, LAZARUS  # what the console starts with does without
    from lazarus_tui.view.policies import Stand

    record = situation.record
    if isinstance(record, Stand) and not record.row.enabled:
        command = IN_SANDBOX if situation.context is not None and situation.context.sandbox else LAZARUS
        return f"the policy is not enabled: {command} policy enable {record.name}"
    return row(situation)


def controlled(situation: Situation) -> str | None:
    from lazarus_tui.view.policies import Stand

    record = situation.record
    if isinstance(record, Stand) and not record.row.policy.control:
        return "the policy has no negative control (control: in its file)"
    return row(situation)


def releasable(situation: Situation) -> str | None:
    found = situation.operation
    if found is None:
        return "no operation is selected"
    if found.kind != "snapshots.restore-in-place":
        return "only a restore in place keeps old volumes"
    if found.state != "done":
        return f"only a restore that is done is released; this one is {found.state}"
    return None if found.can_undo else "it keeps nothing any more"


def log_kept(situation: Situation) -> str | None:
    record = situation.record
    if isinstance(record, Backup | Restore) and record.status.phase in ("", "New", "Queued", "InProgress"):
        return "the log is stored when it is finished"
    return row(situation)
