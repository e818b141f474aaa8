"""Jobs: pods that run to their end, as often as asked for."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import ClassVar

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.resources import JOBS, PODS, Resource
from lazarus_tui.sandbox.controllers import job_failures
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.job_pods import indexed_pod
from lazarus_tui.sandbox.controllers.job_tally import TRACKING, Tally, failed, index_of, is_indexed, tracked
from lazarus_tui.sandbox.controllers.pods import (
    adopt,
    controlled,
    controller_of,
    is_active,
    is_ending,
    is_over,
    is_ready,
    owner_keys,
    phase,
    pod_of,
    write_status,
)

_OWN = "kubernetes.io/job-controller"
_REACHED = ("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")
# Condition a Job has while its last pods end → the one it has then.
_FINAL = {"SuccessCriteriaMet": "Complete", "FailureTarget": "Failed"}

# Condition type, reason, message.
End = tuple[str, str, str]


class JobController(Controller):
    """Runs Jobs to Complete or Failed, and removes finished ones after their time to live.

    Not done: ``successPolicy`` and ``backoffLimitPerIndex``; a Job with either runs as if it had none.
    """

    name = "job"
    watches: ClassVar[Sequence[Resource]] = (JOBS, PODS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == JOBS:
            return (key_of(obj),)
        return owner_keys(obj, JOBS, self.api.list(JOBS, obj["metadata"]["namespace"]))

    async def reconcile(self, key: Key) -> float | None:
        job = self.api.get(JOBS, key[1], key[0])
        self._release_orphans(key, job)
        if job is None or (job["spec"].get("managedBy") or _OWN) != _OWN:
            return None
        status = copy.deepcopy(job.get("status") or {})
        if _finished(status):
            return None if is_ending(job) else self._expire(job, status)
        pods = adopt(self.api, PODS, job, JOBS, finalizer=TRACKING)
        tally = Tally(job, status, pods)
        suspended = bool(job["spec"].get("suspend"))
        if not suspended and "startTime" not in status:
            status["startTime"] = rfc3339(self.clock.now())
        end, again = self._judge(job, status, tally, pods)
        active = [pod for pod in pods if is_active(pod)]
        if end:
            self._delete(job, active, counted=True)
        elif not is_ending(job):
            wait = self._manage(job, tally, pods, active)
            again = min((one for one in (again, wait) if one), default=None)
            if _complete(job, tally, controlled(self.api, PODS, job)):
                end = _REACHED
            else:
                self._suspend(job, status, suspended)
        self._write(job, status, end)
        return again

    def _release_orphans(self, key: Key, job: Object | None) -> None:
        """Pods whose Job is gone need not be counted any more; their finalizer would hold them for ever."""
        uid = job["metadata"]["uid"] if job else ""
        for pod in self.api.list(PODS, key[0]):
            owner = controller_of(pod)
            if (
                tracked(pod)
                and owner
                and owner["kind"] == JOBS.kind
                and owner["name"] == key[1]
                and owner["uid"] != uid
            ):
                self._untrack(pod)

    def _untrack(self, pod: Object) -> None:
        meta = pod["metadata"]
        kept = [one for one in meta.get("finalizers") or () if one != TRACKING]
        self.api.patch(
            PODS, meta["name"], {"metadata": {"uid": meta["uid"], "finalizers": kept or None}}, meta["namespace"]
        )

    def _judge(self, job: Object, status: Object, tally: Tally, pods: list[Object]) -> tuple[End | None, float | None]:
        """What the Job ends with, and otherwise the seconds until its deadline."""
        for one in status.get("conditions") or ():
            if one["type"] in _FINAL and one["status"] == "True":
                return (one["type"], one["reason"], one["message"]), None
        spec = job["spec"]
        if why := job_failures.verdict(job, pods):
            return ("FailureTarget", "PodFailurePolicy", why), None
        limit = spec.get("backoffLimit", 6)
        if tally.failures > limit or _restarts_exceed(spec, pods, limit):
            text = "Job has reached the specified backoff limit"
            return ("FailureTarget", "BackoffLimitExceeded", text), None
        deadline = spec.get("activeDeadlineSeconds")
        if deadline is None or spec.get("suspend"):
            return None, None
        ends = parse_rfc3339(status["startTime"]) + timedelta(seconds=deadline)
        left = (ends - self.clock.now()).total_seconds()
        if left <= 0:
            return ("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline"), None
        return None, float(left)

    def _manage(self, job: Object, tally: Tally, pods: list[Object], active: list[Object]) -> float | None:
        """Makes or removes pods; seconds until a retry may start."""
        spec = job["spec"]
        if spec.get("suspend"):
            self._delete(job, active, counted=False)
            return None
        wanted, most = spec.get("completions"), spec.get("parallelism", 1)
        if wanted is None:
            want = len(active) if tally.succeeded else most
        else:
            want = max(0, min(most, wanted - tally.succeeded))
        by_use = sorted(active, key=lambda pod: (is_ready(pod), phase(pod) == "Running"))
        self._delete(job, by_use[: max(0, len(active) - want)], counted=False)
        ending = sum(is_ending(pod) and not is_over(pod) for pod in pods)
        lack = want - len(active) - (ending if spec.get("podReplacementPolicy") == "Failed" else 0)
        if lack <= 0:
            return None
        failures = [pod for pod in pods if failed(job, pod)]
        wait = job_failures.back_off(failures, [pod for pod in pods if phase(pod) == "Succeeded"], self.clock.now())
        if wait > 0:
            return wait
        self._make(job, tally, active, lack)
        return None

    def _make(self, job: Object, tally: Tally, active: list[Object], count: int) -> None:
        meta, spec = job["metadata"], job["spec"]
        recorder = Recorder(self.api, self.clock, "job-controller")
        taken = tally.indexes | {index_of(pod) for pod in active}
        free = [index for index in range(spec.get("completions") or 0) if index not in taken] if is_indexed(job) else []
        for number in range(count):
            pod = pod_of(job, JOBS, spec["template"])
            pod["metadata"] |= {"generateName": f"{meta['name']}-", "finalizers": [TRACKING]}
            if is_indexed(job):
                if number >= len(free):
                    return
                pod = indexed_pod(job, pod, free[number])
            with recorder.telling_refusals(job, "Error creating"):
                made = self.api.create(PODS, pod, meta["namespace"])
            recorder.normal(job, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")

    def _delete(self, job: Object, pods: list[Object], *, counted: bool) -> None:
        """Deletes pods; those that are not to be ``counted`` as failures lose their finalizer first."""
        recorder = Recorder(self.api, self.clock, "job-controller")
        for pod in pods:
            meta = pod["metadata"]
            if not counted:
                self._untrack(pod)
            self.api.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"])
            recorder.normal(job, "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    def _suspend(self, job: Object, status: Object, suspended: bool) -> None:
        """Says that the Job is suspended, or that it is no longer; then its time begins anew."""
        known = next((one for one in status.get("conditions") or () if one["type"] == "Suspended"), None)
        holds = "True" if suspended else "False"
        if (known or {"status": "False"})["status"] == holds:
            return
        word = "Suspended" if suspended else "Resumed"
        text = f"Job {word.lower()}"
        others = [one for one in status.get("conditions") or () if one is not known]
        status["conditions"] = [*others, self._condition("Suspended", holds, f"Job{word}", text)]
        Recorder(self.api, self.clock, "job-controller").normal(job, word, text)
        if not suspended:
            status["startTime"] = rfc3339(self.clock.now())

    def _condition(self, kind: str, holds: str, reason: str, message: str) -> Object:
        now = rfc3339(self.clock.now())
        times = {"lastProbeTime": now, "lastTransitionTime": now}
        return {"type": kind, "status": holds} | times | {"reason": reason, "message": message}

    def _write(self, job: Object, status: Object, end: End | None) -> None:
        """The status in two writes, with the pods' finalizers removed between them."""
        pods = controlled(self.api, PODS, job)
        active = [pod for pod in pods if is_active(pod)]
        tally = Tally(job, status, pods)
        over = end is not None or is_ending(job)
        tally.note(finished=end is not None and end[0] == "FailureTarget")
        status |= {
            "active": len(active),
            "ready": sum(is_ready(pod) for pod in active),
            "terminating": sum(is_ending(pod) and not is_over(pod) for pod in pods),
        }
        if end and not any(one["type"] == end[0] for one in status.get("conditions") or ()):
            status["conditions"] = [*(status.get("conditions") or ()), self._condition(end[0], "True", *end[1:])]
        written = self._put(job, status)
        released = tally.releasable(over=over)
        for pod in released:
            self._untrack(pod)
        counted = tally.settle(released)
        if end and counted and not status["terminating"]:
            self._finish(written, status, end)
        self._put(written, status)

    def _finish(self, job: Object, status: Object, end: End) -> None:
        kind = _FINAL[end[0]]
        condition = self._condition(kind, "True", *end[1:])
        status["conditions"] = [*status["conditions"], condition]
        recorder = Recorder(self.api, self.clock, "job-controller")
        if kind == "Complete":
            status["completionTime"] = condition["lastTransitionTime"]
            recorder.normal(job, "Completed", "Job completed")
        else:
            recorder.warning(job, end[1], end[2])

    def _put(self, job: Object, status: Object) -> Object:
        shown = {
            name: value for name, value in status.items() if value or name not in ("active", "succeeded", "failed")
        }
        write_status(self.api, JOBS, job, shown)
        return self.api.get(JOBS, job["metadata"]["name"], job["metadata"]["namespace"]) or job

    def _expire(self, job: Object, status: Object) -> float | None:
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is None:
            return None
        ended = next(one["lastTransitionTime"] for one in status["conditions"] if one["type"] in _FINAL.values())
        left = (parse_rfc3339(ended) + timedelta(seconds=ttl) - self.clock.now()).total_seconds()
        if left > 0:
            return float(left)
        meta = job["metadata"]
        self.api.delete(JOBS, meta["name"], meta["namespace"], uid=meta["uid"], propagation="Foreground")
        return None


def _finished(status: Object) -> bool:
    return any(one["type"] in _FINAL.values() and one["status"] == "True" for one in status.get("conditions") or ())


def _complete(job: Object, tally: Tally, pods: list[Object]) -> bool:
    wanted = job["spec"].get("completions")
    idle = not any(is_active(pod) for pod in pods)
    return idle and (tally.succeeded >= wanted if wanted is not None else tally.succeeded > 0)


def _restarts_exceed(spec: Object, pods: list[Object], limit: int) -> bool:
    """With OnFailure the container restarts count in place of failed pods."""
    if spec["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        int(one.get("restartCount", 0))
        for pod in pods
        if not is_over(pod)
        for part in ("initContainerStatuses", "containerStatuses")
        for one in (pod.get("status") or {}).get(part) or ()
    )
    return restarts >= max(limit, 1)
