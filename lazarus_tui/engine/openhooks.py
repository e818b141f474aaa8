"""Pods that a hook may hold still, as the notes in the cluster have it: for ``lazarus doctor``, from any machine."""

from __future__ import annotations

from dataclasses import dataclass

from lazarus_tui.engine.adoption import capsules
from lazarus_tui.kube.cluster import Cluster


@dataclass(frozen=True, slots=True)
class OpenHook:
    """``what`` in words; ``hint`` is what ends it."""

    what: str
    hint: str


async def open_hooks(cluster: Cluster) -> list[OpenHook]:
    """Also of freezes that go on right now and will end by themselves. Raises ``KubeError``."""
    now, found = cluster.clock.now(), []
    for capsule in await capsules(cluster):
        if not capsule.held:
            continue
        pods = ", ".join(f"{capsule.namespace}/{pod} ({one['container']})" for pod, one in sorted(capsule.held.items()))
        what = f"operation {capsule.operation[:8]} froze {pods} at {capsule.made}, and nothing says that it thawed it"
        if capsule.early(now):
            hint = f"it may be at it still: look again after {capsule.frozen_until}"
        else:
            hint = (
                f"lazarus undo {capsule.operation[:8]} --confirm {capsule.plan.target}; by hand: "
                f"kubectl -n {capsule.namespace} get configmap {capsule.name} -o jsonpath='{{.data.thaw}}'"
            )
        found.append(OpenHook(what, hint))
    return found
