"""One object of a cluster, raw, for the YAML pane: with everything that could be a secret taken out."""

from __future__ import annotations

from typing import Any

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model import resources
from lazarus_tui.model.redact import redact_value
from lazarus_tui.model.resources import Resource

# What may be looked at, by ``plural.group``; access reviews are questions, not objects.
KNOWN: dict[str, Resource] = {
    value.group_resource: value
    for value in vars(resources).values()
    if isinstance(value, Resource) and value is not resources.ACCESS_REVIEWS
}


def resource_named(text: str) -> Resource:
    """The resource ``text`` names (``backups.velero.io``, ``pods``); refuses one Lazarus does not speak about."""
    if text not in KNOWN:
        raise LinkFault(
            Fault("usage", f"no resource {text[:64]!r}", "object.get", "for example backups.velero.io, pods")
        )
    return KNOWN[text]


async def raw_object(cluster: Cluster, resource: str, velero: str, namespace: str | None, name: str) -> dict[str, Any]:
    """The object as the API sends it, redacted. Without a namespace: Velero's for Velero's own kinds."""
    kind = resource_named(resource)
    if namespace is None and kind.namespaced:
        if kind.group != "velero.io":
            raise LinkFault(Fault("usage", f"{resource} {name} needs a namespace", "object.get"))
        namespace = velero
    found = await cluster.get(kind, name, namespace, type=dict[str, Any])
    if found is None:
        raise LinkFault(Fault("not-found", f"there is no {resource} {name}", namespace or "", "it may have expired"))
    return dict(redact_value(found))
