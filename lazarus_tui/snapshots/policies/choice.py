"""Which set a StatefulSetRestore means, among those that are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.sets import BACKUP_ROLE, SnapshotSet
from lazarus_tui.snapshots.policies.meaning import RestoreWish


def chosen(every: Iterable[SnapshotSet], wish: RestoreWish) -> dict[str, Any]:
    """Parameters of snapshots.restore-in-place that name the set, and narrow the restore where only one claim is asked
    for; {} for the newest usable one. ``every``: sets, newest first. Raises ``PlanRefused``."""
    if wish.latest:
        return {}
    workload = f"StatefulSet/{wish.statefulset}"
    found = [one for one in every if (one.namespace, one.about.workload) == (wish.namespace, workload)]
    if wish.backup:
        named = [one for one in found if one.id == wish.backup]
        found = named or [one for one in found if one.schedule == wish.backup]
    if wish.snapshots:
        return _by_members(found, wish)
    usable = next((one for one in found if one.usable and one.role == BACKUP_ROLE), None)
    if usable is None:
        what = f"no usable set of {wish.namespace}/{wish.statefulset} is called {wish.backup} or was taken by it"
        raise PlanRefused(what, where="backupName", hint="lazarus snapshot list shows the sets", code="not-found")
    return {"set": usable.id}


def _by_members(found: Sequence[SnapshotSet], wish: RestoreWish) -> dict[str, Any]:
    for one in found:
        names = {member.snapshot.metadata.name: claim for claim, member in one.members.items()}
        if set(wish.snapshots) <= set(names):
            claims = {names[name] for name in wish.snapshots}
            if claims == set(one.members):
                return {"set": one.id}
            if len(claims) == 1:
                return {"set": one.id, "claim": claims.pop()}
            hint = "name one snapshot, or all of its set"
            raise PlanRefused("only some claims of a set are asked for", where="snapshotNames", hint=hint)
    what = "no set of this StatefulSet holds all these snapshots"
    hint = "lazarus snapshot describe SET names them"
    raise PlanRefused(what, where="snapshotNames", hint=hint, code="not-found")
