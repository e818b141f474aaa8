"""The moment at which every world of the console tests stands still, and its context."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lazarus_tui.model.clock import rfc3339

NOW = datetime(2026, 11, 20, 10, 42, 10, tzinfo=UTC)


CONTEXT = "lazarus-sandbox"


def ago(**parts: float) -> str:
    return rfc3339(NOW - timedelta(**parts))
