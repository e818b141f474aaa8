"""Durations: Go's strings as Velero writes them (``720h0m0s``), and ages as people read them (``3h12m``)."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

# Go's time.ParseDuration units, in nanoseconds. There is no unit for days or weeks.
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3600 * 1_000_000_000,
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST = 2**63 - 1  # Go's Duration is an int64 of nanoseconds
_AGES = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


class DurationError(ValueError):
    """A text that is not a Go duration; the message says why in words."""


def parse(text: str) -> timedelta:
    """The length of a Go duration string such as ``1h30m`` or ``-1.5h``; microsecond resolution, rounded down.

    Raises ``DurationError``. A bare number is refused except ``0``, as Go does.
    """
    body = text.strip()
    negative = body.startswith("-")
    body = body[1:] if body[:1] in ("-", "+") else body
    if body == "0":
        return timedelta(0)
    if not body:
        raise DurationError("empty duration: write for example 30m or 720h")
    total, position = Fraction(0), 0
    while position < len(body):
        part = _PART.match(body, position)
        if part is None:
            raise DurationError(_why(text, body[position:]))
        total += Fraction(part[1] if part[1][0] != "." else "0" + part[1]) * _UNITS[part[2]]
        position = part.end()
    if total > _LONGEST:
        raise DurationError(f"{text!r} is longer than a Go duration can be (about 292 years)")
    micros = int(total // 1000)
    return timedelta(microseconds=-micros if negative else micros)


def _why(text: str, rest: str) -> str:
    if re.match(r"\d+(\.\d*)?\s*(d|w|day|week)", rest):
        return f"{text!r}: Go durations have no days or weeks; write hours (7 days = 168h)"
    if re.fullmatch(r"\d+(\.\d*)?", rest):
        return f"{text!r} has no unit; write for example {rest}m or {rest}h"
    return f"{text!r} is not a duration; write for example 90m, 1h30m or 720h"


def go(length: timedelta) -> str:
    """The length as Go prints it: ``720h0m0s``, ``1m30s``, ``1.5s``, ``250ms``, ``0s``. ``parse`` reads it back."""
    micros = length // timedelta(microseconds=1)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    if micros == 0:
        return "0s"
    if micros < 1_000:
        return f"{sign}{micros}µs"
    if micros < 1_000_000:
        return f"{sign}{_decimal(micros, 1_000)}ms"
    minutes, rest = divmod(micros, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_decimal(rest, 1_000_000)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    digits = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def human(length: timedelta | float) -> str:
    """A length in at most two units: ``12s``, ``4m05s``, ``3h12m``, ``2d4h``, ``41d``. A number is seconds."""
    seconds = int(length.total_seconds() if isinstance(length, timedelta) else length)
    if seconds < 0:
        return f"-{human(-seconds)}"
    index = next((i for i, (_, size) in enumerate(_AGES) if seconds >= size), len(_AGES) - 1)
    unit, size = _AGES[index]
    count, rest = divmod(seconds, size)
    if unit == "s" or (unit == "d" and count >= 10):
        return f"{count}{unit}"
    below, below_size = _AGES[index + 1]
    minor = rest // below_size
    if minor == 0:
        return f"{count}{unit}"
    return f"{count}{unit}{minor:02d}{below}" if unit != "d" else f"{count}{unit}{minor}{below}"


def words(length: timedelta | float) -> str:
    """A length in full words for a sentence: ``1 hour``, ``30 minutes``, ``2 days 4 hours``."""
    seconds = int(length.total_seconds() if isinstance(length, timedelta) else length)
    names = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    parts = []
    for name, size in names:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}" + ("s" if count != 1 else ""))
    return " ".join(parts[:2]) or "0 seconds"
