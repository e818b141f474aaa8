"""Storage that live pods mount without a PersistentVolume: it is as live as that of any volume (S9)."""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.objects import Meta, Wire
from lazarus_tui.model.resources import PODS
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.places import identity

# Directories of nodes are mounted by agents of every node, the root among them: nothing could be told by them. A CSI
# driver names an inline volume for its pod, so that nothing else has its handle.
_TOLD_BY_NOTHING = ("hostPath", "csi")
_OVER = ("Succeeded", "Failed")


class _Spec(Wire, frozen=True):
    volumes: list[dict[str, Any]] | None = None


class _Status(Wire, frozen=True):
    phase: str = ""


class _Pod(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


async def live(reader: Reader, quarantine: str) -> dict[str, str]:
    """Identities of what pods outside of the quarantine mount, with words for whose it is. Where pods of all namespaces
    may not be listed those of volumes are all that is known."""
    try:
        pods = await reader.list(PODS, type=_Pod)
    except Forbidden:
        return {}
    found: dict[str, str] = {}
    for pod in pods:
        meta = pod.metadata
        if meta.namespace == quarantine or pod.status.phase in _OVER:
            continue
        for one in pod.spec.volumes or ():
            spec = {key: value for key, value in one.items() if key not in _TOLD_BY_NOTHING}
            if what := identity(spec):
                found.setdefault(what, f"mounted by pod {meta.namespace}/{meta.name}")
    return found
