"""What operations keep from working in a workload right now, by their records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.operation import Operation, OpState

# The fact that names what an operation keeps from working in a workload: {pod: {since, …}}; absent or empty: nothing.
HELD = "held"


def pods_held(operation: Operation) -> Mapping[str, Any]:
    """By pod: since when, and where. Empty when nothing is held, also for a record that cannot be read."""
    found = operation.facts.get(HELD)
    return found if isinstance(found, Mapping) else {}


def began_here(operation: Operation) -> bool:
    """Whether this journal knows what was run in those pods; else a person decides about them."""
    return any(isinstance(one, Mapping) and one.get("uid") for one in pods_held(operation).values())


def held_seconds(operation: Operation, now: datetime) -> float | None:
    """For how long the first of them is held; None when nothing is, or nobody wrote down since when."""
    since = [parsed for one in pods_held(operation).values() if (parsed := _moment(one)) is not None]
    return max(0.0, (now - min(since)).total_seconds()) if since else None


def frozen_words(operation: Operation, now: datetime) -> str:
    """``prod/db is frozen for 12 s (db-0, db-1)``; "" when nothing is held. Text of the cluster is in it."""
    pods = sorted(pods_held(operation))
    if not pods:
        return ""
    named = ", ".join(pods[:3]) + (f" and {len(pods) - 3} more" if len(pods) > 3 else "")
    seconds = held_seconds(operation, now)
    long = f" for {seconds:.0f} s" if seconds is not None else ""
    is_or_may = "is" if operation.state in (OpState.RUNNING, OpState.UNDOING) else "may still be"
    return f"{operation.target} {is_or_may} frozen{long} ({named})"


def _moment(one: Any) -> datetime | None:
    try:
        return parse_rfc3339(str(one["since"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
