"""Policies: when something runs by itself, and which runs are owed; and those for snapshot sets, with what is kept.

Pure: what a policy is owed at a moment follows from its line, the last nominal time that was settled, and the clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from lazarus_tui.model import cron

SKIP, RUN_ONCE, RUN_ALL = "skip", "run_once", "run_all"
CATCH_UPS = {"skip": SKIP, "runOnce": RUN_ONCE, "runAll": RUN_ALL}  # as files write them
DEFER = "defer"  # beside SKIP: what becomes of a run whose time falls into a blackout
# What a person agrees to so that runs may write although nobody armed the context.
WRITES = "schedules"
# Runs that ``run_all`` makes up for, and missed runs that are counted one by one (reference: data §8.2).
MOST_RUNS, MOST_COUNTED = 3, 1000
# Blackouts without a gap, and blackouts on the way to the next run, that are followed.
MOST_CHAINED = 64
# A run that begins within this time is on time: the engine looks every few seconds, and a cluster may be slow.
GRACE = timedelta(minutes=5)


class Blackout(msgspec.Struct, frozen=True):
    """A time in which no run begins: from each time of a cron line on, for ``lasts`` seconds."""

    begins: str
    lasts: float


class Timed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When something runs by itself. ``schedule`` "" means never by the clock. ``jitter``: seconds.

    No run begins in a ``blackout``; one whose time falls into it is left out, or with ``in_blackout`` "defer" begins at
    its end. ``writes`` is "schedules" where a person agreed to it.
    """

    name: str
    schedule: str = ""
    rule: str = "lazarus"
    time_zone: str = "UTC"
    catch_up: str = RUN_ONCE
    jitter: float = 0.0
    blackout: tuple[Blackout, ...] = ()
    in_blackout: str = SKIP
    writes: str = ""

    @property
    def key(self) -> str:
        """One of each in a context."""
        return self.name

    @property
    def allowed(self) -> bool:
        """Whether it may write on its own."""
        return self.writes == WRITES

    @property
    def offset(self) -> timedelta:
        """How much later than its nominal time a run begins: the same for each run of this policy."""
        seconds = int(self.jitter)
        number = int.from_bytes(hashlib.sha256(self.key.encode()).digest()[:8], "big")
        return timedelta(seconds=number % seconds if seconds else 0)

    def same_times(self, other: Timed) -> bool:
        """Whether both have the same nominal times: what one of them settled the other one does not owe."""
        mine, theirs = ((one.schedule, one.rule, one.time_zone) for one in (self, other))
        return mine == theirs

    def line(self) -> cron.Cron | None:
        """None for a policy that runs once. Raises ``CronError``."""
        return cron.parse(self.schedule, self.rule, zone=self.time_zone) if self.schedule else None


class SnapshotPolicy(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """What a policy file means. ``schedule`` "" means once. ``kind``: as it was written.

    ``create`` and ``retention`` are parameters of snapshots.create and snapshots.prune; an empty retention keeps all.
    ``uid``, ``home`` and ``made``: the object of a cluster that it stands for, the namespace of that object, and when
    it was created (RFC 3339); "" for a file.
    """

    namespace: str
    statefulset: str
    kind: str = "SnapshotPolicy"
    run_on_create: bool = False
    create: dict[str, Any] = {}
    retention: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    uid: str = ""
    home: str = ""
    made: str = ""

    @property
    def key(self) -> str:
        """``namespace/name``; one of each in a context."""
        return f"{self.namespace}/{self.name}"

    @property
    def target(self) -> str:
        return f"{self.namespace}/{self.statefulset}"

    def taking(self) -> dict[str, Any]:
        """Parameters of snapshots.create, but for the name of the set."""
        return {"namespace": self.namespace, "statefulset": self.statefulset, **self.create, "schedule": self.name}

    def pruning(self) -> dict[str, Any]:
        """Parameters of snapshots.prune: only the policy's own sets are looked at."""
        return {"namespace": self.namespace, "statefulset": self.statefulset, **self.retention, "schedule": self.name}


class PolicyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A policy as lists show it. Times are RFC 3339, "" where there is none.

    ``source``: "engine" (stored and run here) or "cluster" (an object nobody runs here). ``trouble``: why its next run
    will not happen, or why it cannot be read. ``would_remove``: sets a first run of its retention would have removed;
    ``dry_run``: the digest a person accepts it by.
    """

    name: str
    namespace: str
    source: str
    policy: SnapshotPolicy | None = None
    means: str = ""
    next: str = ""
    stored: str = ""
    last: str = ""
    last_outcome: str = ""
    last_operation: str = ""
    missed: int = 0
    failures: int = 0
    trouble: str = ""
    would_remove: tuple[str, ...] = ()
    dry_run: str = ""
    kept_by: str = ""


@dataclass(frozen=True, slots=True)
class Owed:
    """``runs``: nominal times to run now, oldest first. ``missed``: how many have passed before these (at most
    ``MOST_COUNTED`` are counted), without runs all up to ``newest``. ``dark``: of all, those in a blackout."""

    runs: tuple[datetime, ...] = ()
    missed: int = 0
    newest: datetime | None = None
    dark: int = 0


def owed(policy: Timed, since: datetime, now: datetime) -> Owed:
    """What is owed at ``now`` when everything up to the nominal time ``since`` is settled. Raises ``CronError``."""
    line, at = policy.line(), now - policy.offset
    first = next_nominal(policy, since)
    if line is None or first is None or first > at:
        return Owed()
    passed, more = _passed(line, since, at)
    open_ = tuple(one for one in passed if policy.in_blackout == DEFER or not closed_until(policy, one + policy.offset))
    dark = MOST_COUNTED if more and not open_ else len(passed) - len(open_)
    count = {SKIP: 0, RUN_ONCE: 1, RUN_ALL: MOST_RUNS}[policy.catch_up]
    if open_ and now - _begins(policy, open_[-1]) <= GRACE:
        count = max(1, count)
    runs = open_[-count:] if count else ()
    before = passed.index(runs[0]) if runs else len(passed)
    return Owed(runs, MOST_COUNTED if more else before, passed[-1], dark)


def closed_until(policy: Timed, moment: datetime) -> datetime | None:
    """When the blackout ends that ``moment`` falls into, with all that follow it without a gap; None outside."""
    end: datetime | None = None
    for _ in range(MOST_CHAINED):
        ends = [found for one in policy.blackout if (found := _end(policy, one, end or moment)) is not None]
        if not ends:
            break
        end = max(ends)
    return end


def _end(policy: Timed, dark: Blackout, moment: datetime) -> datetime | None:
    begun = _line(dark.begins, policy.rule, policy.time_zone).previous(moment + timedelta(microseconds=1))
    end = begun + timedelta(seconds=dark.lasts) if begun is not None else moment
    return end if end > moment else None


def _begins(policy: Timed, nominal: datetime) -> datetime:
    """When the run of a nominal time may begin."""
    return closed_until(policy, nominal + policy.offset) or nominal + policy.offset


def opens(policy: Timed, windows: Iterable[Blackout], moment: datetime) -> datetime | None:
    """When the first of ``windows`` begins after ``moment``; None: never. Raises ``CronError``."""
    begins = [_line(one.begins, policy.rule, policy.time_zone).next(moment) for one in windows]
    return min((one for one in begins if one is not None), default=None)


def upcoming(policy: Timed, since: datetime, count: int) -> tuple[datetime, ...]:
    """When the next runs begin, blackouts and jitter counted; fewer than ``count`` where they do not come. Raises
    ``CronError``."""
    found: list[datetime] = []
    for _ in range(MOST_CHAINED):
        nominal = next_nominal(policy, since)
        if nominal is None or len(found) == count:
            break
        end = closed_until(policy, nominal + policy.offset)
        deferred = policy.in_blackout == DEFER  # what is due as it ends is one with what was put off until then
        since = nominal if end is None else end - policy.offset - timedelta(microseconds=0 if deferred else 1)
        if end is None or deferred:
            found.append(end or nominal + policy.offset)
    return tuple(found)


def _passed(line: cron.Cron, since: datetime, at: datetime) -> tuple[tuple[datetime, ...], bool]:
    """Nominal times after ``since`` and up to ``at``; with very many only the newest, and True."""
    passed = tuple(islice(line.between(since, at), MOST_COUNTED + 1))
    if len(passed) <= MOST_COUNTED:
        return passed, False
    if line.every is not None:
        count = int((at - since) / line.every)
        return tuple(since + line.every * n for n in range(count - MOST_RUNS + 1, count + 1)), True
    newest: list[datetime] = []
    moment = line.previous(at + timedelta(microseconds=1))
    while moment is not None and len(newest) < MOST_RUNS:
        newest.append(moment)
        moment = line.previous(moment)
    return tuple(reversed(newest)), True


@lru_cache(maxsize=256)
def _line(schedule: str, rule: str, zone: str) -> cron.Cron:
    return cron.parse(schedule, rule, zone=zone)


@lru_cache(maxsize=256)
def _next(schedule: str, rule: str, zone: str, after: datetime) -> datetime | None:
    return cron.parse(schedule, rule, zone=zone).next(after)


def next_nominal(policy: Timed, since: datetime) -> datetime | None:
    """The first nominal time after ``since``; None: never. Raises ``CronError``."""
    return _next(policy.schedule, policy.rule, policy.time_zone, since) if policy.schedule else None


# Keeps with a count, and what is counted; used to tell whether a retention keeps less than another one.
_COUNTS = ("keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly", "min_good")


def keeps_less(new: dict[str, Any], old: dict[str, Any] | None) -> bool:
    """Whether ``new`` might remove what ``old`` kept (parameters of snapshots.prune); None: nothing was agreed to."""
    if old is None:
        return True
    if any(int(new.get(name) or 0) < int(old.get(name) or 0) for name in _COUNTS):
        return True
    same = ("keep_within", "timezone", "most")
    return any(new.get(name) != old.get(name) for name in same)
