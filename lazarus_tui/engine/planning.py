"""What planners read a cluster through: the cluster itself, what Velero keeps in object storage, and each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lazarus_tui.engine.artefacts import Artefacts, Where
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.registry import Registry
from lazarus_tui.engine.subjects import took, unbroken, verdicts
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Params, Plan
from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.verdict import Verdict


class PlanningReader(Cluster):
    """The same connection with ``artefact`` (``model.steps.ArtefactReader``), ``make`` (``model.planning.PlanMaker``)
    and ``proofs`` (``ProofReader``, ``UnbrokenReader``, from ``operations`` of this context); it belongs to whoever
    opened it."""

    def __init__(
        self, where: Where, artefacts: Artefacts, registry: Registry, operations: Iterable[Operation | ProofView] = ()
    ) -> None:
        inner = where.cluster
        super().__init__(inner.transport, inner.context, inner.clock, policy=inner.policy, rng=inner.rng)
        self._where, self._artefacts, self._registry, self._operations = where, artefacts, registry, operations

    async def make(self, kind: str, params: Params) -> Plan:
        """The plan of another kind, made from the same cluster; raises as that planner does."""
        return await self._registry.plan(kind, self, params, self.clock)

    def proofs(
        self, namespace: str, workload: str, source: str, begun: Mapping[str, str]
    ) -> Mapping[str, tuple[Verdict, str]]:  # fmt: skip
        """The newest verdict of each of these points for the workload, with its time."""
        return verdicts(self._operations, namespace, workload, source, begun)

    def took(self, namespace: str) -> Sequence[float]:
        """Seconds of the namespace's green proofs, newest first."""
        return took(self._operations, namespace)

    def unbroken(self, namespace: str, workload: str, source: str, point: str, start: str) -> tuple[Verdict, str]:
        """How the newest proof of the point ended for the workload, with its time."""
        return unbroken(self._operations, namespace, workload, source, point, start)

    async def artefact(self, velero: str, kind: str, name: str) -> bytes:
        """Raises ``Refused`` where it cannot be fetched: on a read-only context nothing is asked for at all."""
        if velero != self._where.velero:
            raise Refused(f"this context works with the Velero in {self._where.velero}, not the one in {velero}")
        return await self._artefacts.raw(self._where, kind, name)
