"""What StatefulSetBackups and StatefulSetRestores are told in their status: the fields and phases of their operator.

Pure. One condition, ``RunByLazarus``, says who wrote it; a status without it was written by somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lazarus_tui.model.operation import Operation, OpState, StepState
from lazarus_tui.model.resources import Resource

BACKUPS = Resource("backup.sts-backup.io", "v1alpha1", "statefulsetbackups", "StatefulSetBackup")
RESTORES = Resource("backup.sts-backup.io", "v1alpha1", "statefulsetrestores", "StatefulSetRestore")
CONDITION = "RunByLazarus"
# Phases of the source document: of backups, then of restores.
IN_PROGRESS, READY, FAILED = "InProgress", "Ready", "Failed"
NEW, SCALING_DOWN, RESTORING, SCALING_UP, COMPLETED = "New", "ScalingDown", "Restoring", "ScalingUp", "Completed"
# Steps of a restore in place from which on a phase holds; before the first of them it is ScalingDown.
_BEGINS = {"remove": RESTORING, "first": SCALING_UP, "start": SCALING_UP}
# Reasons of the condition: why a restore was not even begun.
INVALID, REFUSED = "Invalid", "Refused"
NOT_BEGUN = (INVALID, REFUSED)
# Longest message a condition may have (Kubernetes: metav1.Condition); a sentence is shorter.
_LONGEST = 1024

Object = Mapping[str, Any]


def condition(found: Object) -> dict[str, Any]:
    """Lazarus's own condition of an object; {} where it has none."""
    return next((dict(one) for one in _conditions(found) if one.get("type") == CONDITION), {})


def foreign(found: Object) -> str:
    """What somebody else wrote into the status of an object, in words; "" for nothing."""
    status = found.get("status") or {}
    if condition(found):
        return ""
    if phase := status.get("phase"):
        return f"its phase is {phase}"
    last = status.get("lastBackupTime")
    return f"its lastBackupTime is {last}" if last else ""


def told(
    found: Object, fields: Mapping[str, Any], *, good: bool | None, reason: str, message: str, now: str
) -> dict[str, Any]:
    """The whole new status of an object: ``fields`` and Lazarus's condition beside what else stands there.

    ``good`` None is Unknown. ``reason`` in CamelCase; ``now`` RFC 3339.
    """
    state = {True: "True", False: "False", None: "Unknown"}[good]
    old = condition(found)
    same = old.get("status") == state
    ours = {
        "type": CONDITION, "status": state, "reason": reason, "message": message[:_LONGEST],
        "lastTransitionTime": old.get("lastTransitionTime", now) if same else now,
        "observedGeneration": int((found.get("metadata") or {}).get("generation") or 0),
    }  # fmt: skip
    others = [dict(one) for one in _conditions(found) if one.get("type") != CONDITION]
    return {**(found.get("status") or {}), **fields, "conditions": [*others, ours]}


def _conditions(found: Object) -> Sequence[Object]:
    return (found.get("status") or {}).get("conditions") or ()


def phase(operation: Operation) -> str:
    """The phase of a restore, as its operator would name it."""
    if operation.state is OpState.DONE:
        return COMPLETED
    if not operation.state.open:
        return FAILED
    found = SCALING_DOWN
    for step in operation.steps:
        if step.state not in (StepState.PLANNED, StepState.UNDONE):
            found = _BEGINS.get(step.name, found)
    return found


def restoring(operation: Operation, params: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the status of a StatefulSetRestore that ``operation`` (under a plan with ``params``) carries out."""
    fields: dict[str, Any] = {
        "phase": phase(operation), "startTime": _seconds(operation.started),
        "originalReplicas": int(params.get("replicas") or 0),
    }  # fmt: skip
    if operation.ended:
        ended, good = _seconds(operation.ended), operation.state is OpState.DONE
        fields["completionTime"] = ended
        fields["restoredSnapshots"] = [
            {"snapshotName": one["snapshot"], "pvcName": one["claim"], "restoreTime": ended, "success": good}
            for one in _parts(params)
        ]
    return fields


def _parts(params: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return params.get("parts") or ()


def _seconds(moment: str) -> str:
    """Kubernetes keeps whole seconds."""
    return f"{moment[:19]}Z" if moment else ""


def claimed(found: Object) -> str:
    """Who is at a StatefulSetRestore, or was, in words; "" while nobody is. What was refused before anything was done
    is nobody's again once it has been changed."""
    status, meta = found.get("status") or {}, found.get("metadata") or {}
    named = status.get("phase") or NEW
    if named == NEW:
        return ""
    ours = condition(found)
    if not ours:
        return f"its phase is {named}, and somebody else wrote that"
    unchanged = int(ours.get("observedGeneration") or 0) >= int(meta.get("generation") or 0)
    if named == FAILED and ours.get("reason") in NOT_BEGUN:
        return f"{ours.get('message')}; it is looked at again when it is changed" if unchanged else ""
    return f"its phase is {named}: another Lazarus took it up"
