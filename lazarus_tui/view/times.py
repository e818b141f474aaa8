"""Ages, times, sizes and durations in the words the console uses everywhere."""

from __future__ import annotations

from datetime import UTC, datetime

from lazarus_tui.model.clock import parse_rfc3339

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def moment(text: str | None) -> datetime | None:
    """The time an RFC 3339 text names, or None for an absent or broken one."""
    if not text:
        return None
    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError):
        return None


def seconds_since(text: str | None, now: datetime) -> float | None:
    at = moment(text)
    return None if at is None else (now - at).total_seconds()


def duration(seconds: float | None) -> str:
    """``850ms``, ``42s``, ``4m12s``, ``3h07m``, ``2d4h``, ``43d``: two units at most, always about seven cells."""
    if seconds is None:
        return "unknown"
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days >= 10:
        return f"{days}d"
    if days:
        return f"{days}d{hours}h"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def measured(seconds: float | None) -> str:
    """A duration that is over: below ten seconds with a decimal (``4.2s``, ``0.35s``, ``12ms``), else ``duration``."""
    if seconds is None or seconds >= 9.95 or seconds <= 0:
        return duration(seconds)
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.2f}s" if seconds < 0.995 else f"{seconds:.1f}s"


def expected(seconds: float) -> str:
    """A duration that is only estimated: whole seconds, rounded as the words about its basis are."""
    return duration(round(seconds) if seconds >= 1 else seconds)


def age(text: str | None, now: datetime, unknown: str = "-") -> str:
    """How long ago; a time in the future (a clock that is ahead) is said, not hidden."""
    passed = seconds_since(text, now)
    if passed is None:
        return unknown
    return f"in {duration(-passed)}" if passed < -1 else duration(max(0.0, passed))


def coarsely(seconds: float) -> str:
    """One unit, rounded down: ``50s``, ``17m``, ``3h``, ``12d``."""
    for size_of, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size_of:
            return f"{int(seconds // size_of)}{unit}"
    return f"{max(0, int(seconds))}s"


def coarse(text: str | None, now: datetime, unknown: str = "-") -> str:
    """``age`` in one unit, for narrow columns."""
    passed = seconds_since(text, now)
    if passed is None:
        return unknown
    return f"in {coarsely(-passed)}" if passed < -1 else coarsely(passed)


def clock(text: str | None, now: datetime) -> str:
    """``10:42:05`` for today, ``11-20 10:42`` this year, else with the year; all in UTC."""
    at = moment(text)
    if at is None:
        return "-"
    if at.date() == now.astimezone(UTC).date():
        return at.strftime("%H:%M:%S")
    return at.strftime("%m-%d %H:%M") if at.year == now.year else at.strftime("%Y-%m-%d")


def stamp(text: str | None) -> str:
    """The full time, ``2026-11-20 10:42:05 UTC``."""
    at = moment(text)
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def size(count: float | None) -> str:
    """Bytes in binary units: ``512 B``, ``1.5 GiB``."""
    if count is None:
        return "unknown"
    value = float(count)
    for unit in _UNITS:
        if abs(value) < 1024 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def amount(done: int, total: int, unit: str) -> str:
    """``12 of 40 items``, ``1.0 of 4.0 MiB``; an unknown total is not invented."""
    if unit == "bytes":
        return f"{size(done)} of {size(total)}" if total else size(done)
    return f"{done} of {total} {unit}" if total else f"{done} {unit}"


def go_duration(text: str) -> str:
    """Velero's ``720h0m0s`` as ``30d``; anything else as it is."""
    if not text.endswith("h0m0s"):
        return text
    hours = text.removesuffix("h0m0s")
    if not hours.isdigit():
        return text
    return f"{int(hours) // 24}d" if int(hours) % 24 == 0 and int(hours) else f"{int(hours)}h"
