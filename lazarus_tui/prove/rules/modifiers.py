"""The rules as Velero's resource modifiers (reference: velero §2.8).

Conditions name the ORIGINAL namespace and the lower-case plural[.group]; each rule holds one kind of patch. Velero
restores an object whose patch fails without it, so what comes out is compared with ``expected`` afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.prove.points import Item
from lazarus_tui.prove.rules.finding import Finding

KEY = "modifiers.yaml"
# Bytes of an object that the API server takes (etcd's request limit), with room for the rest of the ConfigMap.
LARGEST = 1_000_000


def rules(namespace: str, changes: Iterable[tuple[str, Item, Finding]]) -> tuple[dict[str, Any], ...]:
    """One modifier rule per patch; objects that get the same one share it."""
    shared: dict[tuple[str, bool, str, tuple[tuple[str, str], ...]], list[str]] = {}
    for _, item, found in changes:
        key = (item.resource, found.strategic, json.dumps(found.patch, sort_keys=True), found.where)
        shared.setdefault(key, []).append(item.name)
    return tuple(
        {
            "conditions": {
                "groupResource": resource, "namespaces": [namespace], "resourceNameRegex": _one_of(names),
                **({"matches": [{"path": path, "value": value} for path, value in where]} if where else {}),
            },
            ("strategicPatches" if strategic else "mergePatches"): [{"patchData": patch}],
        }
        for (resource, strategic, patch, where), names in shared.items()
    )  # fmt: skip


def _one_of(names: Iterable[str]) -> str:
    """An anchored pattern of Go's regexp for exactly these names."""
    escaped = [re.sub("[^A-Za-z0-9_-]", lambda found: "\\" + found[0], name) for name in sorted(set(names))]
    return f"^(?:{'|'.join(escaped)})$"


def document(found: Iterable[Mapping[str, Any]]) -> str:
    """The text under the ConfigMap's one key; JSON is YAML, and Velero reads it strictly."""
    return json.dumps({"version": "v1", "resourceModifierRules": list(found)}, sort_keys=True)
