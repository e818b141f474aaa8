"""Pods of a copy that no node has room for: that says how full the cluster is, and nothing about what was restored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.model.resources import PODS
from lazarus_tui.model.steps import Reader

# How the scheduler says that a node lacks something that others use (NodeResourcesFit): a count of nodes, and then
# "Insufficient cpu", or any other resource, or "Too many pods".
_FULL = re.compile(r"\b\d+ (Insufficient [\w./-]*\w|Too many pods)")


async def look(reader: Reader, namespaces: Iterable[str]) -> str:
    """The first such pod and what the scheduler says of it, in words, and how many more; "" when there is none."""
    found = []
    for namespace in namespaces:
        for pod in await reader.list(PODS, namespace, type=dict):
            if full := _full(pod):
                found.append(f"{pod['metadata']['name']} ({full})")
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"no node has room for pod {found[0]}{more}" if found else ""


def _full(pod: Mapping[str, Any]) -> str:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            said = _FULL.search(str(condition.get("message") or ""))
            return said.group(1) if said else ""
    return ""
