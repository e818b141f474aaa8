"""The downward API: what a pod may learn of itself, as variables and as files."""

from __future__ import annotations

import json
import math
import os
from typing import Any

from lazarus_tui.sandbox.controllers.quantities import quantity

Object = dict[str, Any]

# What the node has to give when a container sets no limit (nodes.py tells the same).
_NODE = {"cpu": str(os.cpu_count() or 1), "memory": "8Gi", "ephemeral-storage": "20Gi"}


def field_value(pod: Object, path: str, address: str = "") -> str:
    """What a field path means, for the paths Kubernetes knows; ``""`` for others.

    ``address`` stands in for ``status.podIP`` while the object does not tell it yet.
    """
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    known = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta["uid"],
        "metadata.labels": _lines(meta.get("labels")),
        "metadata.annotations": _lines(meta.get("annotations")),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": address or status.get("podIP", ""),
        "status.podIPs": address or status.get("podIP", ""),
        "status.hostIP": "127.0.0.1",
        "status.hostIPs": "127.0.0.1",
    }
    if path in known:
        return str(known[path])
    for part in ("labels", "annotations"):
        if path.startswith(f"metadata.{part}['") and path.endswith("']"):
            return str((meta.get(part) or {}).get(path[len(part) + 11 : -2], ""))
    return ""


def _lines(pairs: dict[str, str] | None) -> str:
    """Labels or annotations as the downward API writes them: ``key="value"``, one to a line."""
    return "\n".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted((pairs or {}).items()))


def resource_value(pod: Object, reference: Object, container: Object | None = None) -> str:
    """A limit or request in units of its divisor, rounded up; a limit that is not set is what the node has."""
    name = reference.get("containerName")
    if name:
        container = next((one for one in pod["spec"]["containers"] if one["name"] == name), None)
    part, _, kind = str(reference.get("resource", "")).partition(".")
    resources = (container or {}).get("resources") or {}
    asked = (resources.get(part) or {}).get(kind)
    if asked is None:
        asked = _NODE.get(kind, "0") if part == "limits" else (resources.get("limits") or {}).get(kind, "0")
    divisor = reference.get("divisor") or "1"
    exact = _exact(str(asked)) / (_exact(str(divisor)) or 1)
    return str(math.ceil(round(exact, 9)))


def _exact(text: str) -> float:
    """A quantity, thousandths included."""
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text) if _plain(text) else float(quantity(text))


def _plain(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()
