"""Which point: latest, latest-proven, oldest, random:WINDOW, before:TIME, or a name (design.md §1)."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from lazarus_tui.model import points
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.points import Choice
from lazarus_tui.model.topics import PointView

_WINDOW = re.compile(r"(\d{1,5})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}
_ALL = 1000
_RULES = ("", "latest", "latest-proven", "proven", "oldest")
WORDS = "latest, latest-proven, oldest, random:30d, before:2026-01-31T12:00:00Z, or the name of a point"


def sure(wanted: str) -> int:
    """How many points have to be known as usable before the choice can be made."""
    return 0 if _named(wanted) else 1 if wanted in ("", "latest") else _ALL


def choose(wanted: str, found: Sequence[PointView], now: datetime, rng: random.Random) -> PointView:
    """The point; raises ``PlanRefused`` with the reasons of those that were passed over."""
    choice = _choice(wanted, found, now, rng)
    if choice.point is not None:
        return choice.point
    if _named(wanted):
        raise PlanRefused(f"there is no point {wanted}", where="point", hint=WORDS)
    lines = [f"{view.name}: {'; '.join(view.reasons) or 'usable, but not proven'}" for view in found[:6]]
    raise PlanRefused(
        f"there is no usable point by the rule {choice.rule!r}",
        where="point",
        hint=lines[0] if lines else "no backup or snapshot set holds this namespace",
        code="not-found",
        details=lines,
    )


def _named(wanted: str) -> bool:
    return wanted not in ("", "latest", "latest-proven", "proven", "oldest") and not wanted.startswith(
        ("random:", "before:")
    )


def _choice(wanted: str, found: Sequence[PointView], now: datetime, rng: random.Random) -> Choice:
    if wanted in ("", "latest"):
        return points.first_usable(found)
    if wanted in ("latest-proven", "proven"):
        return points.latest_proven(found)
    if wanted == "oldest":
        return points.oldest(found)
    rule, _, value = wanted.partition(":")
    if rule == "before":
        return points.before(found, _moment(value))
    if rule == "random":
        return _random(value, found, now, rng)
    return points.exact(found, wanted)


def _moment(text: str) -> datetime:
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise PlanRefused(f"{text!r} is no time", where="point", hint="before:2026-01-31T12:00:00Z") from error


def _random(window: str, found: Sequence[PointView], now: datetime, rng: random.Random) -> Choice:
    match = _WINDOW.fullmatch(window)
    if match is None:
        raise PlanRefused(f"{window!r} is no window", where="point", hint="random:30d, random:12h or random:4w")
    since = now - timedelta(hours=int(match[1]) * _HOURS[match[2]])
    young = [one for one in found if one.usable is True and one.start and parse_rfc3339(one.start) >= since]
    return Choice(f"random within {window}", rng.choice(young) if young else None)
