"""What a schedule promises: when it runs next, what it takes in, and how old its newest point can get."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from lazarus_tui.model import cron
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.durations import human
from lazarus_tui.model.objects import BackupSpec, Schedule
from lazarus_tui.model.scope import Wanted, missing_resources, takes_labels, takes_namespace, takes_resource

TIER_LABEL = "backup-tier"
# The recovery points the tiers of requirements.md §2.4 (KA-03 … KA-07) promise.
TIER_RPO = {
    "hot": timedelta(hours=1),
    "critical": timedelta(hours=4),
    "full": timedelta(hours=24),
    "config": timedelta(minutes=30),
    "dr": timedelta(hours=24),
}


def next_run(schedule: Schedule, rule: str = "velero") -> datetime | None:
    """When Velero will start it next (in the past: due now); None when paused, never, or its line is wrong."""
    if schedule.spec.paused:
        return None
    last = schedule.status.last_backup or schedule.metadata.creation_timestamp
    moments = [parse_rfc3339(text) for text in (last, schedule.status.last_skipped) if text]
    line = parsed(schedule, rule)
    return line.next(max(moments)) if line and moments else None


def parsed(schedule: Schedule, rule: str = "velero") -> cron.Cron | None:
    """Its cron line, None when its controller would refuse it."""
    try:
        return cron.parse(schedule.spec.schedule, rule)
    except cron.CronError:
        return None


def wants_volumes(spec: BackupSpec) -> bool:
    """Whether a backup is meant to hold volume data at all; a config-only backup is not blamed for having none."""
    if spec.snapshot_volumes is False and not spec.default_volumes_to_fs_backup:
        return False
    return takes_resource(spec, "persistentvolumeclaims")


def covers(spec: BackupSpec, wanted: Wanted) -> bool:
    """Whether backups with this spec are meant to hold the workload with all its volumes."""
    if not takes_namespace(spec, wanted.namespace) or missing_resources(spec, wanted):
        return False
    return takes_labels(spec, wanted) is not False and (not wanted.claims or wants_volumes(spec))


@lru_cache(maxsize=1024)
def _longest_gap(line: cron.Cron, day: date) -> timedelta | None:
    """The gap from this day on. The Overview asks for it again for every workload."""
    return line.longest_gap(datetime(day.year, day.month, day.day, tzinfo=UTC))


def tier_problem(schedule: Schedule, now: datetime, rule: str = "velero") -> str:
    """Why its cron line cannot keep what its tier promises, or ""."""
    promised = TIER_RPO.get(schedule.metadata.label(TIER_LABEL))
    line = parsed(schedule, rule)
    gap = _longest_gap(line, now.date()) if promised and line else None
    if not promised or not line or gap is None or gap <= promised:
        return ""
    tier = schedule.metadata.label(TIER_LABEL)
    return f"tier {tier} promises {human(promised)}, but {schedule.metadata.name} runs {line.describe()}"
