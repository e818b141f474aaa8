"""Who would scale a StatefulSet up again while it is at 0, and how each can be held (reference: data §2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.steps import Reader


async def find_fighters(reader: Reader, workload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry each: ``words``; ``refuse`` with ``hint`` where nothing may be held; ``only_warn``; or ``group``,
    ``version``, ``plural``, ``kind``, ``namespace``, ``name``, ``uid`` of the object to patch, and the merge patches
    ``hold`` and ``release``."""
    found: list[dict[str, Any]] = []
    for owner in (workload.get("metadata") or {}).get("ownerReferences") or ():
        if owner.get("controller"):
            who = f"{owner.get('kind')} {owner.get('name')}"
            hint = "use the operator's own restore, or restore beside it"
            found.append({"words": f"{who} owns it and would put it back", "refuse": True, "hint": hint})
    return found
