"""Which recovery points a policy keeps, as one pure function with a reason for every answer (reference: data §9).

It works on whole points, never on single volumes: a point loses all its artefacts or none. Everything that is in doubt
is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from lazarus_tui.model.verdict import Verdict

# A clock that jumped ahead by more than this between two runs deletes nothing (reference: data §9.2 R3).
LONGEST_JUMP = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What to keep; the keeps are joined by OR. Durations are timedeltas; 0 and None mean: no such rule.

    ``min_good``: never fewer good points than this, whatever the rules say. ``ttl`` is soft: it removes only what no
    keep holds. ``most``: deletions in one run without a person's word.
    """

    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    keep_within: timedelta | None = None
    min_good: int = 1
    failed_keep: int = 3
    failed_within: timedelta = timedelta(days=7)
    safety_within: timedelta = timedelta(days=7)
    most: int = 10
    timezone: str = "UTC"

    @property
    def empty(self) -> bool:
        """Whether nothing says what to keep: then everything is kept."""
        return not self.keep_within and not any(
            (self.keep_last, self.keep_hourly, self.keep_daily, self.keep_weekly, self.keep_monthly, self.keep_yearly)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point as retention sees it. ``sound``: complete, ready, bound; ``busy``: why an operation needs it now.

    ``closed`` is when the operation ended that a safety point belongs to; None while it is open.
    """

    id: str
    taken: datetime | None
    sound: bool
    verdict: Verdict = Verdict.NOT_TESTED
    hold: str = ""
    busy: str = ""
    foreign: str = ""
    safety: bool = False
    closed: datetime | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """``reasons``: every rule that keeps the point, or why it goes."""

    point: Point
    keep: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What holds for the whole workload at ``now``. ``blocked``: reasons to remove nothing at all (an operation runs,
    its last runs failed, the listing was not complete). ``last_run`` is when retention last looked."""

    now: datetime
    blocked: tuple[str, ...] = ()
    last_run: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The decisions, newest point first, and why nothing is removed although something could be."""

    decisions: tuple[Decision, ...]
    blocked: tuple[str, ...] = ()
    freed: int = 0  # bytes, as far as points say
    unknown_sizes: int = 0

    @property
    def removed(self) -> tuple[Point, ...]:
        return tuple(decision.point for decision in self.decisions if not decision.keep)


@dataclass
class _Marks:
    """Reasons by point."""

    kept: dict[str, list[str]] = field(default_factory=dict)

    def keep(self, points: Iterable[Point], reason: str) -> None:
        for point in points:
            self.kept.setdefault(point.id, []).append(reason)


def decide(points: Iterable[Point], policy: Policy, situation: Situation, *, confirmed: bool = False) -> Outcome:
    """What stays and what goes. ``confirmed``: a person agreed to more than ``policy.most`` removals."""
    ordered = sorted(points, key=lambda point: (point.taken or situation.now, point.id), reverse=True)
    marks = _Marks()
    _untouchable(ordered, situation, marks)
    regular = [p for p in ordered if not p.safety and not p.foreign and _past(p, situation.now)]
    sound = [point for point in regular if _usable(point)]
    _by_rules(sound, policy, situation.now, marks)
    _last_ones(_good(sound), policy, marks)
    _failed([point for point in regular if not _usable(point)], policy, situation.now, marks)
    _safety([p for p in ordered if p.safety], policy, situation.now, marks)
    blocked = [*situation.blocked, *_clock(situation)]
    if policy.empty:
        blocked.append("the policy says nothing about what to keep, so everything is kept")
    for reason in blocked:
        marks.keep(ordered, reason)
    leaving = [point for point in reversed(ordered) if point.id not in marks.kept]  # the oldest go first
    if len(leaving) > policy.most and not confirmed:
        marks.keep(leaving[policy.most :], f"left for later: at most {policy.most} are removed without a person's word")
        leaving = leaving[: policy.most]
    decisions = tuple(_decision(point, marks, policy) for point in ordered)
    sizes = [point.size for point in leaving]
    return Outcome(decisions, tuple(blocked), sum(s or 0 for s in sizes), sum(s is None for s in sizes))


def _decision(point: Point, marks: _Marks, policy: Policy) -> Decision:
    reasons = marks.kept.get(point.id)
    if reasons:
        return Decision(point, True, tuple(reasons))
    if point.safety:
        return Decision(point, False, ("its operation ended and its time for undoing is over",))
    if not _usable(point):
        return Decision(point, False, ("it cannot be used, and is no longer among those kept for looking into",))
    return Decision(point, False, ("no rule keeps it",))


def _past(point: Point, now: datetime) -> bool:
    return point.taken is not None and point.taken <= now


def _usable(point: Point) -> bool:
    return point.sound and point.verdict is not Verdict.FAILED


def _good(sound: Sequence[Point]) -> list[Point]:
    """Newest first. One that was never tested counts only while no proven one is newer than it (R1)."""
    proven = [point for point in sound if point.verdict is Verdict.PASSED]
    if not proven:
        return list(sound)
    newest = proven[0].taken
    return [p for p in sound if p.verdict is Verdict.PASSED or p.taken is None or newest is None or p.taken > newest]


def _untouchable(points: Sequence[Point], situation: Situation, marks: _Marks) -> None:
    for point in points:
        if point.hold:
            marks.keep([point], f"legal hold: {point.hold}")
        if point.busy:
            marks.keep([point], point.busy)
        if point.foreign:
            marks.keep([point], f"not made by Lazarus ({point.foreign}): its owner removes it")
        if point.taken is None:
            marks.keep([point], "it is not known when it was taken")
        elif point.taken > situation.now:
            marks.keep([point], "taken in the future: one of the clocks is wrong")


def _clock(situation: Situation) -> list[str]:
    if situation.last_run is None:
        return []
    if situation.now < situation.last_run:
        return ["the clock went back since the last run"]
    if situation.now - situation.last_run > LONGEST_JUMP:
        return [f"the last run was more than {LONGEST_JUMP.days} days ago, or the clock jumped"]
    return []


def _last_ones(good: Sequence[Point], policy: Policy, marks: _Marks) -> None:
    marks.keep(good[:1], "newest good point")
    marks.keep(good[1 : max(1, policy.min_good)], f"one of the last {policy.min_good} good points")
    marks.keep([point for point in good if point.verdict is Verdict.PASSED][:1], "newest proven point")


def _failed(points: Sequence[Point], policy: Policy, now: datetime, marks: _Marks) -> None:
    """Points that cannot be used never count as kept ones; a few stay to be looked into."""
    marks.keep(points[: policy.failed_keep], f"one of the last {policy.failed_keep} that failed")
    young = [point for point in points if point.taken is not None and now - point.taken <= policy.failed_within]
    marks.keep(young, f"failed within {policy.failed_within.days} days")


def _safety(points: Sequence[Point], policy: Policy, now: datetime, marks: _Marks) -> None:
    for point in points:
        if point.closed is None:
            marks.keep([point], "its operation is open, or nobody knows how it ended")
        elif now - point.closed <= policy.safety_within:
            marks.keep([point], f"can be undone for {policy.safety_within.days} days")


def _by_rules(points: Sequence[Point], policy: Policy, now: datetime, marks: _Marks) -> None:
    marks.keep(points[: policy.keep_last], f"last {policy.keep_last}")
    if policy.keep_within:
        inside = [point for point in points if point.taken is not None and now - point.taken <= policy.keep_within]
        marks.keep(inside, f"within {_words(policy.keep_within)}")
    zone = ZoneInfo(policy.timezone)
    for name, count, bucket in _calendar(policy):
        newest: dict[tuple[int, ...], Point] = {}
        for point in points:
            local = (point.taken or now).astimezone(zone)
            newest.setdefault(bucket(local), point)
        marks.keep(list(newest.values())[:count], f"{name} ({count})")


Bucket = Callable[[datetime], tuple[int, ...]]


def _calendar(policy: Policy) -> list[tuple[str, int, Bucket]]:
    """The calendar rules in force. An hour that comes twice in autumn is two hours: it is told by its UTC hour."""
    every: Mapping[str, tuple[int, Bucket]] = {
        "hourly": (policy.keep_hourly, lambda at: _utc_hour(at)),
        "daily": (policy.keep_daily, lambda at: (at.year, at.month, at.day)),
        "weekly": (policy.keep_weekly, lambda at: tuple(at.isocalendar()[:2])),
        "monthly": (policy.keep_monthly, lambda at: (at.year, at.month)),
        "yearly": (policy.keep_yearly, lambda at: (at.year,)),
    }
    return [(name, count, bucket) for name, (count, bucket) in every.items() if count]


def _utc_hour(at: datetime) -> tuple[int, ...]:
    utc = at.astimezone(UTC)
    return (utc.year, utc.month, utc.day, utc.hour)


def _words(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"
