"""What planners that are composed of others' plans are handed beside the cluster (see ``model.steps.Reader``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from lazarus_tui.model.plan import Params, Plan
from lazarus_tui.model.verdict import Verdict


@runtime_checkable
class PlanMaker(Protocol):
    """A Reader that can have another subject's plan made, so that a composed plan holds exactly what that one says."""

    async def make(self, kind: str, params: Params) -> Plan:
        """The plan of ``kind``; raises as its planner does."""
        ...


@runtime_checkable
class ProofReader(Protocol):
    """A Reader that knows which points were proven."""

    def proofs(
        self, namespace: str, workload: str, source: str, begun: Mapping[str, str]
    ) -> Mapping[str, tuple[Verdict, str]]:  # fmt: skip
        """The newest verdict about ``Kind/name`` ("": all of the namespace) of exactly these points of a source, with
        its time (RFC 3339), by the point's name. ``begun``: when each began (RFC 3339, "" if not known), by its name,
        which may have been another point's before."""
        ...

    def took(self, namespace: str) -> Sequence[float]:
        """Seconds that the green proofs of a namespace took from their start to their end, newest first."""
        ...


@runtime_checkable
class UnbrokenReader(Protocol):
    """A Reader that knows how a point stands for one workload."""

    def unbroken(self, namespace: str, workload: str, source: str, point: str, start: str) -> tuple[Verdict, str]:
        """The newest verdict of exactly this point about ``Kind/name``, "" for all of the namespace, with its time; a
        copy that was broken on purpose gives none. NOT_TESTED and "" where there is none."""
        ...
