"""Which fields the installed CRDs serve: the API drops every other field of an object without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import CRDS, Resource
from lazarus_tui.model.steps import Reader

Schema = Mapping[str, Any]


async def schema(reader: Reader, resource: Resource) -> Schema:
    """The OpenAPI schema of a kind's version; {} where the CRD is absent or may not be read."""
    try:
        crd: dict[str, Any] | None = await reader.get(CRDS, resource.group_resource, type=dict)
    except Forbidden:
        return {}
    versions: Iterable[Schema] = ((crd or {}).get("spec") or {}).get("versions") or ()
    found = next((version for version in versions if version.get("name") == resource.version), {})
    return (found.get("schema") or {}).get("openAPIV3Schema") or {}


def split(rules: Schema, value: Any, path: str) -> tuple[Any, list[str]]:
    """``value`` without the fields that ``rules`` would prune, and the dotted paths of those."""
    if isinstance(value, list):
        parts = [split(rules.get("items") or {}, item, f"{path}[{at}]") for at, item in enumerate(value)]
        return [kept for kept, _ in parts], [where for _, lost in parts for where in lost]
    open_ended = rules.get("x-kubernetes-preserve-unknown-fields") or not rules
    if not isinstance(value, Mapping) or open_ended:
        return value, []
    known, rest = rules.get("properties") or {}, rules.get("additionalProperties")
    kept: dict[str, Any] = {}
    lost: list[str] = []
    for name, item in value.items():
        inner = known.get(name, rest if isinstance(rest, Mapping) else None)
        if inner is None and rest is not True:
            lost.append(f"{path}.{name}")
            continue
        kept[name], under = split(inner or {}, item, f"{path}.{name}")
        lost += under
    return kept, lost


async def served(reader: Reader, resource: Resource, spec: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The part of ``spec`` that the cluster would keep, and the paths it would drop; all of it if nobody can tell."""
    rules = (await schema(reader, resource)).get("properties") or {}
    kept, lost = split(rules.get("spec") or {}, spec, "spec")
    return dict(kept), lost


async def require(reader: Reader, resource: Resource, spec: Mapping[str, Any]) -> None:
    """Raises ``PlanRefused`` when a field would be dropped: half of what was asked for is not what was asked for."""
    _, lost = await served(reader, resource, spec)
    if lost:
        raise PlanRefused(
            f"the Velero of this cluster does not know {', '.join(lost)}",
            where=resource.group_resource,
            hint="leave it out, or bring the CRDs up to date: velero install --crds-only",
        )
