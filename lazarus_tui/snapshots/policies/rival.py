"""Whether the operator that owns StatefulSetBackups and StatefulSetRestores runs in a cluster."""

from __future__ import annotations

from typing import Any

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.resources import DEPLOYMENTS
from lazarus_tui.model.steps import Reader

# As its manifests name it (config/manager and config/default of the operator, version 0.0.7).
_LABEL, _NAMESPACE = "app.kubernetes.io/name=statefulset-backup-operator", "statefulset-backup-operator-system"


async def rival(reader: Reader) -> str:
    """Why Lazarus must leave these objects alone, in words; "" when nobody else acts on them. Raises ``KubeError``."""
    try:
        found: list[dict[str, Any]] = await reader.list(DEPLOYMENTS, type=dict, label_selector=_LABEL)
        found += await reader.list(DEPLOYMENTS, _NAMESPACE, type=dict)
    except Forbidden as error:
        return f"whether its own operator runs is not known: {error.message}"
    for one in found:
        replicas = (one.get("spec") or {}).get("replicas")
        if replicas is None or replicas > 0:
            meta = one["metadata"]
            where = f"{meta.get('namespace')}/{meta.get('name')}"
            return f"its own operator runs (Deployment {where}); at 0 replicas it leaves them to Lazarus"
    return ""
