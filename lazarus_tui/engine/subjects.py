"""What the subject packages contribute to this engine: operation types, the Overview's rows, previews."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui import drill, posture, prove, snapshots, velero
from lazarus_tui.engine.mirror import Sight
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.sets import sets
from lazarus_tui.model.steps import OperationType
from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.model.volumes import UNREAD, VolumeInfo
from lazarus_tui.prove.quarantine import names
from lazarus_tui.velero.preview import preview_backup


def operation_types() -> Iterable[OperationType]:
    """Every kind of operation this engine can plan and run."""
    return (*velero.OPERATIONS, *snapshots.OPERATIONS, *prove.OPERATIONS, *drill.OPERATIONS)


@dataclass(frozen=True)
class Held:
    """What volume lists said, by backup name: their entries, why some could not be read, why the rest was not."""

    infos: Mapping[str, Sequence[VolumeInfo]] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    unread: str = UNREAD


def overview(sight: Sight, operations: Iterable[Operation | ProofView], held: Held) -> Iterable[WorkloadRow]:
    """One row per workload; ``operations`` are those of this context. Copies in quarantines are nobody's to lose."""
    backups_of = ("podvolumebackups/", "datauploads/")
    spaces = {each.metadata.namespace for each in sight.workloads}
    return posture.workload_rows(
        workloads=sight.workloads,
        claims=sight.claims,
        backups=sight.backups,
        schedules=sight.schedules,
        locations=sight.locations,
        volume_infos=held.infos,
        failures=held.failures,
        unread=held.unread,
        copies=[copy for key, copy in sight.copies.items() if key.startswith(backups_of)],
        proofs=posture.proofs_of(operations),
        sets=sets(sight.snapshots, sight.contents),
        now=sight.now,
        rule=sight.rule,
        unlisted=sight.unlisted,
        leave_out=frozenset({sight.velero, *filter(names.is_name, spaces)}),
    )


def verdicts(
    operations: Iterable[Operation | ProofView], namespace: str, workload: str, source: str, begun: Mapping[str, str]
) -> dict[str, tuple[Verdict, str]]:
    """The newest verdict about a workload, "" for the worst of its namespace, of exactly the points that ``begun``
    names with their starts; with its time, by the point's name."""
    found: dict[str, tuple[Verdict, str]] = {}
    for proof in posture.proofs_of(operations):
        told = proof.about(namespace, workload) if workload else namespace in proof.namespaces
        if told and proof.backup in begun and proof.of(source, proof.backup, begun[proof.backup]):
            found.setdefault(proof.backup, (proof.verdict, proof.at))
    return found


def unbroken(
    operations: Iterable[Operation | ProofView], namespace: str, workload: str, source: str, point: str, start: str
) -> tuple[Verdict, str]:
    """The newest verdict of exactly this point about a workload, "" for the worst of its namespace; with its time."""
    found = verdicts(operations, namespace, workload, source, {point: start})
    return found.get(point, (Verdict.NOT_TESTED, ""))


def took(operations: Iterable[Operation | ProofView], namespace: str) -> list[float]:
    """Seconds that green proofs of a namespace took, newest first. A copy broken on purpose is no measure."""
    views = [one for one in operations if isinstance(one, ProofView)]
    green = [
        one
        for one in views
        if one.here
        and one.about.namespace == namespace
        and one.verdict is Verdict.PASSED
        and one.ended
        and not one.about.control
    ]
    newest = sorted(green, key=lambda one: one.ended, reverse=True)
    return [(parse_rfc3339(one.ended) - parse_rfc3339(one.started)).total_seconds() for one in newest]


def lists_worth_reading(rows: Iterable[WorkloadRow]) -> list[str]:
    """Backups whose volume lists would tell more than is known."""
    return posture.worth_reading(rows)


async def preview(cluster: Cluster, params: Mapping[str, Any]) -> Any:
    """What a backup with these parameters would hold."""
    return await preview_backup(cluster, params, cluster.clock)
