"""Which point a gate is about: the newest one that could be restored, as ``lazarus prove run`` would take it. Pure.

A point of which it is not known whether it is usable counts as the newest one: that nobody could look at it is no
reason to be content with an older one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lazarus_tui.model.clock import moment, parse_rfc3339
from lazarus_tui.model.scope import Wanted
from lazarus_tui.model.sets import SnapshotSet
from lazarus_tui.model.topics import PointView, WorkloadRow
from lazarus_tui.posture import sets as set_points
from lazarus_tui.posture.proofs import VELERO

_MOST = 3  # points that are told of as passed over


def of_backups(rows: Iterable[WorkloadRow], namespace: str, workload: str) -> PointView | None:
    """The newest backup of ``Kind/name``, or of the whole namespace: then none that lacks a part of it."""
    own = [row for row in rows if row.namespace == namespace and workload in ("", f"{row.kind}/{row.name}")]
    lacking = {one.name for row in own for one in row.skipped if one.kind == VELERO and one.usable is False}
    found = [
        one
        for row in own
        for one in (row.newest, row.backed_up, *row.skipped)
        if one is not None
        and one.kind == VELERO
        and one.usable is not False
        and moment(one.start)
        and one.name not in lacking
    ]
    return max(found, key=lambda one: parse_rfc3339(one.start), default=None)


def passed_over(
    rows: Iterable[WorkloadRow], namespace: str, workload: str, point: PointView | None
) -> tuple[str, ...]:  # fmt: skip
    """The backups that are newer than ``point`` and are known not to be usable, newest first, each with the reason."""
    own = [row for row in rows if row.namespace == namespace and workload in ("", f"{row.kind}/{row.name}")]
    newer = {
        one.name: one
        for row in own
        for one in row.skipped
        if one.kind == VELERO and one.usable is False and (point is None or one.start > point.start)
    }
    ordered = sorted(newer.values(), key=lambda one: one.start, reverse=True)
    return tuple(f"{one.name}: {'; '.join(one.reasons)}" for one in ordered[:_MOST])


def of_sets(
    found: Iterable[SnapshotSet], rows: Iterable[WorkloadRow], namespace: str, workload: str
) -> PointView | None:
    """The newest snapshot set of a StatefulSet."""
    for row in rows:
        if row.namespace == namespace and workload == f"{row.kind}/{row.name}":
            points: Sequence[PointView] = set_points.of(found, Wanted(namespace, row.kind, row.name, row.claims), ())
            return next((one for one in points if one.usable is not False and one.start), None)
    return None
