"""What the subject packages contribute to this engine: operation types, the Overview's rows, previews."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui import drill, posture, prove, velero
from lazarus_tui.engine.mirror import Sight
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.steps import OperationType
from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.velero.preview import preview_backup


def operation_types() -> Iterable[OperationType]:
    """Every kind of operation this engine can plan and run."""
    return (*velero.OPERATIONS, *prove.OPERATIONS, *drill.OPERATIONS)


def overview(sight: Sight, operations: Iterable[Operation]) -> Iterable[WorkloadRow]:
    """One row per workload; ``operations`` are those of this context."""
    backups_of = ("podvolumebackups/", "datauploads/")
    return posture.workload_rows(
        workloads=sight.workloads,
        claims=sight.claims,
        backups=sight.backups,
        schedules=sight.schedules,
        locations=sight.locations,
        copies=[copy for key, copy in sight.copies.items() if key.startswith(backups_of)],
        proofs=posture.proofs_of(operations),
        now=sight.now,
        rule=sight.rule,
        leave_out=frozenset({sight.velero}),
    )


async def preview(cluster: Cluster, params: Mapping[str, Any]) -> Any:
    """What a backup with these parameters would hold."""
    return await preview_backup(cluster, params, cluster.clock)
