"""Snapshot sets as a ``Source`` of points: the data from the set, the objects as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lazarus_tui.kube.errors import NotFound
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.plan import PlanRefused, digest
from lazarus_tui.model.planning import ProofReader
from lazarus_tui.model.resources import CLAIMS, STATEFULSETS, Resource
from lazarus_tui.model.sets import BACKUP_ROLE, SET_LABEL, Member, SnapshotSet, sets
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS, Content, Snapshot, cut_at, restore_size
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.topics import PointView
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.model.volumes import Held
from lazarus_tui.prove import companions
from lazarus_tui.prove.points import Contents, Item, PointVolume

METHOD = "VolumeSnapshot"


class SnapshotPoints:
    """The sets of one StatefulSet; ``workload`` is ``StatefulSet/name``."""

    kind = "snapshots"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def points(self, namespace: str, workload: str, *, sure: int) -> Sequence[PointView]:
        found = await self._sets(namespace, workload)
        proofs: Mapping[str, tuple[Verdict, str]] = {}
        if isinstance(self._reader, ProofReader):
            proofs = self._reader.proofs(namespace, workload, self.kind, {one.id: _start(one) for one in found})
        return [_view(one, proofs) for one in found]

    async def contents(self, point: str, namespace: str, workload: str) -> Contents:
        """The set's volumes, and the live StatefulSet with its companions; raises ``PlanRefused``."""
        found = next((one for one in await self._sets(namespace, workload) if one.id == point), None)
        if found is None:
            raise PlanRefused(f"there is no snapshot set {point} of {namespace}/{workload}", where="point")
        if not found.usable:
            raise PlanRefused(f"set {point} cannot be used: {'; '.join(found.troubles)}", hint="choose another set")
        name = workload.partition("/")[2]
        live = await self._reader.get(STATEFULSETS, name, namespace, type=dict)
        if live is None:
            what = f"there is no StatefulSet {namespace}/{name}: a set holds its volumes, not what runs on them"
            raise PlanRefused(what, where="workload", hint="prove a backup, which holds the objects too")
        return await self._assembled(found, live)

    async def _assembled(self, found: SnapshotSet, live: Mapping[str, Any]) -> Contents:
        namespace = found.namespace
        replicas = found.about.replicas or (live.get("spec") or {}).get("replicas", 1)
        body = companions.whole(STATEFULSETS, {**live, "spec": {**live["spec"], "replicas": replicas}})
        beside, missing = await companions.of(self._reader, namespace, body)
        members = [(CLAIMS, await self._claim(claim, namespace)) for claim in sorted(found.members)]
        parts = [*members, *companions.dependants(beside), (STATEFULSETS, body)]
        items = tuple(_item(resource, namespace, one) for resource, one in parts if one)
        volumes = (*(_volume(found.members[claim]) for claim in sorted(found.members)), *_others(found, beside))
        return Contents(
            kind=self.kind,
            point=found.id,
            namespace=namespace,
            items=items,
            volumes=volumes,
            digest=digest([[one.claim, one.handle, one.size] for one in volumes]),
            start=_start(found),
            warnings=tuple(f"{one} is named by the workload and is not there" for one in missing),
        )

    async def _claim(self, name: str, namespace: str) -> dict[str, Any]:
        body = await self._reader.get(CLAIMS, name, namespace, type=dict)
        return companions.whole(CLAIMS, body) if body is not None else {}

    async def _sets(self, namespace: str, workload: str) -> list[SnapshotSet]:
        try:
            snapshots = await self._reader.list(SNAPSHOTS, namespace, type=Snapshot, label_selector=SET_LABEL)
            contents = await self._reader.list(CONTENTS, type=Content)
        except NotFound as error:
            what = "this cluster has no volume snapshots (snapshot.storage.k8s.io/v1 is not served)"
            raise PlanRefused(what, where="source", hint="prove a backup: source velero") from error
        return [one for one in sets(snapshots, contents) if one.about.workload == workload]


def _item(resource: Resource, namespace: str, body: Mapping[str, Any]) -> Item:
    return Item(resource.group_resource, namespace, str(body["metadata"]["name"]), body)


def _start(found: SnapshotSet) -> str:
    """RFC 3339, "" where it is not cut yet."""
    return rfc3339(found.taken) if found.taken else ""


def _view(found: SnapshotSet, proofs: Mapping[str, tuple[Verdict, str]]) -> PointView:
    reasons = list(found.troubles)
    if found.role != BACKUP_ROLE:
        reasons.append(f"it was taken for a restore ({found.role}), not as a backup")
    verdict, at = proofs.get(found.id, (Verdict.NOT_TESTED, ""))
    return PointView(
        name=found.id,
        kind=SnapshotPoints.kind,
        start=_start(found),
        usable=not reasons,
        reasons=tuple(reasons),
        schedule=found.schedule,
        proven=verdict,
        proven_at=at,
    )


def _volume(member: Member) -> PointVolume:
    cut = cut_at(member.snapshot)
    return PointVolume(
        claim=member.claim,
        held=Held.CAPTURED,
        size=restore_size(member.snapshot),
        method=METHOD,
        handle=member.handle,
        frozen_at=rfc3339(cut) if cut else "",
        reclaim_policy=member.content.spec.deletion_policy if member.content else "",
    )


def _others(found: SnapshotSet, beside: Iterable[tuple[Resource, Mapping[str, Any]]]) -> Iterable[PointVolume]:
    """Claims the workload mounts that are not of the set."""
    for resource, body in beside:
        if resource == CLAIMS and body["metadata"]["name"] not in found.members:
            yield PointVolume(str(body["metadata"]["name"]), Held.ABSENT, f"not in set {found.id}")
