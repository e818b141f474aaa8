"""Durations as the server reads and writes them: what is absent, zero or wrong means the default."""

from __future__ import annotations

from lazarus_tui.model.durations import DurationError, parse


def seconds(text: str | None, default: float) -> float:
    """The duration in seconds; ``default`` for nothing, zero or a text that is not a duration."""
    try:
        return parse(text or "").total_seconds() or default
    except DurationError:
        return default


def text(total: float) -> str:
    """``2592000`` → ``720h0m0s``."""
    whole = int(total)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{secs}s"
    return f"{minutes}m{secs}s" if minutes else f"{secs}s"
