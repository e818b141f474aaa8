"""The worst moment for which a point has to do: right before the next usable one (requirements.md §5.3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.objects import Backup, Schedule
from lazarus_tui.model.schedules import covers, next_run
from lazarus_tui.model.scope import Wanted, takes_namespace


def worst_moment(
    point: Backup, backups: Iterable[Backup], schedules: Iterable[Schedule], wanted: Wanted, now: datetime
) -> dict[str, str] | None:
    """{at, words}, or None when nothing says when the next point comes.

    A newer backup that has ended is the next point. Else the schedules that cover the workload say when the next one
    begins, and it is taken to need as long as this one did; one that is overdue is not usable before now.
    """
    start = point.status.start_timestamp or ""
    newer = [
        (backup.status.start_timestamp or "", backup)
        for backup in backups
        if backup.status.phase == "Completed"
        and (backup.status.start_timestamp or "") > start
        and backup.status.completion_timestamp
        and takes_namespace(backup.spec, wanted.namespace)
        and covers(backup.spec, wanted)
    ]
    if newer:
        following = min(newer, key=lambda one: one[0])[1]
        ended = parse_rfc3339(str(following.status.completion_timestamp))
        return _told(ended, f"the moment before {following.metadata.name} was usable")
    runs = [
        (moment, schedule.metadata.name)
        for schedule in schedules
        if covers(schedule.spec.template, wanted) and (moment := next_run(schedule)) is not None
    ]
    if not runs:
        return None
    moment, name = min(runs)
    usable = max(moment, now) + _took(point)
    return _told(usable, f"the moment before the next point of schedule {name} is usable")


def _told(at: datetime, words: str) -> dict[str, str]:
    return {"at": rfc3339(at, micro=True), "words": words}


def _took(point: Backup) -> timedelta:
    start, end = point.status.start_timestamp, point.status.completion_timestamp
    return parse_rfc3339(end) - parse_rfc3339(start) if start and end else timedelta()
