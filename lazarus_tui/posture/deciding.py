"""Which proofs still say something about their workload, however many others ended since. Pure.

A control that nobody noticed is red until a later one of its kind makes good for it, and a newer point that is no good
keeps an older one from opening a gate: neither may be forgotten because other workloads were proven meanwhile, and a
red that is remembered may not outlive the green that came after it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from datetime import UTC, datetime

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.proofs import ProofRecord, ProofView
from lazarus_tui.model.verdict import Verdict

_Key = tuple[Hashable, ...]
_NEVER = datetime.min.replace(tzinfo=UTC)


class Deciding:
    """Of the proofs of one context, added in the order in which they began: those that have to be kept. How many these
    are depends on workloads, kinds of controls and rungs, not on how often anything is proven."""

    def __init__(self) -> None:
        self._first: dict[_Key, tuple[datetime, str]] = {}  # rank and id of the one that decides
        self._points: dict[str, _Key] = {}  # the point that a proof is of, by id
        self._red: dict[_Key, dict[_Key, str]] = {}  # by point: the last that found the same thing wrong

    def add(self, found: ProofView) -> None:
        """One that has ended, and again when its record changes; what was not judged decides nothing."""
        record = found.record
        if record is None or not found.ended:
            return
        whose, ended = (found.cluster_uid, record.namespace, record.workload), _moment(found.ended)
        if record.control:
            # Whose check noticed it depends on what was looked at together.
            among = frozenset(ladder.workload for ladder in record.ladders)
            self._put(("control", *whose, record.control, record.verdict, among), ended, found.id)
            return
        begun = _moment(record.point_start)
        point = (found.cluster_uid, record.namespace, record.source, record.point, begun)
        self._points[found.id] = point
        if record.verdict in (Verdict.PASSED, Verdict.FAILED):
            self._put(("point", *whose, record.source), begun, found.id)
        for wrong in _wrong(record):
            self._put(("red", *whose, record.source, *wrong), begun, found.id)
            self._red.setdefault(point, {})[(record.workload, *wrong)] = found.id

    def ids(self) -> set[str]:
        """Those that decide something, and what was found wrong with the same points."""
        kept = {id for _, id in self._first.values()}
        points = {self._points[id] for id in kept if id in self._points}
        return kept.union(*(self._red[point].values() for point in points if point in self._red))

    def forget(self, ids: Iterable[str]) -> None:
        """They are not kept."""
        for id in ids:
            point = self._points.pop(id, None)
            red = self._red.get(point) if point is not None else None
            if point is None or red is None:
                continue
            left = {wrong: one for wrong, one in red.items() if one != id}
            if left:
                self._red[point] = left
            else:
                del self._red[point]

    def _put(self, key: _Key, rank: datetime, id: str) -> None:
        if key not in self._first or self._first[key][0] <= rank:
            self._first[key] = (rank, id)


def _wrong(record: ProofRecord) -> Iterator[tuple[str, str]]:
    """Workload and rung of what is no good about the point, also where it was not required to pass."""
    if record.verdict is Verdict.FAILED:
        yield "", ""
    for ladder in record.ladders:
        yield from ((ladder.workload, rung.name) for rung in ladder.rungs if rung.verdict is Verdict.FAILED)


def _moment(text: str) -> datetime:
    return parse_rfc3339(text) if text else _NEVER
