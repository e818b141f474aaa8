"""The rights without which a quarantine cannot be made, shown closed, or removed: asked for before anything is made."""

from __future__ import annotations

from lazarus_tui.model.resources import (
    CLAIMS,
    LIMIT_RANGES,
    NAMESPACES,
    NETWORKPOLICIES,
    PODS,
    QUOTAS,
    STATEFULSETS,
    VOLUMES,
    Resource,
)
from lazarus_tui.model.snapshots import CONTENTS
from lazarus_tui.prove.quarantine.names import Quarantine

# Verb, kind, namespace ("" where it has none) and subresource.
Right = tuple[str, Resource, str, str]


def needed(wanted: Quarantine) -> list[Right]:
    """Those of the namespaces it comes from are not among them: what may not be seen there is not tried."""
    inside = wanted.name
    return [
        *((verb, NAMESPACES, "", "") for verb in ("create", "patch", "delete")),
        *(("create", kind, inside, "") for kind in (NETWORKPOLICIES, QUOTAS, PODS)),
        *([("create", LIMIT_RANGES, inside, "")] if wanted.limits else []),
        *(("list", kind, inside, "") for kind in (NETWORKPOLICIES, PODS)),
        ("create", PODS, inside, "exec"),
        *(("delete", kind, inside, "") for kind in (STATEFULSETS, PODS, CLAIMS)),
        *((verb, VOLUMES, "", "") for verb in ("list", "patch", "delete")),
        *((verb, CONTENTS, "", "") for verb in ("list", "patch", "delete")),
        *(right for one in wanted.custom if one.allowed for right in _custom(one.resource, inside)),
    ]


def _custom(kind: Resource, inside: str) -> list[Right]:
    """One in the quarantine goes with it."""
    if kind.namespaced:
        return [(verb, kind, inside, "") for verb in ("list", "patch")]
    return [(verb, kind, "", "") for verb in ("list", "patch", "delete")]
