"""Names, labels and annotations Lazarus uses for snapshot sets and restores of StatefulSets (design.md §10)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# The operation a thing belongs to: an annotation on what stays the user's own, a label on what is Lazarus's.
OP = "lazarus.io/op"
CAPSULE = "lazarus.io/capsule"
FROZEN_UNTIL = "lazarus.io/frozen-until"  # on a capsule: when whoever froze a workload must have thawed it, if alive
CLOSED = "lazarus.io/closed"  # on a capsule: when its operation ended well

# The beacon on a workload while an operation may have changed it.
ORIGINAL_REPLICAS = "lazarus.io/original-replicas"
SINCE = "lazarus.io/since"
OWNER = "lazarus.io/owner"
FENCE = "lazarus.io/fence"
BEACON = (OP, ORIGINAL_REPLICAS, SINCE, OWNER, FENCE)

RESTORED_FROM = "lazarus.io/restored-from"  # <set>/<snapshot>, on a claim made from it
ORIGINAL_RECLAIM = "lazarus.io/original-reclaim"  # on a volume: its policy before it was made safe
KEPT_UNTIL = "lazarus.io/kept-until"  # on an old volume: until when undo is promised

# Longest name of an object, and of a label's value.
_LONGEST_NAME, _LONGEST_VALUE = 253, 63


def set_id(workload: str, at: datetime) -> str:
    """``orders-20260131-020005``: the id of a set taken at ``at``, fit for a label."""
    return shortened(workload, at.astimezone(UTC).strftime("-%Y%m%d-%H%M%S"), _LONGEST_VALUE)


def safety_id(op: str) -> str:
    """The set of cold snapshots an operation takes before it replaces volumes."""
    return f"before-{op[:8]}"


def member_name(set_name: str, claim: str) -> str:
    """The VolumeSnapshot of ``claim`` in a set."""
    return shortened(f"{set_name}-{claim}", "", _LONGEST_NAME)


def capsule_name(op: str) -> str:
    return f"lazarus-capsule-{op[:8]}"


def event_name(workload: str, op: str, reason: str) -> str:
    """The Event that tells ``reason`` about a workload: the same again for whoever goes on."""
    return shortened(f"{workload}.lazarus-{op[:8]}", f"-{reason.lower()}", _LONGEST_NAME)


def shortened(text: str, end: str, longest: int) -> str:
    """``text + end``, with the middle replaced by six hex digits of its hash when it is too long."""
    if len(text) + len(end) <= longest:
        return text + end
    mark = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{text[: longest - len(end) - 7].rstrip('-.')}-{mark}{end}"


def annotation(found: Mapping[str, Any] | None, key: str) -> str:
    """An annotation of an object as the API sends it; "" when it has none."""
    if not found:
        return ""
    value = ((found.get("metadata") or {}).get("annotations") or {}).get(key)
    return value if isinstance(value, str) else ""
