"""CronJobs: a Job for each moment of their schedule, as the real controller (its second version) makes them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from lazarus_tui.model import cron
from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.resources import CRONJOBS, JOBS, Resource
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.cronjob_history import finish_of, surplus
from lazarus_tui.sandbox.controllers.cronjob_moments import most_recent
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import controlled, controller_of, is_ending, owner_keys, owner_reference

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
"""Annotation of a Job: the moment it was meant for, in the zone of its CronJob."""

# The real controller wakes this long after a moment, so that it has surely passed (nextScheduleDelta).
_DELTA = 0.1


class CronJobController(Controller):
    """Starts Jobs, keeps account of those that run, and removes the oldest ones that are over."""

    name = "cronjob"
    watches: ClassVar[Sequence[Resource]] = (CRONJOBS, JOBS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        return (key_of(obj),) if resource == CRONJOBS else owner_keys(obj, CRONJOBS, ())

    async def reconcile(self, key: Key) -> float | None:
        owner = self.api.get(CRONJOBS, key[1], key[0])
        if owner is None:
            return None
        status = copy.deepcopy(owner.get("status") or {})
        jobs = {job["metadata"]["uid"]: job for job in controlled(self.api, JOBS, owner)}
        self._account(owner, status, jobs)
        again = None if is_ending(owner) else self._run(owner, status)
        for job in surplus(owner, jobs.values()):
            self._delete(owner, status, job)
        self._put(owner, status)
        return again

    def _put(self, owner: Object, status: Object) -> None:
        shown = {name: value for name, value in status.items() if value}
        if shown != (owner.get("status") or {}):
            self.api.update_status(CRONJOBS, {**owner, "status": shown})

    def _tell(self, owner: Object, reason: str, message: str, *, warning: bool = False) -> None:
        recorder = Recorder(self.api, self.clock, "cronjob-controller")
        (recorder.warning if warning else recorder.normal)(owner, reason, message)

    def _account(self, owner: Object, status: Object, jobs: dict[str, Object]) -> None:
        """Brings ``status.active`` and ``lastSuccessfulTime`` up to what the Jobs say."""
        active = {one["uid"]: one for one in status.get("active") or ()}
        for uid, job in jobs.items():
            name, end = job["metadata"]["name"], finish_of(job)
            if uid not in active and not end:
                text = f"Saw a job that the controller did not create or forgot: {name}"
                self._tell(owner, "UnexpectedJob", text, warning=True)
            elif uid in active and end:
                del active[uid]
                self._tell(owner, "SawCompletedJob", f"Saw completed job: {name}, condition: {end}")
            if end == "Complete" and (done := (job.get("status") or {}).get("completionTime")):
                status["lastSuccessfulTime"] = max(done, status.get("lastSuccessfulTime") or "")
        for uid, one in list(active.items()):
            if uid not in jobs:
                found = self.api.get(JOBS, one["name"], one.get("namespace"))
                if found is None or found["metadata"]["uid"] != uid:
                    del active[uid]
                    self._tell(owner, "MissingJob", f"Active job went missing: {one['name']}")
        status["active"] = list(active.values())

    def _run(self, owner: Object, status: Object) -> float | None:
        """Starts the Job that is due, if any; seconds until the next one is."""
        spec = owner["spec"]
        zone = spec.get("timeZone") or "UTC"
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError) as error:
            self._tell(owner, "UnknownTimeZone", f'invalid timeZone: "{zone}": {error}', warning=True)
            return None
        if spec.get("suspend"):
            return None
        try:
            line = cron.parse(spec["schedule"], "kubernetes", zone=zone)
        except cron.CronError as error:
            text = f'unparseable schedule: "{spec["schedule"]}" : {error}'
            self._tell(owner, "UnparseableSchedule", text, warning=True)
            return None
        now = self.clock.now()
        due, many = most_recent(line, _earliest(owner, status), now, spec.get("startingDeadlineSeconds"))
        if many:
            text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._tell(owner, "TooManyMissedTimes", text, warning=True)
        if due is not None:
            self._start(owner, status, due)
        following = line.next(now)
        return (following - now).total_seconds() + _DELTA if following else None

    def _start(self, owner: Object, status: Object, due: datetime) -> None:
        spec, meta = owner["spec"], owner["metadata"]
        deadline = spec.get("startingDeadlineSeconds")
        if deadline is not None and due + timedelta(seconds=deadline) < self.clock.now():
            when = due.strftime("%a, %d %b %Y %H:%M:%S +0000")
            self._tell(owner, "MissSchedule", f"Missed scheduled time to start a job: {when}", warning=True)
            return
        name = f"{meta['name']}-{int(due.timestamp()) // 60}"
        if any(one["name"] == name for one in status["active"]) or status.get("lastScheduleTime") == rfc3339(due):
            return
        if status["active"] and spec.get("concurrencyPolicy") == "Forbid":
            text = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._tell(owner, "JobAlreadyActive", text)
            return
        if spec.get("concurrencyPolicy") == "Replace":
            for one in list(status["active"]):
                if job := self.api.get(JOBS, one["name"], meta["namespace"]):
                    self._delete(owner, status, job)
        job = self._make(owner, name, due)
        made = job["metadata"]
        status["active"].append(
            {"apiVersion": JOBS.api_version, "kind": JOBS.kind, "name": made["name"], "namespace": made["namespace"],
             "resourceVersion": made["resourceVersion"], "uid": made["uid"]}
        )  # fmt: skip
        status["lastScheduleTime"] = rfc3339(due)

    def _make(self, owner: Object, name: str, due: datetime) -> Object:
        """The Job of one moment; one that a crashed sandbox made just before it could say so is taken as made."""
        template, namespace = owner["spec"]["jobTemplate"], owner["metadata"]["namespace"]
        local = due.astimezone(ZoneInfo(owner["spec"].get("timeZone") or "UTC")).isoformat(timespec="seconds")
        meta = template.get("metadata") or {}
        job = {
            "metadata": {
                "name": name,
                "labels": dict(meta.get("labels") or {}),
                "annotations": dict(meta.get("annotations") or {}) | {SCHEDULED: local.replace("+00:00", "Z")},
                "ownerReferences": [owner_reference(owner, CRONJOBS)],
            },
            "spec": copy.deepcopy(template["spec"]),
        }
        try:
            made = self.api.create(JOBS, job, namespace)
        except ApiError as error:
            found = self.api.get(JOBS, name, namespace) if error.reason == "AlreadyExists" else None
            if found and (controller_of(found) or {}).get("uid") == owner["metadata"]["uid"]:
                return found
            self._tell(owner, "FailedCreate", f"Error creating job: {error}", warning=True)
            raise
        self._tell(owner, "SuccessfulCreate", f"Created job {name}")
        return made

    def _delete(self, owner: Object, status: Object, job: Object) -> None:
        meta = job["metadata"]
        self.api.delete(JOBS, meta["name"], meta["namespace"], uid=meta["uid"])
        status["active"] = [one for one in status["active"] if one["uid"] != meta["uid"]]
        self._tell(owner, "SuccessfulDelete", f"Deleted job {meta['name']}")


def _earliest(owner: Object, status: Object) -> datetime:
    """Runs before this moment are no longer of interest."""
    return parse_rfc3339(status.get("lastScheduleTime") or owner["metadata"]["creationTimestamp"])
