"""A cron line in plain words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
_DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MOST_TIMES = 4  # more times than this are described by their fields instead of being listed


def describe(source: Sequence[str], minutes: Sequence[int], hours: Sequence[int], *, both: bool) -> str:
    """Words for the five fields ``source``; ``minutes`` and ``hours`` are expanded, ``both`` joins the days by AND."""
    at = _times(source, minutes, hours)
    days = _days(source[2], source[4], both)
    month = _list(source[3], _month)
    if month:
        days = f"{days or 'every day'} in {month}"
    if not days:
        return at if at.startswith("every") or " past " in at else f"{at} every day"
    return f"{at} {days}" if not at.startswith("every") and " past " not in at else f"{at}, {days}"


def _times(source: Sequence[str], minutes: Sequence[int], hours: Sequence[int]) -> str:
    if len(hours) == 24:
        step = _step(minutes, 60)
        if step:
            return "every minute" if step == 1 else f"every {step} minutes"
        if len(minutes) == 1:
            return "every hour" if minutes[0] == 0 else f"every hour at minute {minutes[0]}"
        return f"at minutes {_and([str(m) for m in minutes])} past every hour"
    if len(minutes) * len(hours) <= _MOST_TIMES:
        return _and([f"{hour:02d}:{minute:02d}" for hour in hours for minute in minutes])
    step = _step(hours, 24)
    if step and len(minutes) == 1:
        return f"every {step} hours" + (f" at minute {minutes[0]}" if minutes[0] else "")
    every = _step(minutes, 60)
    when = "every minute" if every == 1 else f"every {every} minutes" if every else f"at minute {source[0]}"
    return f"{when} past hour {source[1]}" if not every else f"{when} in hours {source[1]}"


def _step(values: Sequence[int], size: int) -> int:
    """The step if ``values`` are evenly spread over the whole of ``size`` from 0, else 0."""
    if len(values) < 2 or values[0] != 0 or size % len(values):
        return 0
    step = size // len(values)
    return step if list(values) == list(range(0, size, step)) else 0


def _days(month_days: str, week_days: str, both: bool) -> str:
    in_month = _list(month_days, str)
    in_week = _list(week_days, _day)
    if in_month and in_week:
        joint = "if it is a" if both else "and every"
        return f"on day {in_month} of the month {joint} {in_week}"
    if in_month:
        return f"on day {in_month} of the month"
    return f"every {in_week}" if in_week else ""


def _list(field: str, name: Callable[[str], str]) -> str:
    if field in ("*", "?", "*/1", "?/1"):
        return ""
    return _and([_part(part, name) for part in field.split(",")])


def _part(part: str, name: Callable[[str], str]) -> str:
    span, _, step = part.partition("/")
    first, dash, last = span.partition("-")
    text = f"{name(first)} to {name(last)}" if dash else name(first)
    if span in ("*", "?"):
        text = ""
    if not step:
        return text
    each = f"every {step}" if text == "" else f"from {text} by {step}"
    return each if step != "1" else text


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _month(text: str) -> str:
    number = MONTHS.index(text.lower()) if text.lower() in MONTHS else int(text) - 1
    return _MONTH_NAMES[number]


def _day(text: str) -> str:
    number = DAYS.index(text.lower()) if text.lower() in DAYS else int(text) % 7
    return _DAY_NAMES[number]
