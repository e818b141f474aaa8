"""Durations as Go writes them: ``720h0m0s``, ``10m``, ``1h30m``."""

from __future__ import annotations

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


def seconds(text: str | None, default: float) -> float:
    """The duration in seconds; ``default`` for nothing, zero or a text that is not a duration (Velero's rule for 0)."""
    if not text:
        return default
    body, sign = (text[1:], -1.0) if text.startswith("-") else (text, 1.0)
    parts = list(_PART.finditer(body))
    if not parts or "".join(part.group(0) for part in parts) != body:
        return default
    total = sum(float(part.group(1)) * _UNITS[part.group(2)] for part in parts)
    return sign * total or default


def text(total: float) -> str:
    """``2592000`` → ``720h0m0s``."""
    whole = int(total)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{secs}s"
    return f"{minutes}m{secs}s" if minutes else f"{secs}s"
