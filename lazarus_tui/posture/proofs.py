"""Which points were really restored and checked, from the operations of this engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lazarus_tui.model.clock import moment, parse_rfc3339
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.verdict import Verdict

VELERO = "velero"
_RESTORING = frozenset({"velero.restore", "rehearse"})
# Of one operation the worst comes first, so that whoever wants one answer takes the one that promises least.
_WORST_FIRST = (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.NOT_TESTED, Verdict.PASSED)


@dataclass(frozen=True, slots=True)
class Proof:
    """One restore with a verdict. ``namespaces`` are those the data came from; ``at`` is RFC 3339.

    ``workload`` is ``Kind/name`` where the verdict is about that one alone, "" where it is about all of the namespace;
    ``reached`` the rung up to which everything passed, "" where no ladder was climbed. ``start``: when the point began
    (RFC 3339), "" where that was not recorded; ``source``: which kind of point it is.
    """

    backup: str
    namespaces: tuple[str, ...]
    verdict: Verdict
    at: str
    rta_seconds: float | None = None
    workload: str = ""
    reached: str = ""
    start: str = ""
    source: str = VELERO

    def about(self, namespace: str, workload: str) -> bool:
        """Whether it says something about ``Kind/name`` of a namespace."""
        return namespace in self.namespaces and self.workload in ("", workload)

    def of(self, source: str, point: str, start: str) -> bool:
        """Whether it is of the point of this name that began then (RFC 3339): a name may be given again. Nothing that
        ended before is."""
        if (self.source, self.backup) != (source, point):
            return False
        if not self.start or not start:
            known = bool(moment(self.at) and moment(start))
            return not known or parse_rfc3339(self.at) >= parse_rfc3339(start)
        return bool(moment(self.start) and moment(start)) and parse_rfc3339(self.start) == parse_rfc3339(start)


def proofs_of(told: Iterable[Operation | ProofView]) -> list[Proof]:
    """Proofs of one context, newest first. Without a verdict nothing is proven, and a green of another cluster, or of
    one that nobody knows, says nothing about this one.

    ``told``: proofs as their views, and the operations of the cluster that the context leads to now.
    """
    found: list[Proof] = []
    views: list[ProofView] = []
    for operation in told:
        if isinstance(operation, ProofView):
            views += [operation] if operation.here else []
        elif operation.ended and operation.kind in _RESTORING and operation.verdict is not Verdict.NOT_TESTED:
            found += _restored(operation)
    blind = _unnoticed(views)
    found += [proof for seen in views for proof in _proven(seen, blind)]
    found.sort(key=lambda proof: _WORST_FIRST.index(proof.verdict))
    return sorted(found, key=lambda proof: proof.at, reverse=True)


def newest_judged(proofs: Sequence[Proof], begun: Mapping[str, str]) -> Proof | None:
    """Of proofs newest first the first one of the newest point: that an older point passed or failed since does not
    hide how the newest one stands. ``begun``: when backups began, by their names."""

    def start(proof: Proof) -> datetime:
        return parse_rfc3339(moment(proof.start) or moment(begun.get(proof.backup) or "") or proof.at)

    return max(proofs, key=start, default=None)


def _restored(operation: Operation) -> Iterator[Proof]:
    facts = operation.facts
    backup = str(facts.get("restore.backup") or facts.get("point.name") or "")
    if backup:
        sources = facts.get("restore.sources") or [operation.target]
        yield Proof(backup, tuple(map(str, sources)), operation.verdict, operation.ended, _rta(operation))


def _unnoticed(views: Iterable[ProofView]) -> frozenset[str]:
    """Workloads whose newest control of a kind that came to something stayed green: no green of their checks counts.
    That of a workload alone is not made good by one of several, of which another one may have been noticed."""
    last: dict[tuple[str, str, bool], Verdict] = {}
    for seen in sorted(views, key=lambda one: one.ended):
        record = seen.record
        if record is not None and record.control and record.verdict in (Verdict.PASSED, Verdict.FAILED) and seen.ended:
            for ladder in record.ladders:
                alone = len(record.ladders) == 1 or ladder.workload == f"{record.namespace}/{record.workload}"
                last[(ladder.workload, record.control, alone)] = record.verdict
                if alone and record.verdict is Verdict.PASSED:
                    last.pop((ladder.workload, record.control, False), None)
    return frozenset(workload for (workload, _, _), verdict in last.items() if verdict is Verdict.FAILED)


def _proven(seen: ProofView, blind: frozenset[str]) -> Iterator[Proof]:
    """One per ladder, by its own rungs. A copy that was broken on purpose says nothing about the point.

    What passed is INCONCLUSIVE for a workload among ``blind``.
    """
    record = seen.record
    if record is None or not record.proves or not seen.ended:
        return
    for ladder in record.ladders:
        verdict = record.verdict_of(ladder)
        if verdict is Verdict.PASSED and ladder.workload in blind:
            verdict = Verdict.INCONCLUSIVE
        workload = ladder.workload.removeprefix(record.namespace).removeprefix("/")
        yield Proof(
            record.point, (record.namespace,), verdict, seen.ended, seen.rta_seconds,
            workload, ladder.reached, record.point_start, record.source,
        )  # fmt: skip


def _rta(operation: Operation) -> float | None:
    return operation.figures.rta_seconds if operation.figures else None
