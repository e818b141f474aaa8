"""Jobs: pods that run to their end, as often as asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import ClassVar

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.resources import JOBS, PODS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.pods import (
    controlled,
    is_active,
    is_ending,
    is_ready,
    owner_keys,
    phase,
    pod_of,
    write_status,
)

# The Job controller's back-off after failed pods: first and longest wait in seconds.
_BACKOFF_FIRST, _BACKOFF_MOST = 10.0, 360.0


class JobController(Controller):
    """Runs Jobs to Complete or Failed, and removes finished ones after their time to live."""

    name = "job"
    watches: ClassVar[Sequence[Resource]] = (JOBS, PODS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        return (key_of(obj),) if resource == JOBS else owner_keys(obj, JOBS, ())

    async def reconcile(self, key: Key) -> float | None:
        job = self.api.get(JOBS, key[1], key[0])
        if job is None or is_ending(job):
            return None
        status = dict(job.get("status") or {})
        if _finished(status):
            return self._expire(job, status)
        pods = controlled(self.api, PODS, job)
        active = [pod for pod in pods if is_active(pod)]
        succeeded = sum(phase(pod) == "Succeeded" for pod in pods)
        failures = [pod for pod in pods if phase(pod) == "Failed"]
        status.setdefault("startTime", rfc3339(self.clock.now()))
        again = self._judge(job, status, succeeded, len(failures), active)
        if not _finished(status):
            wait = self._back_off(failures)
            if wait > 0:
                again = wait if again is None else min(again, wait)
            elif not job["spec"].get("suspend"):
                active += self._make(job, succeeded, len(active))
        else:
            for pod in active:
                self.api.delete(PODS, pod["metadata"]["name"], key[0], uid=pod["metadata"]["uid"])
            active = []
            again = 0.0
        counts = {"active": len(active), "succeeded": succeeded, "failed": len(failures), "terminating": 0}
        status = {field: value for field, value in status.items() if field not in counts}
        status |= {field: value for field, value in counts.items() if value}
        status["ready"] = sum(is_ready(pod) for pod in active)
        write_status(self.api, JOBS, job, status)
        return again

    def _judge(self, job: Object, status: Object, succeeded: int, failed: int, active: list[Object]) -> float | None:
        """Sets the condition a Job ends with; seconds until its deadline otherwise."""
        spec, now = job["spec"], self.clock.now()
        wanted = spec.get("completions")
        if succeeded >= wanted if wanted is not None else succeeded and not active:
            status["completionTime"] = rfc3339(now)
            self._conclude(status, "Complete", "CompletionsReached", "Reached expected number of succeeded pods")
            return None
        retries = sum(
            one.get("restartCount", 0)
            for pod in active
            for one in (pod.get("status") or {}).get("containerStatuses") or ()
        )
        if failed + retries > spec.get("backoffLimit", 6):
            text = "Job has reached the specified backoff limit"
            self._conclude(status, "Failed", "BackoffLimitExceeded", text)
            return None
        if limit := spec.get("activeDeadlineSeconds"):
            left = (parse_rfc3339(status["startTime"]) + timedelta(seconds=limit) - now).total_seconds()
            if left <= 0:
                self._conclude(status, "Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
                return None
            return float(left)
        return None

    def _conclude(self, status: Object, kind: str, reason: str, message: str) -> None:
        now = rfc3339(self.clock.now())
        ends = {"SuccessCriteriaMet": kind == "Complete", "FailureTarget": kind == "Failed", kind: True}
        status["conditions"] = [
            {"type": name, "status": "True", "reason": reason, "message": message,
             "lastProbeTime": now, "lastTransitionTime": now}
            for name, holds in ends.items() if holds
        ]  # fmt: skip

    def _back_off(self, failures: list[Object]) -> float:
        """Seconds until another pod may start after the newest failure."""
        if not failures:
            return 0.0
        wait = min(_BACKOFF_FIRST * 2 ** (len(failures) - 1), _BACKOFF_MOST)
        newest = max(_ended_at(pod) for pod in failures)
        return float(wait - (self.clock.now() - parse_rfc3339(newest)).total_seconds())

    def _make(self, job: Object, succeeded: int, active: int) -> list[Object]:
        spec = job["spec"]
        wanted = spec.get("completions")
        most = spec.get("parallelism", 1)
        count = most if wanted is None else min(most, wanted - succeeded)
        if wanted is None and succeeded:
            count = 0
        made = []
        for _ in range(max(0, count - active)):
            pod = pod_of(job, JOBS, spec["template"])
            pod["metadata"]["generateName"] = f"{job['metadata']['name']}-"
            made.append(self.api.create(PODS, pod, job["metadata"]["namespace"]))
        return made

    def _expire(self, job: Object, status: Object) -> float | None:
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is None:
            return None
        ended = next(one["lastTransitionTime"] for one in status["conditions"] if one["type"] in ("Complete", "Failed"))
        left = (parse_rfc3339(ended) + timedelta(seconds=ttl) - self.clock.now()).total_seconds()
        if left > 0:
            return float(left)
        meta = job["metadata"]
        self.api.delete(JOBS, meta["name"], meta["namespace"], uid=meta["uid"])
        return None


def _finished(status: Object) -> bool:
    return any(
        one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in status.get("conditions") or ()
    )


def _ended_at(pod: Object) -> str:
    times: list[str] = [
        one["state"]["terminated"]["finishedAt"]
        for one in (pod.get("status") or {}).get("containerStatuses") or ()
        if "terminated" in (one.get("state") or {})
    ]
    return max(times, default=str(pod["metadata"]["creationTimestamp"]))
