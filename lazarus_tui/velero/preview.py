"""What a backup with these parameters would hold, before it is taken: namespaces, objects by kind, claims, warnings."""

from __future__ import annotations

from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.objects import Namespace
from lazarus_tui.model.plan import Params, PlanRefused
from lazarus_tui.model.resources import (
    CLAIMS,
    CONFIGMAPS,
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
    STATEFULSETS,
)
from lazarus_tui.model.scope import in_words, takes_namespace, takes_resource
from lazarus_tui.model.steps import Reader
from lazarus_tui.velero import backup
from lazarus_tui.velero.claims import expected_claims
from lazarus_tui.velero.effects import Named

COUNTED = (
    STATEFULSETS, DEPLOYMENTS, DAEMONSETS, JOBS, CRONJOBS, PODS, SERVICES, CONFIGMAPS, SECRETS, SERVICEACCOUNTS, CLAIMS,
)  # fmt: skip
_MOST_SPACES = 30  # namespaces whose objects are counted; more are named only


async def preview_backup(reader: Reader, params: Params, clock: Clock) -> dict[str, Any]:
    """``{namespaces, objects: {plural.group: count}, claims, warnings}``; raises ``PlanRefused`` as the plan would."""
    try:
        plan = await backup.plan(reader, {**params, "name": ""}, clock)
    except PlanRefused as refusal:
        return {"namespaces": [], "objects": {}, "claims": [], "warnings": [refusal.what]}
    spec = backup.decoded(plan.params["spec"])
    spaces = [n.metadata.name for n in await reader.list(NAMESPACES, type=Namespace)]
    inside = sorted(name for name in spaces if takes_namespace(spec, name))
    objects: dict[str, int] = {}
    warnings = list(plan.warnings)
    selector = in_words(spec.label_selector) if spec.label_selector else ""
    for resource in COUNTED:
        if not takes_resource(spec, resource.group_resource):
            continue
        try:
            count = 0
            for space in inside[:_MOST_SPACES]:
                count += len(await reader.list(resource, space, type=Named, label_selector=selector))
        except (Forbidden, NotFound):
            warnings.append(f"{resource.group_resource} cannot be counted from here")
            continue
        if count:
            objects[resource.group_resource] = count
    if len(inside) > _MOST_SPACES:
        warnings.append(f"objects are counted in the first {_MOST_SPACES} of {len(inside)} namespaces only")
    claims = await expected_claims(reader, spec)
    return {"namespaces": inside, "objects": objects, "claims": claims, "warnings": warnings}
