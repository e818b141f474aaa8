"""What notes in a cluster say is not finished: for ``lazarus doctor``, from any machine, with or without a journal."""

from __future__ import annotations

from dataclasses import dataclass

from lazarus_tui.engine.adoption import Capsule, capsules
from lazarus_tui.kube.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Unfinished:
    """``check`` names the kind, ``what`` is in words, ``hint`` is what ends it."""

    check: str
    what: str
    hint: str


async def unfinished(cluster: Cluster) -> list[Unfinished]:
    """Freezes that nobody has ended yet and restores in place that are not at their end. Raises ``KubeError``."""
    return [
        _freeze(one, early=one.early(cluster.clock.now())) if one.held else _restore(one)
        for one in await capsules(cluster)
        if not one.closed
    ]


def _restore(one: Capsule) -> Unfinished:
    op, target = one.operation[:8], one.plan.target
    owner = str(one.plan.params.get("owner") or "")
    by = f" by {owner}" if owner else ""
    what = f"{target} is being restored in place by operation {op}, begun{by} at {one.made}: it may be at 0 replicas"
    hint = (
        f"see whether it goes on: lazarus watch {op}; bring back what was there: lazarus undo {op} --confirm {target}; "
        f"go on: lazarus resume {op} --confirm {target}"
    )
    return Unfinished("restore", what, hint)


def _freeze(one: Capsule, *, early: bool) -> Unfinished:
    op, space = one.operation[:8], one.namespace
    pods = ", ".join(f"{space}/{pod} ({held['container']})" for pod, held in sorted(one.held.items()))
    what = f"operation {op} froze {pods} at {one.made}, and nothing says that it thawed it"
    if early:
        return Unfinished("frozen", what, f"it may be at it still: look again after {one.frozen_until}")
    by_hand = f"kubectl -n {space} get configmap {one.name} -o jsonpath='{{.data.thaw}}'"
    return Unfinished("frozen", what, f"lazarus undo {op} --confirm {one.plan.target}; by hand: {by_hand}")
