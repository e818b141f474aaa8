"""Quarantines that stand in a cluster: whose they are, and which of them may go (requirements.md S20).

One may go when this journal knows its proof to have ended and its time is over. Everything else is told, not touched: a
proof that another engine runs looks exactly like one that was forgotten.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.durations import human
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.resources import NAMESPACES, VOLUMES, Resource
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.topics import Finding
from lazarus_tui.prove.quarantine import census, names

Find = Callable[[str], Awaitable[Sequence[Operation]]]  # operations of the journal by the begin of their id


class State(StrEnum):
    USED = "used"  # its proof is under way or parked
    KEPT = "kept"  # ended, and to be looked at until its time is over
    DUE = "due"  # ended, and its time is over
    ORPHAN = "orphan"  # of a proof that this journal does not know


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of one proof. ``age`` in seconds; ``until`` None when its label says nothing usable."""

    op: str
    kind: str
    name: str
    age: float
    until: datetime | None
    state: State
    going: bool = False

    @property
    def finding(self) -> Finding:
        """What a person should know of it; info where all is as it should be."""
        what = f"{self.kind} {self.name} of proof {self.op[:8]} is {human(self.age)} old"
        match self.state:
            case State.USED:
                return Finding("info", f"{what}: its proof is under way")
            case State.KEPT:
                return Finding(
                    "info", f"{what}: kept until {rfc3339(self.until) if self.until else 'its time is over'}"
                )
            case State.DUE if self.going:
                hint = f"kubectl get {self.kind.lower()} {self.name} -o yaml shows its finalizers"
                return Finding("warning", f"{what}, was deleted, and does not go", hint)
            case State.DUE:
                hint = "Lazarus removes it when it may write in this context"
                return Finding("warning", f"{what}: its proof has ended and its time is over", hint)
        hint = f"another Lazarus may be at it; if none is: kubectl delete {self.kind.lower()} {self.name}"
        return Finding("warning", f"{what}: this journal does not know its proof", hint)


async def standing(reader: Reader, now: datetime, find: Find) -> list[Standing]:
    """Everything that stands, by proof; volumes that may not be listed keep no namespace from being found. Raises
    ``KubeError``."""
    spaces = await census.listed(reader, NAMESPACES, None, f"{names.QUARANTINE}=true")
    try:
        volumes = await census.listed(reader, VOLUMES, None, names.OPERATION)
    except Forbidden:
        volumes = []
    owned = {names.label(one, names.OPERATION) for one in spaces}
    alone = [one for one in volumes if names.label(one, names.OPERATION) not in owned]
    found = [(NAMESPACES, one) for one in spaces] + [(VOLUMES, one) for one in alone]
    return [await _judged(resource, one, now, find) for resource, one in found]


async def _judged(resource: Resource, found: dict[str, Any], now: datetime, find: Find) -> Standing:
    op, meta = names.label(found, names.OPERATION), found["metadata"]
    until = names.moment(names.label(found, names.EXPIRES))
    made = meta.get("creationTimestamp")
    known = next((one for one in await find(op) if one.id == op), None) if op else None
    if known is None:
        state = State.ORPHAN
    elif known.state.open:
        state = State.USED
    else:
        state = State.KEPT if until is not None and until > now else State.DUE
    age = max(0.0, (now - parse_rfc3339(made)).total_seconds()) if made else 0.0
    return Standing(op, resource.kind, meta["name"], age, until, state, bool(meta.get("deletionTimestamp")))
