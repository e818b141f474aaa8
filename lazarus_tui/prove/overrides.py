"""Policies of the whole cluster that may open a quarantine for pods with certain labels, which no probe has (S2)."""

from __future__ import annotations

from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.steps import Reader

_KINDS = (
    Resource("cilium.io", "v2", "ciliumclusterwidenetworkpolicies", "CiliumClusterwideNetworkPolicy", namespaced=False),
    Resource("crd.projectcalico.org", "v1", "globalnetworkpolicies", "GlobalNetworkPolicy", namespaced=False),
    Resource("policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies", "AdminNetworkPolicy", namespaced=False),
    Resource(
        "policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies", "ClusterNetworkPolicy", namespaced=False
    ),
)


async def opening(reader: Reader) -> list[str]:
    """One sentence for each kind with policies that let something out, and one for all that may not be read."""
    found, unread = [], []
    for kind in _KINDS:
        try:
            every = await reader.list(kind, type=dict)
        except NotFound:
            continue
        except Forbidden:
            unread.append(kind.plural)
            continue
        names = sorted(str(one["metadata"]["name"]) for one in every if _lets_out(one))
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            found.append(
                f"{kind.kind} {', '.join(names[:3])}{more} may let pods out by their labels, also those of the copy:"
                " no probe has these labels, so what they open is not seen"
            )
    if unread:
        found.append(f"{', '.join(unread)} cannot be read: whether one opens the quarantine for some pods is not known")
    return found


def _lets_out(policy: Any) -> bool:
    """Whether any of its ways out is not a refusal; Cilium's allow without saying so."""
    specs = [policy.get("spec") or {}, *(policy.get("specs") or ())]
    ways = [way for spec in specs for way in spec.get("egress") or ()]
    return any(str(way.get("action") or "Allow") not in ("Deny", "Log") for way in ways)
