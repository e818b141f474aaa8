"""Schedules: every minute and on every change of the spec, one backup when a run is due."""

from __future__ import annotations

from datetime import datetime

from lazarus_tui.model import cron
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.labels import SCHEDULE_LABEL
from lazarus_tui.model.resources import BACKUPS, SCHEDULES
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.controllers.base import Key
from lazarus_tui.sandbox.velero.controller import VeleroController
from lazarus_tui.sandbox.velero.installation import Json, copied, meta, owner, phase

_BLOCKING = ("", "New", "InProgress")


class Schedules(VeleroController):
    """A paused schedule is not looked at at all, not even validated."""

    name = "schedule"
    watches = (SCHEDULES,)

    async def reconcile(self, key: Key) -> float | None:
        schedule = self.site.get(SCHEDULES, key[1])
        if schedule is None or schedule["spec"].get("paused"):
            return None
        schedule = self._skip(schedule)
        if schedule is None:
            return None
        problems, line = _parsed(str(schedule["spec"].get("schedule") or ""))
        wanted = "FailedValidation" if problems else "Enabled"
        known = (schedule.get("status") or {}).get("validationErrors") or []
        if phase(schedule) != wanted or known != problems:
            self.site.status(SCHEDULES, key[1], phase=wanted, validationErrors=problems or None)
        if line is not None and self._due(schedule, line):
            self._submit(schedule)
        return self.site.settings.schedule_period

    def _skip(self, schedule: Json) -> Json | None:
        """``skipImmediately`` works once: the missed run is forgotten and the field reset."""
        wish = schedule["spec"].get("skipImmediately")
        if wish is None:
            return self.site.patch(SCHEDULES, schedule["metadata"]["name"], {"spec": {"skipImmediately": False}})
        if not wish:
            return schedule
        patch = {"spec": {"skipImmediately": False}, "status": {"lastSkipped": self.site.now()}}
        return self.site.patch(SCHEDULES, schedule["metadata"]["name"], patch)

    def _due(self, schedule: Json, line: cron.Cron) -> bool:
        status = schedule.get("status") or {}
        since = _moment(status.get("lastBackup")) or _moment(schedule["metadata"].get("creationTimestamp"))
        skipped = _moment(status.get("lastSkipped"))
        marks = [moment for moment in (since, skipped) if moment is not None]
        due = line.next(max(marks)) if marks else None
        if due is None or self.site.clock.now() <= due:
            return False
        made = self.site.list(BACKUPS, {SCHEDULE_LABEL: schedule["metadata"]["name"]})
        return not any(phase(backup) in _BLOCKING for backup in made)

    def _submit(self, schedule: Json) -> None:
        name = str(schedule["metadata"]["name"])
        moment = self.site.clock.now()
        try:
            self.api.create(BACKUPS, backup_of(schedule, self.site.namespace, moment), self.site.namespace)
        except ApiError as error:
            self.site.say("error", f"error creating Backup: {error.message}", schedule=f"{self.site.namespace}/{name}")
            if error.reason != "AlreadyExists":
                return
        self.site.status(SCHEDULES, name, lastBackup=self.site.now())


def backup_of(schedule: Json, namespace: str, moment: datetime) -> Json:
    """The Backup a schedule makes at ``moment``."""
    name = str(schedule["metadata"]["name"])
    template = copied(schedule["spec"].get("template") or {})
    labels = (template.pop("metadata", None) or {}).get("labels") or meta(schedule, "labels")
    marks: Json = {
        "name": f"{name}-{moment:%Y%m%d%H%M%S}",
        "namespace": namespace,
        "labels": {**labels, SCHEDULE_LABEL: name},
    }
    if meta(schedule, "annotations"):
        marks["annotations"] = dict(meta(schedule, "annotations"))
    if schedule["spec"].get("useOwnerReferencesInBackup"):
        marks["ownerReferences"] = [owner("Schedule", schedule)]
    return {"apiVersion": BACKUPS.api_version, "kind": BACKUPS.kind, "metadata": marks, "spec": template}


def _parsed(text: str) -> tuple[list[str], cron.Cron | None]:
    if not text.strip():
        return ["Schedule must be a non-empty valid Cron expression"], None
    try:
        return [], cron.parse(text)
    except cron.CronError as error:
        return [f"invalid schedule: {error}"], None


def _moment(text: str | None) -> datetime | None:
    return parse_rfc3339(text) if text else None
