"""What planners read a cluster through: the cluster itself, and what Velero keeps of its backups in object storage."""

from __future__ import annotations

from lazarus_tui.engine.artefacts import Artefacts, Where
from lazarus_tui.engine.errors import Refused
from lazarus_tui.kube.cluster import Cluster


class PlanningReader(Cluster):
    """The same connection with ``artefact`` (``model.steps.ArtefactReader``); it belongs to whoever opened it."""

    def __init__(self, where: Where, artefacts: Artefacts) -> None:
        inner = where.cluster
        super().__init__(inner.transport, inner.context, inner.clock, policy=inner.policy, rng=inner.rng)
        self._where, self._artefacts = where, artefacts

    async def artefact(self, velero: str, kind: str, name: str) -> bytes:
        """Raises ``Refused`` where it cannot be fetched: on a read-only context nothing is asked for at all."""
        if velero != self._where.velero:
            raise Refused(f"this context works with the Velero in {self._where.velero}, not the one in {velero}")
        return await self._artefacts.raw(self._where, kind, name)
