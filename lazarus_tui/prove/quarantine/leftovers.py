"""What is still there of a quarantine after it was cleaned, wherever in the cluster it lies."""

from __future__ import annotations

from typing import Any

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.labels import RESTORE_NAME_LABEL, label_value
from lazarus_tui.model.resources import CRDS, NAMESPACES, RESTORES, STORAGECLASSES, VOLUMES, Resource
from lazarus_tui.model.snapshots import CONTENTS
from lazarus_tui.model.steps import StepContext
from lazarus_tui.prove.quarantine import census
from lazarus_tui.prove.quarantine.names import OPERATION, Quarantine
from lazarus_tui.prove.quarantine.sweep import held_by

Object = dict[str, Any]

_RIGHTS, _HOOKS = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
# Cluster-scoped kinds that a restore may have brought along although it must not: told, never deleted (S12).
_WIDE = (
    Resource(_RIGHTS, "v1", "clusterroles", "ClusterRole", namespaced=False),
    Resource(_RIGHTS, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Resource(_HOOKS, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", namespaced=False),
    Resource(_HOOKS, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", namespaced=False),
    Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False),
    Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False),
    STORAGECLASSES,
    CRDS,
)


async def leftovers(context: StepContext, wanted: Quarantine) -> tuple[list[Object], list[str]]:
    """What is left, as plain data, and the kinds that may not be listed. Raises ``KubeError``."""
    reader = context.reader
    space = await census.namespace(reader, wanted)
    claims = await census.claims(reader, wanted) if space is not None else {}
    volumes, _ = await census.volumes(reader, wanted, claims, space)
    contents = await census.contents(reader, wanted, space=space is not None)
    restores = await census.restores(reader, wanted)
    found = [(NAMESPACES, space)] if space is not None else []
    found += [(VOLUMES, one) for one in volumes] + [(CONTENTS, one) for one in contents]
    found += [(RESTORES, one) for one in restores] + await census.papers(reader, wanted)
    found += await _others(context, wanted, {one["metadata"]["uid"] for _, one in found})
    wide, unseen = await _wide(context, wanted)
    storage = [
        {"kind": one["kind"], "name": one["name"], "namespace": "", "owner": wanted.op, "age": 0.0, "going": False,
         "why": f"no object tells of it any more; it was {one['of']}"}
        for one in context.facts.get("prove.storage") or ()
    ]  # fmt: skip
    return [*(_told(context, wanted, *one) for one in (*found, *wide)), *storage], unseen


async def _others(context: StepContext, wanted: Quarantine, known: set[str]) -> list[tuple[Resource, Object]]:
    """Volumes that carry the operation's label, whatever they are bound to now, and those its claims were bound to."""
    found = await census.listed(context.reader, VOLUMES, None, f"{OPERATION}={wanted.op}")
    found = [one for one in found if one["metadata"]["uid"] not in known]
    strange = await census.strangers(context.reader, wanted, {*known, *(one["metadata"]["uid"] for one in found)})
    return [(VOLUMES, one) for one in (*found, *strange)]


async def _wide(context: StepContext, wanted: Quarantine) -> tuple[list[tuple[Resource, Object]], list[str]]:
    found: list[tuple[Resource, Object]] = []
    unseen: list[str] = []
    selector = f"{RESTORE_NAME_LABEL} in ({','.join(map(label_value, wanted.runs))})"
    for resource in _WIDE if wanted.runs else ():
        try:
            found += [(resource, one) for one in await census.listed(context.reader, resource, None, selector)]
        except Forbidden:
            unseen.append(resource.group_resource)
    return found, unseen


def _told(context: StepContext, wanted: Quarantine, resource: Resource, found: Object) -> Object:
    meta = found["metadata"]
    made = meta.get("creationTimestamp")
    age = (context.clock.now() - parse_rfc3339(made)).total_seconds() if made else 0.0
    return {
        "kind": resource.kind, "name": meta["name"], "namespace": meta.get("namespace", ""), "owner": wanted.op,
        "age": round(max(0.0, age), 1), "why": held_by(found),
        "going": bool(meta.get("deletionTimestamp")),
    }  # fmt: skip
