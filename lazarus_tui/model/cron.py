"""When a cron line fires, by the rule of the controller that will run it (reference: data §8.1).

Engines disagree, so a rule is named: ``velero`` (Velero up to 1.18, robfig/cron v3), ``velero-1.19`` (the library
Velero's later releases use) and ``kubernetes`` (CronJob, robfig/cron v3 too). croniter expands the fields into
numbers; which of the minutes count is decided here. ``lazarus`` is the rule of Lazarus's own schedules.

The definition: a line fires at every whole UTC minute whose wall time in its zone matches all fields. Under the
1.19 rule a fixed hour that a clock change skips runs at once after it, and one that comes twice runs once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from lazarus_tui.model import cron_words, durations

YEARS = 5  # robfig/cron and its descendants give up five years after the start of the search

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, cron_words.MONTHS),
    ("day of week", 0, 6, cron_words.DAYS),
)
_PREFIX = re.compile(r"^(CRON_TZ|TZ)=(\S*)\s+")


@dataclass(frozen=True, slots=True)
class Rule:
    """What sets the engines apart."""

    both_days: bool  # day of month AND day of week when both are restricted; otherwise OR
    sunday_is_seven: bool
    wraps: bool  # ranges may run over the end: 22-2
    repairs_dst: bool  # a skipped time runs after the gap, a repeated one runs once
    zone_prefix: bool


_ROBFIG = Rule(both_days=False, sunday_is_seven=False, wraps=False, repairs_dst=False, zone_prefix=True)
RULES = {
    "velero": _ROBFIG,
    "velero-1.19": Rule(both_days=True, sunday_is_seven=True, wraps=True, repairs_dst=True, zone_prefix=True),
    "kubernetes": replace(_ROBFIG, zone_prefix=False),  # the API server refuses TZ=: spec.timeZone is the way
    # Lazarus's own schedules: days as a CronJob reads them, and no night without a run, or with two.
    "lazarus": Rule(both_days=False, sunday_is_seven=True, wraps=False, repairs_dst=True, zone_prefix=False),
}


class CronError(ValueError):
    """A line its controller would refuse: ``what`` is wrong in words, ``where`` names the field or part."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.what, self.where = what, where


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed line. Times going in must know their zone; times coming out are in UTC."""

    text: str
    rule: str
    zone: str
    every: timedelta | None
    minutes: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    stars: frozenset[int] = frozenset()  # indices of the fields that are written as a star
    source: tuple[str, ...] = ()  # the five fields as written

    def next(self, after: datetime) -> datetime | None:
        """The first firing later than ``after``; None if there is none within five years (never).

        ``@every`` counts from ``after`` itself, as its controllers do, in whole seconds.
        """
        start = _utc(after)
        if self.every is not None:
            return start.replace(microsecond=0) + self.every
        day = start.astimezone(self._zone()).date() - timedelta(days=1)
        last = date(min(day.year + YEARS + 1, 9998), 12, 31)
        while day <= last:
            if self._on(day):
                for moment in self._moments(day):
                    if moment > start:
                        return moment if moment.year <= start.year + YEARS else None
            day += timedelta(days=1)
        return None

    def previous(self, before: datetime) -> datetime | None:
        """The last firing earlier than ``before``; None if there was none in the five years before it."""
        start = _utc(before)
        if self.every is not None:
            return start.replace(microsecond=0) - self.every
        day = start.astimezone(self._zone()).date() + timedelta(days=1)
        first = date(max(day.year - YEARS - 1, 2), 1, 1)
        while day >= first:
            if self._on(day):
                for moment in reversed(tuple(self._moments(day))):
                    if moment < start:
                        return moment if moment.year >= start.year - YEARS else None
            day -= timedelta(days=1)
        return None

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The firings later than ``after`` and not later than ``until``, in order; each day is looked at once."""
        start, end = _utc(after), _utc(until)
        if self.every is not None:
            first = start.replace(microsecond=0)
            yield from (first + self.every * n for n in range(1, int((end - first) / self.every) + 1))
            return
        day, last = start.astimezone(self._zone()).date(), end.astimezone(self._zone()).date() + timedelta(days=1)
        day -= timedelta(days=1)
        while day <= last:
            if self._on(day):
                yield from (moment for moment in self._moments(day) if start < moment <= end)
            day += timedelta(days=1)

    def upcoming(self, after: datetime, n: int) -> tuple[datetime, ...]:
        """The next ``n`` firings, fewer if the line ends before that."""
        found: list[datetime] = []
        moment = self.next(after)
        while moment is not None and len(found) < n:
            found.append(moment)
            moment = self.next(moment)
        return tuple(found)

    def longest_gap(self, after: datetime, days: int = 366) -> timedelta | None:
        """The longest time between two firings in the ``days`` after ``after``; None when it fires less than twice.

        Found by walking the firings, because weekends and clock changes make gaps that no formula shows. A line that
        names no day of the month and no month repeats every week, but for the weeks with a clock change.
        """
        start = _utc(after)
        end = start + timedelta(days=days)
        windows = [(start, end)]
        if self.every is None and self.stars >= {2, 3} and days > 8:
            windows = [(start, start + timedelta(days=8)), *self._weeks_with_changes(start, days)]
        gaps = [gap for begin, finish in windows if (gap := self._gap_between(begin, finish)) is not None]
        return max(gaps, default=None)

    def _weeks_with_changes(self, start: datetime, days: int) -> list[tuple[datetime, datetime]]:
        if not self._zoned():
            return []
        noons = (start.astimezone(self._zone()).replace(hour=12) + timedelta(days=n) for n in range(4, days - 3))
        week = timedelta(days=4)
        return [(_utc(noon) - week, _utc(noon) + week) for noon in noons if not _steady(noon)]

    def _gap_between(self, begin: datetime, end: datetime) -> timedelta | None:
        moment, longest = self.next(begin), None
        while moment is not None and moment <= end:
            following = self.next(moment)
            if following is None:
                break
            longest = max(longest or timedelta(0), following - moment)
            moment = following
        return longest

    def describe(self) -> str:
        """The line in plain words, such as ``every 30 minutes`` or ``02:00 every day (Europe/Berlin)``."""
        if self.every is not None:
            return f"every {durations.words(self.every)}"
        both = RULES[self.rule].both_days or bool(self.stars & {2, 4})
        text = cron_words.describe(self.source, self.minutes, self.hours, both=both)
        return text if not self._zoned() else f"{text} ({self.zone})"

    def _zoned(self) -> bool:
        return self.zone not in ("UTC", "Etc/UTC", "")

    def _zone(self) -> Any:
        return ZoneInfo(self.zone) if self._zoned() else UTC

    def _on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if RULES[self.rule].both_days or self.stars & {2, 4}:
            return in_month and in_week
        return in_month or in_week

    def _moments(self, day: date) -> Iterator[datetime]:
        """The firings of one local day, in order, in UTC."""
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=self._zone())
        if not self._zoned() or _steady(noon):
            shift = noon.utcoffset() or timedelta(0)
            for hour in self.hours:
                for minute in self.minutes:
                    yield datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC) - shift
            return
        repairs = RULES[self.rule].repairs_dst and 1 not in self.stars
        yield from _changing_day(self.hours, self.minutes, day, self.zone, repairs)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be compared with a schedule")
    return moment.astimezone(UTC)


def _steady(noon: datetime) -> bool:
    """Whether no clock change falls into the day around ``noon`` or touches its midnights."""
    side = timedelta(hours=16)
    return (noon.astimezone(UTC) - side).astimezone(noon.tzinfo).utcoffset() == (
        noon.astimezone(UTC) + side
    ).astimezone(noon.tzinfo).utcoffset()


@lru_cache(maxsize=16)
def _changing_day(
    hours: tuple[int, ...], minutes: tuple[int, ...], day: date, zone: str, repairs: bool
) -> tuple[datetime, ...]:
    """The firings of a day with a clock change; kept, because walking the firings asks for the same day again."""
    walls = (datetime(day.year, day.month, day.day, hour, minute) for hour in hours for minute in minutes)
    return tuple(sorted({moment for wall in walls for moment in _instants(wall, ZoneInfo(zone), repairs)}))


def _instants(wall: datetime, zone: ZoneInfo, repairs: bool) -> list[datetime]:
    """The UTC instants at which a clock in ``zone`` shows ``wall``: none in a gap, two in an overlap."""
    folds = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    real = [moment for moment in folds if moment.astimezone(zone).replace(tzinfo=None) == wall]
    if real:
        return real[:1] if repairs else real
    return [_after_gap(min(folds), zone)] if repairs else []


def _after_gap(inside: datetime, zone: ZoneInfo) -> datetime:
    """The first instant after the clock change that skipped a wall time; ``inside`` is close before or after it."""
    moment = inside - timedelta(hours=3)
    before = moment.astimezone(zone).utcoffset()
    while moment.astimezone(zone).utcoffset() == before:
        moment += timedelta(minutes=1)
    return moment


@lru_cache(maxsize=512)
def parse(text: str, rule: str = "velero", *, zone: str = "UTC") -> Cron:
    """A cron line as the named rule reads it; ``zone`` is used unless the line brings its own. Raises ``CronError``."""
    knobs = RULES[rule]
    line = text.strip()
    prefix = _PREFIX.match(line)
    if prefix:
        if not knobs.zone_prefix:
            raise CronError(f"a CronJob refuses {prefix[1]}=; set spec.timeZone instead", prefix[1])
        zone, line = prefix[2], line[prefix.end() :]
    _check_zone(zone)
    if line.startswith("@every "):
        return Cron(text=text, rule=rule, zone=zone, every=_every(line[7:]))
    if line.startswith("@"):
        if line not in _MACROS:
            raise CronError(f"unknown descriptor {line}; known: {', '.join(_MACROS)}, @every 1h30m", line)
        line = _MACROS[line]
    fields = tuple(line.split())
    if len(fields) != 5:
        raise CronError(f"needs five fields (minute hour day month weekday), found {len(fields)}", text.strip())
    plain, stars = [], []
    for index, field in enumerate(fields):
        value, star = _plain_field(index, field, knobs)
        plain.append(value)
        if star:
            stars.append(index)
    expanded = _expand(plain)
    return Cron(
        text=text,
        rule=rule,
        zone=zone,
        every=None,
        minutes=expanded[0],
        hours=expanded[1],
        days=frozenset(expanded[2]),
        months=frozenset(expanded[3]),
        weekdays=frozenset(expanded[4]),
        stars=frozenset(stars),
        source=fields,
    )


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError) as error:  # unknown, malformed, or a folder of the zone database
        raise CronError(f"unknown time zone {zone or '(empty)'}", "time zone") from error


def _every(text: str) -> timedelta:
    try:
        length = durations.parse(text)
    except durations.DurationError as error:
        raise CronError(str(error), "@every") from error
    if length < timedelta(0):
        raise CronError("cannot be negative", "@every")
    return max(timedelta(seconds=1), timedelta(seconds=int(length.total_seconds())))


def _expand(fields: list[str]) -> list[tuple[int, ...]]:
    from croniter import croniter  # loaded here: the console's start path imports this module too

    expanded, _ = croniter.expand(" ".join(fields))
    values = []
    for (_, low, high, _), numbers in zip(_FIELDS, expanded, strict=True):
        values.append(tuple(range(low, high + 1)) if numbers == ["*"] else tuple(sorted({int(n) for n in numbers})))
    return values


def _plain_field(index: int, field: str, knobs: Rule) -> tuple[str, bool]:
    """A field in numbers only, ready to be expanded, and whether its controller counts it as a star."""
    parts, star = [], False
    for part in field.split(","):
        text, is_star = _plain_part(index, part, knobs)
        parts.append(text)
        star = star or is_star
    return ",".join(parts), star


def _plain_part(index: int, part: str, knobs: Rule) -> tuple[str, bool]:
    name, low, high, _ = _FIELDS[index]
    top = 7 if index == 4 and knobs.sunday_is_seven else high
    span, slash, step_text = part.partition("/")
    step = _number(step_text, name, part) if slash else 1
    if step == 0:
        raise CronError(f"the step of {part!r} is zero", name)
    first_text, dash, last_text = span.partition("-")
    if span in ("*", "?"):
        first, last = low, high
    else:
        first = _value(first_text, index, part)
        last = _value(last_text, index, part) if dash else (high if slash else first)
    if not low <= first <= top or not low <= last <= top:
        hint = " (Sunday is 0)" if index == 4 and 7 in (first, last) else ""
        raise CronError(f"{part!r} is outside {low}-{high}{hint}", name)
    star = span in ("*", "?") and step == 1
    if first > last and not knobs.wraps:
        raise CronError(f"{part!r} runs backwards", name)
    numbers = range(first, (last if first <= last else last + high - low + 1) + 1, step)
    wrapped = sorted({low + (n - low) % (high - low + 1) for n in numbers})
    return ",".join(map(str, wrapped)), star


def _value(text: str, index: int, part: str) -> int:
    name, _, _, names = _FIELDS[index]
    lowered = text.lower()
    if lowered in names:
        return names.index(lowered) + (1 if index == 3 else 0)
    return _number(text, name, part)


def _number(text: str, name: str, part: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise CronError(f"{part!r} is not understood", name)
    return int(text)
