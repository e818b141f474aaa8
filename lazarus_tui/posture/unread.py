"""Which volume lists would tell more: those of the newest points that nothing but an unread list speaks against."""

from __future__ import annotations

from collections.abc import Iterable

from lazarus_tui.model.topics import PointView, WorkloadRow
from lazarus_tui.model.volumes import UNREAD


def worth_reading(rows: Iterable[WorkloadRow]) -> list[str]:
    """Backup names, one per workload at most: its newest point whose volumes are not known. The newest come first.

    Reading them one by one ends at the first usable point, so that a long history is never fetched as a whole.
    """
    found: dict[str, str] = {}
    for row in rows:
        first = next((point for point in row.skipped if _only_unread(point)), None)
        if first is not None:
            found[first.name] = first.start
    return sorted(found, key=lambda name: (found[name], name), reverse=True)


def _only_unread(point: PointView) -> bool:
    return point.usable is None and bool(point.reasons) and all(reason.endswith(UNREAD) for reason in point.reasons)
