"""Which run of a CronJob is due: only the latest of those that were missed, whatever their number."""

from __future__ import annotations

from datetime import datetime, timedelta

from lazarus_tui.model.cron import Cron

# The controller complains from here on, and starts the latest run all the same.
_MANY = 100


def most_recent(line: Cron, earliest: datetime, now: datetime, deadline: int | None) -> tuple[datetime | None, bool]:
    """The last firing after ``earliest`` up to ``now``, and whether suspiciously many were missed.

    ``deadline`` in seconds bounds the look back. The number is estimated from the distance of the first two firings,
    as the real controller does it.
    """
    if deadline is not None:
        earliest = max(earliest, now - timedelta(seconds=deadline))
    first = line.next(earliest)
    if first is None or now < first:
        return None, False
    second = line.next(first)
    if second is None or now < second:
        return first, False
    missed = int((now - first).total_seconds() // (second - first).total_seconds()) + 1
    if line.every is None:
        return line.previous(now + timedelta(microseconds=1)), missed > _MANY
    return first + (now - first) // line.every * line.every, missed > _MANY
