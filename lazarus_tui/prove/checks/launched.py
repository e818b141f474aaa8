"""Pods and Jobs of the checker's own, and restored Jobs that are let run: made by a step, looked at by the check.

They have no token, no rights and no privileges, run where copies do and push as little away (S18), and stay in the
namespace under the names the plan gives them.
"""

from __future__ import annotations

import hashlib
from typing import Any

from lazarus_tui.model.objects import Meta
from lazarus_tui.model.resources import JOBS, PODS, Resource
from lazarus_tui.model.stepping import OPERATION_LABEL, BaseStep, carry_out
from lazarus_tui.model.steps import Observation, Reader, Seen, StepContext, Write
from lazarus_tui.prove.checks import compare
from lazarus_tui.prove.checks.outcome import Attempt, CouldNot, Found, Wrong, hashed
from lazarus_tui.prove.checks.seen import SeenJob, SeenPod
from lazarus_tui.prove.definitions import Checks
from lazarus_tui.prove.rules.placement import SMALL, UNPLACED, Placement
from lazarus_tui.prove.wanted import JobCheck, PodCheck

CHECK_LABEL = "lazarus.io/check"
CONTAINER = "check"
Launched = PodCheck | JobCheck
# A checker is small; a namespace with a quota takes no pod that says nothing.
_RESOURCES = {"requests": SMALL, "limits": {"cpu": "500m", "memory": "256Mi"}}
_USER = 65534  # nobody


def name_of(op: str, check: Launched) -> str:
    """The same for every run of one operation, so that a crash makes no second one."""
    if isinstance(check, JobCheck) and check.job:
        return check.job
    return f"lazarus-check-{op[:8]}-{hashlib.sha256(check.title.encode()).hexdigest()[:6]}"


def launched(wanted: Checks) -> list[Launched]:
    return [check for check in wanted.checks if isinstance(check, PodCheck | JobCheck)]


class Launch(BaseStep):
    """Makes the pods and Jobs of checks, and lets restored Jobs run that were held back."""

    name, title, mutates = "checks.launch", "Start the checks' pods and Jobs", True

    def __init__(self, wanted: Checks, placed: Placement = UNPLACED) -> None:
        self.wanted, self.placed = launched(wanted), placed

    async def observe(self, context: StepContext) -> Observation:
        missing = [check for check in self.wanted if await self._write(context, check) is not None]
        if missing:
            return Observation(Seen.ABSENT, f"{len(missing)} of {len(self.wanted)} not started")
        return Observation(Seen.DONE, f"{len(self.wanted)} started")

    async def act(self, context: StepContext) -> None:
        for check in self.wanted:
            if write := await self._write(context, check):
                await carry_out(context, write)

    async def _write(self, context: StepContext, check: Launched) -> Write | None:
        """What is still to be done for a check; None when nothing is, or when there is no Job to let run."""
        found, name = await _there(context, check), name_of(context.op, check)
        if isinstance(check, JobCheck) and check.job:
            return _release(check, found) if isinstance(found, SeenJob) and found.spec.suspend else None
        if found is not None:
            return None
        return Write(
            "create",
            _kind(check),
            check.namespace,
            name,
            body(check, name, self.placed),
            expect=f"check {check.title} runs",
        )


class Tidy(BaseStep):
    """Takes away the pods and Jobs that the checks made; restored ones stay."""

    name, title, mutates = "checks.tidy", "Remove the checks' pods and Jobs", True

    def __init__(self, wanted: Checks) -> None:
        self.wanted = [check for check in launched(wanted) if not (isinstance(check, JobCheck) and check.job)]

    async def observe(self, context: StepContext) -> Observation:
        left = [found for check in self.wanted if (found := await _meta(context, check)) is not None]
        ending = all(found.deletion_timestamp for found in left)
        if not left:
            return Observation(Seen.DONE, "none of them is there")
        return Observation(Seen.WAITING if ending else Seen.ABSENT, f"{len(left)} left")

    async def act(self, context: StepContext) -> None:
        for check in self.wanted:
            found = await _meta(context, check)
            if found is not None and not found.deletion_timestamp:
                gone = "the check is gone"
                await carry_out(
                    context, Write("delete", _kind(check), check.namespace, found.name, uid=found.uid, expect=gone)
                )


def _kind(check: Launched) -> Resource:
    return PODS if isinstance(check, PodCheck) else JOBS


async def _there(context: StepContext, check: Launched) -> SeenPod | SeenJob | None:
    """What has the check's name, whoever made it."""
    seen: type[SeenPod] | type[SeenJob] = SeenPod if isinstance(check, PodCheck) else SeenJob
    return await context.reader.get(_kind(check), name_of(context.op, check), check.namespace, type=seen)


async def _meta(context: StepContext, check: Launched) -> Meta | None:
    """Of ours alone: what has the name and not the label is somebody else's."""
    found = await _there(context, check)
    return found.metadata if found and found.metadata.label(OPERATION_LABEL) == context.op[:8] else None


def _release(check: JobCheck, found: SeenJob) -> Write:
    change = {"spec": {"suspend": False}}
    return Write(
        "merge-patch", JOBS, check.namespace, check.job, change, uid=found.metadata.uid,
        expect=f"restored job {check.job} runs", undo={"spec": {"suspend": True}},
    )  # fmt: skip


# A pod that the cluster took away is made again (Kubernetes 1.26; older ones leave the field out).
_NOT_ITS_OWN = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}


def body(check: Launched, name: str, placed: Placement) -> dict[str, Any]:
    """The Pod or Job as it is made."""
    container: dict[str, Any] = {
        "name": CONTAINER, "image": check.image, "resources": _RESOURCES,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    container |= {"command": list(check.command)} if check.command else {}
    container |= {"args": list(check.args)} if check.args else {}
    spec: dict[str, Any] = {
        "restartPolicy": "Never", "automountServiceAccountToken": False, "enableServiceLinks": False,
        "containers": [container], "terminationGracePeriodSeconds": 5,
        "securityContext": {"runAsNonRoot": True, "runAsUser": _USER, "seccompProfile": {"type": "RuntimeDefault"}},
        **placed.fields,
    }  # fmt: skip
    if isinstance(check, PodCheck):
        container |= {"env": [{"name": key, "value": value} for key, value in check.env.items()]} if check.env else {}
        spec |= {"serviceAccountName": check.service_account} if check.service_account else {}
        spec["activeDeadlineSeconds"] = max(1, int(check.timeout))
    labels = {CHECK_LABEL: name[-6:]}
    meta = {"name": name, "namespace": check.namespace, "labels": labels}
    if isinstance(check, PodCheck):
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    job = {
        "backoffLimit": 0, "activeDeadlineSeconds": max(1, int(check.timeout)), "podFailurePolicy": _NOT_ITS_OWN,
    }  # fmt: skip
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {**job, "template": template}}


# --- looking


async def look(context: StepContext, check: Launched, attempt: Attempt) -> Found:
    """Where it stands now; one that is not over yet is asked for again by the next round."""
    attempt.reached = True
    name = name_of(context.op, check)
    return await (_pod if isinstance(check, PodCheck) else _job)(context.reader, check, name)


async def _pod(reader: Reader, check: Any, name: str) -> Found:
    found = await reader.get(PODS, name, check.namespace, type=SeenPod)
    if found is None:
        raise CouldNot(f"pod {name} is not there")
    if why := found.disrupted:
        raise CouldNot(f"pod {name} was ended by the cluster, not by itself: {why}", final=True)
    # Statuses come by name, and a webhook may have put a container of its own beside ours.
    state = next((one.state for one in found.status.container_statuses or () if one.name == CONTAINER), None)
    ended = state.terminated if state else None
    if ended is None:
        waiting = str(((state.waiting if state else None) or {}).get("reason", ""))
        raise CouldNot(f"pod {name} has not ended: {waiting or found.status.reason or found.status.phase or 'Pending'}")
    evidence = {
        "pod": name, "exit": ended.exit_code, "message_bytes": len(ended.message), "sha256": hashed(ended.message)
    }  # fmt: skip
    if ended.exit_code != check.exit_code:
        raise Wrong(f"exit code {ended.exit_code} instead of {check.exit_code}", evidence)
    if check.message is not None and (wrong := compare.wrong(check.message, ended.message.strip())):
        raise Wrong(f"its termination message {wrong}", evidence)
    return Found(f"exit code {ended.exit_code}", evidence)


async def _job(reader: Reader, check: Any, name: str) -> Found:
    found = await reader.get(JOBS, name, check.namespace, type=SeenJob)
    if found is None:
        if check.job:
            raise Wrong(f"there is no job {name} in {check.namespace}")
        raise CouldNot(f"job {name} is not there")
    evidence = {"job": name, "succeeded": found.status.succeeded, "failed": found.status.failed}
    for condition in found.status.conditions or ():
        if condition.status == "True" and condition.type == "Failed":
            raise Wrong(f"job {name} failed: {condition.reason or 'no reason given'}", evidence)
        if condition.status == "True" and condition.type == "Complete":
            if found.spec.completions == 0:  # complete as soon as it is seen, without a pod
                raise CouldNot(f"job {name} wants 0 completions, so it ran nothing", evidence, final=True)
            return Found(f"job {name} completed", evidence)
    raise CouldNot(f"job {name} has not ended ({'suspended' if found.spec.suspend else 'running'})")
