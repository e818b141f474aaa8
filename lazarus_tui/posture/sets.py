"""Snapshot sets as recovery points of a StatefulSet, beside the backups of the same workload.

A set holds its volumes alone, on the same storage and in the same cluster: it is judged by what it is, and the rule of
the newest usable point (requirements.md, Rule L) decides between both kinds by their start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.points import Choice
from lazarus_tui.model.scope import Wanted
from lazarus_tui.model.sets import BACKUP_ROLE, SetState, SnapshotSet
from lazarus_tui.model.topics import PointView
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.posture.proofs import Proof

KIND = "snapshots"


def of(found: Iterable[SnapshotSet], wanted: Wanted, proofs: Sequence[Proof]) -> list[PointView]:
    """The sets of one workload, newest first. ``proofs`` of it, newest first."""
    name = f"{wanted.kind}/{wanted.name}"
    own = [
        one
        for one in found
        if one.namespace == wanted.namespace and one.about.workload == name and one.role == BACKUP_ROLE
    ]
    return sorted(
        (_point(one, wanted, proofs) for one in own), key=lambda point: (point.start, point.name), reverse=True
    )


def _point(one: SnapshotSet, wanted: Wanted, proofs: Sequence[Proof]) -> PointView:
    """Not usable: a volume is missing or broken. Unknown: it is still being taken."""
    left_out = [f"claim {claim} is not in the set" for claim in wanted.claims if claim not in one.about.claims]
    against = (*one.troubles, *left_out)
    start = rfc3339(one.taken) if one.taken else ""
    proof = next((proof for proof in proofs if proof.of(KIND, one.id, start)), None)
    return PointView(
        name=one.id,
        kind=KIND,
        start=start,
        usable=None if one.state is SetState.TAKING else one.usable and not left_out,
        reasons=against,
        schedule=one.schedule,
        proven=proof.verdict if proof else Verdict.NOT_TESTED,
        proven_at=proof.at if proof else "",
    )


def merged(choice: Choice, found: Sequence[PointView]) -> Choice:
    """The newer of a choice among backups and the newest usable set; what is newer than it was passed over."""
    best = next((point for point in found if point.usable), None)
    newest = max((point for point in (choice.point, best) if point), key=lambda point: point.start, default=None)
    passed = [point for point in (*choice.passed, *found) if newest is None or point.start > newest.start]
    return Choice(choice.rule, newest, tuple(sorted(passed, key=lambda point: point.start, reverse=True)))


def newer_proven(proven: PointView | None, found: Sequence[PointView]) -> PointView | None:
    """The newer of the newest proven backup and the newest proven set."""
    best = next((point for point in found if point.usable and point.proven is Verdict.PASSED), None)
    return max((point for point in (proven, best) if point), key=lambda point: point.start, default=None)
