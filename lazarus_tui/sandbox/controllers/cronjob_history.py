"""The Jobs a CronJob has left behind: how each ended, and which of them are too many."""

from __future__ import annotations

from collections.abc import Iterable

from lazarus_tui.sandbox.controllers.base import Object

# Condition a Job ends with → the limit on such Jobs and what the API server fills in for it.
_LIMITS = {"Complete": ("successfulJobsHistoryLimit", 3), "Failed": ("failedJobsHistoryLimit", 1)}


def finish_of(job: Object) -> str:
    """``Complete``, ``Failed``, or ``""`` for a Job that is not over."""
    for one in (job.get("status") or {}).get("conditions") or ():
        if one["type"] in _LIMITS and one["status"] == "True":
            return str(one["type"])
    return ""


def surplus(owner: Object, jobs: Iterable[Object]) -> list[Object]:
    """Finished Jobs beyond the CronJob's limits, those that started first."""
    found = sorted(jobs, key=_started)
    doomed: list[Object] = []
    for end, (field, default) in _LIMITS.items():
        ended = [job for job in found if finish_of(job) == end]
        doomed += ended[: max(0, len(ended) - int(owner["spec"].get(field, default)))]
    return doomed


def _started(job: Object) -> tuple[str, str]:
    meta = job["metadata"]
    return (job.get("status") or {}).get("startTime") or meta["creationTimestamp"], meta["name"]
