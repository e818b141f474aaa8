"""The Overview's rows, computed from what the engine last saw. Pure: everything it needs is handed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.objects import Backup, Claim, Location, Schedule, VolumeCopy, Workload
from lazarus_tui.model.points import Known, latest_proven, newest_first, newest_usable, views
from lazarus_tui.model.resources import CLAIMS
from lazarus_tui.model.schedules import covers, next_run
from lazarus_tui.model.scope import Wanted
from lazarus_tui.model.sets import SnapshotSet
from lazarus_tui.model.topics import PointView, WorkloadRow
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.model.volumes import UNREAD, VolumeInfo
from lazarus_tui.posture import sets as set_points
from lazarus_tui.posture.coverage import coverages
from lazarus_tui.posture.findings import findings
from lazarus_tui.posture.ordered import Ordered
from lazarus_tui.posture.proofs import VELERO, Proof, newest_judged

# Namespaces that make up the cluster itself; Velero's own is left out as well.
SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease"})
_PROVEN_DEPTH = 2000  # points looked through for the newest proven one


def workload_rows(
    *,
    workloads: Iterable[Workload],
    claims: Iterable[Claim],
    backups: Iterable[Backup],
    schedules: Sequence[Schedule],
    locations: Iterable[Location] | None,
    copies: Iterable[VolumeCopy],
    volume_infos: Mapping[str, Sequence[VolumeInfo]] | None = None,
    failures: Mapping[str, str] | None = None,
    unread: str = UNREAD,
    proofs: Sequence[Proof] = (),
    sets: Sequence[SnapshotSet] = (),
    now: datetime,
    rule: str = "velero",
    leave_out: frozenset[str] = frozenset({"velero"}),
    unlisted: frozenset[str] = frozenset(),
) -> list[WorkloadRow]:
    """One row per StatefulSet and Deployment, by namespace and name.

    ``locations`` None: they could not be read. ``volume_infos`` by backup name, as far as they were fetched;
    ``failures`` why some could not be, ``unread`` why the rest was not; ``proofs`` newest first; ``sets`` of snapshots
    are points too; ``rule`` is how the server reads cron lines; ``leave_out`` names namespaces without rows;
    ``unlisted`` which of backups, schedules and claims could not be listed: then a workload has what it promises.
    """
    held = coverages(copies, volume_infos or {}, failures, unread)
    places = None if locations is None else {place.metadata.name: place for place in locations}
    ordered = newest_first(backups)
    there = {(c.metadata.namespace, c.metadata.name) for c in claims}
    existing = None if CLAIMS.plural in unlisted else there
    by_namespace = Ordered(ordered)
    sound: dict[str, bool] = {}
    begun = {backup.metadata.name: backup.status.start_timestamp or "" for backup in ordered}
    rows = []
    for workload in workloads:
        space = workload.metadata.namespace
        if space in SYSTEM or space in leave_out or workload.metadata.owner_references:
            continue
        wanted = _wanted(workload, existing)
        own = [proof for proof in proofs if proof.about(space, f"{wanted.kind}/{wanted.name}")]
        known = Known(
            now, places, held, {p.backup: (p.verdict, p.at) for p in reversed(own) if _same(p, begun)},
            unlisted=unlisted, unread=unread, sound=sound,
        )  # fmt: skip
        points = set_points.of(sets, wanted, own)
        rows.append(_row(workload, wanted, by_namespace.of(space), points, schedules, own, known, rule))
    return sorted(rows, key=lambda row: (row.namespace, row.kind, row.name))


def _same(proof: Proof, begun: Mapping[str, str]) -> bool:
    """Whether it is of the backup that has the name now."""
    return proof.of(VELERO, proof.backup, begun.get(proof.backup, ""))


def _wanted(workload: Workload, existing: set[tuple[str, str]] | None) -> Wanted:
    """A claim that a template promises counts only once it exists: a workload at zero replicas has none yet. Where
    claims cannot be listed (None) it counts: a backup without its data must not pass for a usable one."""
    wanted = Wanted.of(workload)
    if existing is None:
        return wanted
    there = tuple(claim for claim in wanted.claims if (wanted.namespace, claim) in existing)
    return Wanted(wanted.namespace, wanted.kind, wanted.name, there, wanted.labels)


def _row(
    workload: Workload,
    wanted: Wanted,
    ordered: Sequence[Backup],
    points: Sequence[PointView],
    schedules: Sequence[Schedule],
    proofs: Sequence[Proof],
    known: Known,
    rule: str,
) -> WorkloadRow:
    backed_up = newest_usable(ordered, wanted, known, ordered=True)
    choice = set_points.merged(backed_up, points)
    runs = [
        (moment, schedule.metadata.name)
        for schedule in schedules
        if covers(schedule.spec.template, wanted) and (moment := next_run(schedule, rule)) is not None
    ]
    moment, name = min(runs, default=(None, ""))
    last = newest_judged(proofs, {backup.metadata.name: backup.status.start_timestamp or "" for backup in ordered})
    return WorkloadRow(
        namespace=wanted.namespace,
        kind=workload.kind,
        name=wanted.name,
        ready=workload.status.ready_replicas,
        desired=workload.desired,
        claims=wanted.claims,
        newest=choice.point,
        backed_up=backed_up.point if choice.point is not backed_up.point else None,
        newest_proven=set_points.newer_proven(_proven(ordered, wanted, known, proofs), points),
        skipped=choice.passed,
        next_run=rfc3339(moment) if moment else "",
        next_schedule=name,
        last_verdict=last.verdict if last else Verdict.NOT_TESTED,
        last_verdict_at=last.at if last else "",
        rta_seconds=next((proof.rta_seconds for proof in proofs if proof.rta_seconds is not None), None),
        findings=tuple(findings(wanted, backed_up, schedules, known, rule, points)),
        unlisted=tuple(sorted(known.unlisted)),
    )


def _proven(ordered: Sequence[Backup], wanted: Wanted, known: Known, proofs: Sequence[Proof]) -> PointView | None:
    """The newest usable point that passed; only points that were proven at all are looked at."""
    passed = {proof.backup for proof in proofs if proof.verdict is Verdict.PASSED}
    if not passed:
        return None
    candidates = [backup for backup in ordered[:_PROVEN_DEPTH] if backup.metadata.name in passed]
    return latest_proven(views(candidates, wanted, known)).point
