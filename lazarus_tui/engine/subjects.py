"""What the subject packages contribute to this engine: operation types, the Overview's rows, previews."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui import drill, prove, velero
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.mirror import Sight
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.steps import OperationType
from lazarus_tui.model.topics import WorkloadRow


def operation_types() -> Iterable[OperationType]:
    """Every kind of operation this engine can plan and run."""
    return (*velero.OPERATIONS, *prove.OPERATIONS, *drill.OPERATIONS)


def overview(sight: Sight, operations: Iterable[Operation]) -> Iterable[WorkloadRow]:
    """One row per workload."""
    for workload in sight.workloads:
        meta = workload.metadata
        yield WorkloadRow(
            namespace=meta.namespace,
            kind=workload.kind,
            name=meta.name,
            ready=workload.status.ready_replicas,
            desired=workload.desired,
            claims=workload.claims(),
        )


async def preview(cluster: Cluster, params: Mapping[str, Any]) -> Any:
    """What a backup with these parameters would hold."""
    raise Refused("previews are not available")
