"""Pausing and unpausing schedules: one merge patch each, and what happens next in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lazarus_tui.model import cron, durations
from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.objects import Schedule
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.resources import SCHEDULES
from lazarus_tui.model.stepping import BaseStep, carry_out, take_back
from lazarus_tui.model.steps import (
    Catalog,
    Observation,
    Outcome,
    Reader,
    Seen,
    Step,
    StepContext,
    StepStopped,
    Write,
    WriteResult,
)
from lazarus_tui.velero import served
from lazarus_tui.velero.discover import inspect, velero_namespace

PAUSE_KIND = "velero.pause-schedule"
UNPAUSE_KIND = "velero.unpause-schedule"


async def plan_pause(reader: Reader, params: Params, clock: Clock) -> Plan:
    return await _plan(reader, params, clock, paused=True)


async def plan_unpause(reader: Reader, params: Params, clock: Clock) -> Plan:
    return await _plan(reader, params, clock, paused=False)


async def _plan(reader: Reader, params: Params, clock: Clock, *, paused: bool) -> Plan:
    velero = await velero_namespace(reader, str(params.get("velero", "")))
    name = str(params.get("schedule") or "")
    schedule = await reader.get(SCHEDULES, name, velero, type=Schedule) if name else None
    if schedule is None:
        raise PlanRefused(f"there is no schedule {name or '(which one?)'}", where=f"namespace {velero}")
    verb = "Pause" if paused else "Unpause"
    if schedule.spec.paused == paused:
        raise PlanRefused(f"schedule {name} is {'paused already' if paused else 'not paused'}")
    skip = bool(params.get("skip_immediately")) and not paused
    if skip:
        await served.require(reader, SCHEDULES, {"skipImmediately": True})
    warnings = [] if paused else await _about_next(reader, velero, schedule, clock.now(), skip=skip)
    if paused:
        warnings = ["its backups expire one by one while it is paused", "a run that is under way goes on"]
    return Plan(
        kind=PAUSE_KIND if paused else UNPAUSE_KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=name,
        title=f"{verb} schedule {name}",
        danger=Danger.CHANGES,
        params={
            "velero": velero, "schedule": name, "uid": schedule.metadata.uid, "paused": paused, "skip": skip,
        },
        steps=(),
        effects=(Effect("change", f"schedules.velero.io/{name}", "paused" if paused else "runs again"),),
        warnings=tuple(warnings),
        undo=f"{'unpause' if paused else 'pause'} it again",
        made=rfc3339(clock.now()),
    )  # fmt: skip


async def _about_next(reader: Reader, velero: str, schedule: Schedule, now: datetime, *, skip: bool) -> list[str]:
    """What unpausing will start, and when."""
    rule = (await inspect(reader, velero)).cron_rule
    try:
        line = cron.parse(schedule.spec.schedule, rule)
    except cron.CronError as error:
        return [f"its schedule {schedule.spec.schedule!r} is not valid: {error}"]
    following = line.next(now)
    when = f"next run {rfc3339(following)}" if following else "it never fires"
    last = schedule.status.last_backup or schedule.metadata.creation_timestamp
    due = line.next(max(parse_rfc3339(t) for t in (last, schedule.status.last_skipped) if t)) if last else None
    if due is None or due > now:
        return [when]
    if skip:
        return [f"it is {durations.human(now - due)} overdue; that run is skipped, {when}"]
    return [f"it is {durations.human(now - due)} overdue: it starts within a minute"]


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    return (Patch(plan.params),)


class Patch(BaseStep):
    """``paused`` and, for an unpause without an instant run, ``skipImmediately`` in the same patch."""

    name, title, mutates = "schedule.patch", "Change the schedule", True
    limit = 60.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params, self.velero, self.schedule = params, str(params["velero"]), str(params["schedule"])

    async def observe(self, context: StepContext) -> Observation:
        found = await context.reader.get(SCHEDULES, self.schedule, self.velero, type=Schedule)
        if found is None:
            return Observation(Seen.FAILED, f"schedule {self.schedule} is gone")
        if found.metadata.uid != self.params["uid"]:
            return Observation(Seen.DIVERGED, f"schedule {self.schedule} was replaced by another one")
        if found.spec.paused != self.params["paused"]:
            return Observation(Seen.ABSENT)
        return Observation(Seen.DONE, "paused" if found.spec.paused else "runs again")

    async def act(self, context: StepContext) -> None:
        await self._patch(context, bool(self.params["paused"]), skip=bool(self.params["skip"]))

    async def undo(self, context: StepContext) -> None:
        await take_back(context, self.title, lambda: self._taken_back(context))

    async def _taken_back(self, context: StepContext) -> bool:
        found = await context.reader.get(SCHEDULES, self.schedule, self.velero, type=Schedule)
        if found is None or found.metadata.uid != self.params["uid"]:
            raise StepStopped(f"schedule {self.schedule} is not the one that was changed")
        if found.spec.paused != self.params["paused"]:
            return True
        result = await self._patch(context, not self.params["paused"], skip=False)
        return result.outcome is Outcome.APPLIED

    async def _patch(self, context: StepContext, paused: bool, *, skip: bool) -> WriteResult:
        spec: dict[str, Any] = {"paused": paused}
        if skip:
            spec["skipImmediately"] = True
        write = Write(
            "merge-patch", SCHEDULES, self.velero, self.schedule, {"spec": spec},
            uid=str(self.params["uid"]), expect=f"paused is {paused}", undo={"spec": {"paused": not paused}},
        )  # fmt: skip
        return await carry_out(context, write)
