"""Ages and durations in kubectl's short form."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lazarus_tui.model.clock import parse_rfc3339

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 86400 * 365


def human(seconds: float) -> str:
    """``42s``, ``3m5s``, ``7h12m``, ``2d3h``, ``400d``, ``2y30d`` (upstream's HumanDuration)."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    total = max(0, total)
    if total < 2 * _MINUTE:
        return f"{total}s"
    if total < 10 * _MINUTE:
        return _pair(total // _MINUTE, "m", total % _MINUTE, "s")
    if total < 3 * _HOUR:
        return f"{total // _MINUTE}m"
    if total < 8 * _HOUR:
        return _pair(total // _HOUR, "h", total % _HOUR // _MINUTE, "m")
    if total < 2 * _DAY:
        return f"{total // _HOUR}h"
    if total < 8 * _DAY:
        return _pair(total // _DAY, "d", total % _DAY // _HOUR, "h")
    if total < 2 * _YEAR:
        return f"{total // _DAY}d"
    if total < 8 * _YEAR:
        return _pair(total // _YEAR, "y", total % _YEAR // _DAY, "d")
    return f"{total // _YEAR}y"


def _pair(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"


def age(stamp: Any, now: datetime) -> str:
    """How long ago an RFC 3339 stamp was; ``<unknown>`` without one, ``<invalid>`` for anything else."""
    if not stamp:
        return "<unknown>"
    try:
        return human((now - parse_rfc3339(str(stamp))).total_seconds())
    except ValueError:
        return "<invalid>"


def between(start: Any, end: Any) -> str:
    """The time from one stamp to another, ``""`` when one is missing or no stamp."""
    try:
        return human((parse_rfc3339(str(end)) - parse_rfc3339(str(start))).total_seconds())
    except ValueError:
        return ""
