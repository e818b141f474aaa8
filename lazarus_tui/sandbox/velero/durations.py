"""Durations as the server reads and writes them: what is absent, zero or wrong means the default."""

from __future__ import annotations

from datetime import timedelta

from lazarus_tui.model.durations import DurationError, go, parse


def seconds(text: str | None, default: float) -> float:
    """The duration in seconds; ``default`` for nothing, zero or a text that is not a duration."""
    try:
        return parse(text or "").total_seconds() or default
    except DurationError:
        return default


def text(total: float) -> str:
    """``2592000`` → ``720h0m0s``."""
    return go(timedelta(seconds=total))
