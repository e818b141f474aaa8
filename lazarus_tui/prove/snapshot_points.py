"""Snapshot sets as a ``Source`` of points: the data from the set, the objects from the live namespace."""

from __future__ import annotations

from collections.abc import Sequence

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.topics import PointView
from lazarus_tui.prove.points import Contents


class SnapshotPoints:
    kind = "snapshots"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def points(self, namespace: str, workload: str, *, sure: int) -> Sequence[PointView]:
        raise PlanRefused("snapshot sets are not proven yet", where="source")

    async def contents(self, point: str, namespace: str, workload: str) -> Contents:
        raise PlanRefused("snapshot sets are not proven yet", where="source")
