"""Sets read from a cluster, and the choice of one."""

from __future__ import annotations

from collections.abc import Iterable

from lazarus_tui.kube.errors import NotFound
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.sets import BACKUP_ROLE, SET_LABEL, SnapshotSet, sets
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS, Content, Snapshot
from lazarus_tui.model.steps import Reader


async def sets_of(reader: Reader, namespace: str | None, workload: str = "") -> list[SnapshotSet]:
    """The sets in a namespace (None: in all), newest first; those of ``workload`` (``StatefulSet/name``) when given.

    Raises ``PlanRefused`` when the cluster has no snapshot API.
    """
    try:
        snapshots = await reader.list(SNAPSHOTS, namespace, type=Snapshot, label_selector=SET_LABEL)
        contents = await reader.list(CONTENTS, type=Content)
    except NotFound as error:
        raise PlanRefused(
            "this cluster has no volume snapshots (snapshot.storage.k8s.io/v1 is not served)",
            hint="install the snapshot CRDs and controller, and a driver that supports them",
        ) from error
    found = sets(snapshots, contents)
    return [one for one in found if not workload or one.about.workload == workload]


def choose_set(found: Iterable[SnapshotSet], wanted: str = "") -> SnapshotSet:
    """The set called ``wanted``, or the newest usable backup; raises ``PlanRefused``."""
    every = list(found)
    if wanted:
        named = next((one for one in every if one.id == wanted), None)
        if named is None:
            known = ", ".join(one.id for one in every[:5]) or "none"
            raise PlanRefused(f"there is no snapshot set {wanted}", where="set", hint=f"known: {known}")
        return named
    usable = next((one for one in every if one.usable and one.role == BACKUP_ROLE), None)
    if usable is None:
        why = every[0].troubles[0] if every and every[0].troubles else "there is none at all"
        raise PlanRefused(f"no snapshot set of it can be used: {why}", hint="take one: lazarus snapshot create")
    return usable
