"""What a Deployment says of its rollout."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.sandbox.controllers.base import Object
from lazarus_tui.sandbox.controllers.rollouts import Bounds, available, size

_DONE, _TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
# Kubernetes' "no deadline": the largest int32.
_NEVER = 2**31 - 1

# Condition status, reason, message.
Told = tuple[str, str, str]


def status_of(owner: Object, bounds: Bounds, new: Object | None, others: Sequence[Object], now: datetime) -> Object:
    """The whole status; it depends on the one before for what counts as progress."""
    before: Object = owner.get("status") or {}
    sets = [*others, *([new] if new else [])]
    able = sum(available(one) for one in sets)
    status: Object = {
        "observedGeneration": owner["metadata"].get("generation", 0),
        "replicas": sum(_told(one, "replicas") for one in sets),
        "updatedReplicas": _told(new, "replicas"),
        "readyReplicas": sum(_told(one, "readyReplicas") for one in sets),
        "availableReplicas": able,
        "unavailableReplicas": max(0, sum(size(one) for one in sets) - able),
    }
    status = {name: value for name, value in status.items() if value or name == "observedGeneration"}
    conditions = {one["type"]: one for one in before.get("conditions") or ()}
    enough = able >= bounds.replicas - bounds.unavailable
    _set(conditions, "Available", _availability(enough), now)
    if told := _progress(owner, status, conditions.get("Progressing", {}), new, now):
        moved = _moved(before, status) and told[0] == "True"
        _set(conditions, "Progressing", told, now, moved=moved)
    _failure(conditions, sets, now)
    return status | {"conditions": list(conditions.values())}


def seconds_to_deadline(owner: Object, now: datetime) -> float | None:
    """How long until a rollout that stands still counts as failed; None when none is on its way."""
    limit = owner["spec"].get("progressDeadlineSeconds", 600)
    known = _condition(owner, "Progressing")
    if limit == _NEVER or owner["spec"].get("paused") or known.get("reason") in (None, _DONE, _TIMED_OUT):
        return None
    since = parse_rfc3339(known["lastUpdateTime"])
    # The condition falls one second after the deadline at the earliest: stamps have whole seconds.
    return float(max(1.0, (since + timedelta(seconds=limit + 1) - now).total_seconds()))


def created(name: str) -> Told:
    return "True", "NewReplicaSetCreated", f'Created new replica set "{name}"'


def told_of(conditions: list[Object], told: Told, now: datetime) -> list[Object]:
    """``conditions`` with a new word on the progress."""
    found = {one["type"]: one for one in conditions}
    _set(found, "Progressing", told, now, moved=True)
    return list(found.values())


def _condition(owner: Object, kind: str) -> Object:
    found: Object = next(
        (one for one in (owner.get("status") or {}).get("conditions") or () if one["type"] == kind), {}
    )
    return found


def _told(replicaset: Object | None, field: str) -> int:
    return int(((replicaset or {}).get("status") or {}).get(field, 0))


def _availability(enough: bool) -> Told:
    if enough:
        return "True", "MinimumReplicasAvailable", "Deployment has minimum availability."
    return "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."


def _progress(owner: Object, status: Object, known: Object, new: Object | None, now: datetime) -> Told | None:
    """The new word on the progress; None keeps the old one."""
    spec, reason = owner["spec"], known.get("reason")
    limit = spec.get("progressDeadlineSeconds", 600)
    if limit == _NEVER:
        return None
    if spec.get("paused"):
        return (
            None
            if reason in ("DeploymentPaused", _TIMED_OUT)
            else ("Unknown", "DeploymentPaused", "Deployment is paused")
        )
    if reason == "DeploymentPaused":
        return "Unknown", "DeploymentResumed", "Deployment is resumed"
    name = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{owner["metadata"]["name"]}"'
    wanted = spec.get("replicas", 1)
    if all(status.get(field, 0) == wanted for field in ("updatedReplicas", "replicas", "availableReplicas")):
        return "True", _DONE, f"{name} has successfully progressed."
    if reason == _DONE and status.get("updatedReplicas") == status.get("replicas"):
        return None  # complete before: pods that fail now, or scaling, are no rollout
    if reason is None or _moved(owner.get("status") or {}, status):
        return "True", "ReplicaSetUpdated", f"{name} is progressing."
    since = parse_rfc3339(known["lastUpdateTime"])
    if reason != _TIMED_OUT and since + timedelta(seconds=limit) < now:
        return "False", _TIMED_OUT, f"{name} has timed out progressing."
    return None


def _moved(before: Object, status: Object) -> bool:
    """More new pods, fewer old ones, or more that are ready."""

    def old(part: Object) -> int:
        return int(part.get("replicas", 0) - part.get("updatedReplicas", 0))

    rises = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return any(status.get(field, 0) > before.get(field, 0) for field in rises) or old(status) < old(before)


def _failure(conditions: dict[str, Object], sets: Sequence[Object], now: datetime) -> None:
    """What keeps a ReplicaSet from making pods is told here too."""
    found = [
        one
        for replicaset in sets
        for one in (replicaset.get("status") or {}).get("conditions") or ()
        if one["type"] == "ReplicaFailure"
    ]
    if found:
        _set(conditions, "ReplicaFailure", ("True", found[-1]["reason"], found[-1]["message"]), now)
    else:
        conditions.pop("ReplicaFailure", None)


def _set(conditions: dict[str, Object], kind: str, told: Told, now: datetime, *, moved: bool = False) -> None:
    status, reason, message = told
    before, stamp = conditions.get(kind, {}), rfc3339(now)
    same = (before.get("status"), before.get("reason"), before.get("message")) == told
    conditions[kind] = {
        "type": kind,
        "status": status,
        "lastUpdateTime": before["lastUpdateTime"] if same and not moved else stamp,
        "lastTransitionTime": before["lastTransitionTime"] if before.get("status") == status else stamp,
        "reason": reason,
        "message": message,
    }
