"""Snapshot sets: all volumes of all replicas of one StatefulSet, cut together under one id.

Every member carries the whole list of claims that belong to the set, so a member that is missing is known as missing
even when its object is gone. Sets are read from the cluster alone; no catalogue beside it can go stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import msgspec

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.snapshots import (
    RETAIN,
    Content,
    Snapshot,
    SnapshotState,
    cut_at,
    restore_size,
    state,
    unbound,
)

# On every member; the values of SET and WORKLOAD are label values (at most 63 characters).
SET_LABEL = "lazarus.io/set"
WORKLOAD_LABEL = "lazarus.io/workload"
ROLE_LABEL = "lazarus.io/role"
SCHEDULE_LABEL = "lazarus.io/snapshot-schedule"
# JSON: {"workload", "replicas", "claims": [names], "method": "group" | "each", "consistency": {claim: word}}
ABOUT = "lazarus.io/set-about"
HOLD = "lazarus.io/legal-hold"  # why the set may not be removed; absent: no hold
BACKUP_ROLE, SAFETY_ROLE = "backup", "pre-restore"


class SetAbout(msgspec.Struct, frozen=True, omit_defaults=True):
    """What every member knows of its whole set. ``consistency`` by claim: application; crash; skewed (of several
    moments, and not held still); unknown (a hook failed)."""

    workload: str = ""
    replicas: int = 0
    claims: tuple[str, ...] = ()
    method: str = "each"
    consistency: dict[str, str] = {}

    def text(self) -> str:
        return msgspec.json.encode(self, order="sorted").decode()


class SetState(StrEnum):
    """``INCOMPLETE``: a member is missing or lost; it can never become a restore point."""

    TAKING = "taking"
    READY = "ready"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class Member:
    """One snapshot of a set with its content."""

    claim: str
    snapshot: Snapshot
    content: Content | None = None

    @property
    def state(self) -> SnapshotState:
        return state(self.snapshot)

    @property
    def handle(self) -> str:
        """The snapshot's id on storage; "" while it is not known."""
        return self.content.status.snapshot_handle if self.content else ""

    @property
    def retained(self) -> bool:
        """Whether deleting the namespace leaves the data on storage."""
        return self.content is not None and self.content.spec.deletion_policy == RETAIN

    @property
    def trouble(self) -> str:
        """Why it cannot be used, in words; "" when it can."""
        found = self.state
        if found is SnapshotState.DELETING:
            return "is being deleted"
        if found is SnapshotState.ERROR:
            error = self.snapshot.status.error
            return error.message if error else "failed"
        if found is not SnapshotState.READY:
            return "is not ready yet"
        if why := unbound(self.snapshot, self.content):
            return why
        if self.content is not None and self.content.metadata.deletion_timestamp:
            return "its content is being deleted"
        return ""


@dataclass(frozen=True, slots=True)
class SnapshotSet:
    """One recovery point of a StatefulSet."""

    id: str
    namespace: str
    about: SetAbout
    role: str = BACKUP_ROLE
    schedule: str = ""
    hold: str = ""
    members: Mapping[str, Member] = field(default_factory=dict)  # by claim

    @property
    def missing(self) -> tuple[str, ...]:
        """Claims of the set without a snapshot."""
        return tuple(claim for claim in self.about.claims if claim not in self.members)

    @property
    def troubles(self) -> tuple[str, ...]:
        """Everything that keeps the set from being used, one sentence each."""
        absent = [f"{claim} has no snapshot" for claim in self.missing]
        broken = [f"{claim}: {member.trouble}" for claim, member in sorted(self.members.items()) if member.trouble]
        return (*absent, *broken)

    @property
    def usable(self) -> bool:
        """Complete, ready and bound both ways, and nothing of it is being deleted."""
        return bool(self.about.claims) and not self.troubles

    @property
    def state(self) -> SetState:
        states = {member.state for member in self.members.values()}
        if SnapshotState.DELETING in states:
            return SetState.DELETING
        if self.usable:
            return SetState.READY
        if self.missing:
            return SetState.INCOMPLETE
        if states & {SnapshotState.PENDING, SnapshotState.CUT}:
            return SetState.TAKING
        return SetState.FAILED if SnapshotState.ERROR in states else SetState.INCOMPLETE

    @property
    def cuts(self) -> tuple[datetime, ...]:
        """The instants of the cuts, oldest first, as far as known."""
        return tuple(sorted(cut for member in self.members.values() if (cut := cut_at(member.snapshot))))

    @property
    def taken(self) -> datetime | None:
        """The moment the set stands for: its oldest cut (reference: data §8.3)."""
        return self.cuts[0] if self.cuts else None

    @property
    def skew(self) -> float | None:
        """Seconds between the first cut and the last; None unless every member is cut."""
        cuts = self.cuts
        return (cuts[-1] - cuts[0]).total_seconds() if cuts and len(cuts) == len(self.about.claims) else None

    @property
    def size(self) -> int | None:
        """Bytes needed to restore all of it; None when a member does not say."""
        sizes = [restore_size(member.snapshot) for member in self.members.values()]
        return sum(size or 0 for size in sizes) if sizes and None not in sizes else None

    @property
    def consistency(self) -> str:
        """The weakest word among the volumes: unknown, skewed, crash, application."""
        words = set(self.about.consistency.values()) or {"crash"}
        return next((word for word in ("unknown", "skewed", "crash", "application") if word in words), "unknown")

    def describe(self) -> str:
        """``orders-20260131-0200 (READY, 2 volumes, cut 2026-01-31T02:00:05Z)``."""
        when = rfc3339(self.taken) if self.taken else "not cut yet"
        return f"{self.id} ({self.state.upper()}, {len(self.members)}/{len(self.about.claims)} volumes, {when})"


def about_of(snapshot: Snapshot) -> SetAbout | None:
    """What a member says of its set; None when it says nothing that can be read."""
    text = (snapshot.metadata.annotations or {}).get(ABOUT, "")
    try:
        return msgspec.json.decode(text, type=SetAbout)
    except msgspec.DecodeError:
        return None


def claim_of(snapshot: Snapshot) -> str:
    """The claim a member is of; aliases of another namespace name it in an annotation."""
    return snapshot.spec.source.persistent_volume_claim_name or (snapshot.metadata.annotations or {}).get(
        "lazarus.io/claim", ""
    )


def sets(snapshots: Iterable[Snapshot], contents: Iterable[Content]) -> list[SnapshotSet]:
    """All sets among ``snapshots``, newest first; those that are not cut yet come before all."""
    by_name = {content.metadata.name: content for content in contents}
    gathered: dict[tuple[str, str], list[Snapshot]] = {}
    for snapshot in snapshots:
        if found := snapshot.metadata.label(SET_LABEL):
            gathered.setdefault((snapshot.metadata.namespace, found), []).append(snapshot)
    made = [_set(namespace, name, members, by_name) for (namespace, name), members in gathered.items()]
    return sorted(
        made,
        key=lambda found: (found.taken is None, rfc3339(found.taken, micro=True) if found.taken else "", found.id),
        reverse=True,
    )


def _set(namespace: str, name: str, found: list[Snapshot], contents: Mapping[str, Content]) -> SnapshotSet:
    first = min(found, key=lambda snapshot: snapshot.metadata.name)
    abouts = [about for snapshot in found if (about := about_of(snapshot))]
    members = {
        claim_of(snapshot): Member(
            claim_of(snapshot), snapshot, contents.get(snapshot.status.bound_volume_snapshot_content_name)
        )
        for snapshot in found
    }
    holds = [(snapshot.metadata.annotations or {}).get(HOLD, "") for snapshot in found]
    return SnapshotSet(
        id=name,
        namespace=namespace,
        about=abouts[0] if abouts else SetAbout(claims=tuple(sorted(members))),
        role=first.metadata.label(ROLE_LABEL) or BACKUP_ROLE,
        schedule=first.metadata.label(SCHEDULE_LABEL),
        hold=next(filter(None, holds), ""),
        members=members,
    )
