"""What is read of the live cluster before a proof is planned: room, classes, webhooks, the queue, what is pulled."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.durations import human
from lazarus_tui.model.plan import Estimate, PlanRefused
from lazarus_tui.model.resources import VOLUMES
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.asked import Asked
from lazarus_tui.prove.points import Contents, identity
from lazarus_tui.prove.rules import Ruling

# Added to an estimate before it is held against the point's expiration (reliability V3: three times the expected time).
_MARGIN, _LEAST = 3.0, timedelta(hours=1)


@dataclass(slots=True)
class Found:
    """``handles``: identities of the live volumes of the source namespace; ``images``: what is pulled."""

    warnings: list[str] = field(default_factory=list)
    handles: set[str] = field(default_factory=set)
    images: tuple[str, ...] = ()


async def look(
    reader: Reader, contents: Contents, ruling: Ruling, wanted: Asked, quarantine: str, now: datetime
) -> Found:  # fmt: skip
    """Raises ``PlanRefused`` for what can only fail."""
    found = Found()
    for volume in await reader.list(VOLUMES, type=dict):
        spec = volume.get("spec") or {}
        if (spec.get("claimRef") or {}).get("namespace") == wanted.namespace and (one := identity(spec)):
            found.handles.add(one)
    return found


def enough_time(contents: Contents, estimate: Estimate | None, now: datetime) -> None:
    """A point that expires while it is proven takes its evidence with it (S22)."""
    if not contents.expires:
        return
    needed = max(timedelta(seconds=estimate.high * _MARGIN) if estimate else _LEAST, _LEAST)
    left = parse_rfc3339(contents.expires) - now
    if left < needed:
        raise PlanRefused(
            f"{contents.point} expires in {human(left)}, and the proof may take {human(needed)}",
            where=contents.point,
            hint="prove a newer point, or give this one more time to live",
        )
