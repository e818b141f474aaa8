"""Which points were really restored and checked, from the operations of this engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lazarus_tui.model.operation import Operation
from lazarus_tui.model.verdict import Verdict

_PROVING = frozenset({"velero.restore", "rehearse", "prove.run"})


@dataclass(frozen=True, slots=True)
class Proof:
    """One restore with a verdict. ``namespaces`` are those the data came from; ``at`` is RFC 3339."""

    backup: str
    namespaces: tuple[str, ...]
    verdict: Verdict
    at: str
    rta_seconds: float | None = None


def proofs_of(operations: Iterable[Operation]) -> list[Proof]:
    """Proofs among the operations of one context, newest first. Without a verdict nothing is proven."""
    found = []
    for operation in operations:
        facts = operation.facts
        backup = str(facts.get("restore.backup") or facts.get("point.name") or "")
        judged = operation.verdict is not Verdict.NOT_TESTED and bool(operation.ended)
        if operation.kind not in _PROVING or not judged or not backup:
            continue
        sources = facts.get("restore.sources") or [operation.target]
        rta = operation.figures.rta_seconds if operation.figures else None
        found.append(Proof(backup, tuple(map(str, sources)), operation.verdict, operation.ended, rta))
    return sorted(found, key=lambda proof: proof.at, reverse=True)
