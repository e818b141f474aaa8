"""How long a pod may be active."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from lazarus_tui.model.clock import parse_rfc3339

Object = dict[str, Any]

TOO_LONG = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
"""Reason and message of a pod that was."""


def deadline_in(pod: Object, now: datetime) -> float | None:
    """Seconds until ``activeDeadlineSeconds`` are over, 0 or less when they are; None without a deadline or at rest."""
    limit, status = pod["spec"].get("activeDeadlineSeconds"), pod.get("status") or {}
    if limit is None or not status.get("startTime") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    return float((parse_rfc3339(status["startTime"]) + timedelta(seconds=limit) - now).total_seconds())
