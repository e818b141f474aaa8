"""What a restore will create, change or skip: the backup's resource list against the live cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model import resources
from lazarus_tui.model.objects import Meta
from lazarus_tui.model.plan import Effect
from lazarus_tui.model.quantities import size
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.scope import any_match
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.volumes import Held, HeldVolume

# Kinds Velero never restores, and those that controllers make again by themselves.
_SKIPPED = frozenset({"Node", "Event", "Backup", "Restore", "CSINode", "VolumeAttachment", "BackupRepository"})
_DERIVED = frozenset({"ReplicaSet", "Endpoints", "EndpointSlice", "ControllerRevision"})
_SHOWN = 6
# Whatever ``existingResourcePolicy`` says (pkg/restore/merge_service_account.go).
_MERGED = "ServiceAccount"
_MERGING = "labels, annotations and secrets they lack are added, and nothing of theirs is overwritten"
# Namespaced built-in kinds that only this comparison speaks of.
_MORE = (
    Resource("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    Resource("networking.k8s.io", "v1", "ingresses", "Ingress"),
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    Resource("", "v1", "limitranges", "LimitRange"),
    Resource("", "v1", "resourcequotas", "ResourceQuota"),
)
_KINDS: Mapping[tuple[str, str], Resource] = {
    (found.api_version, found.kind): found
    for found in (*vars(resources).values(), *_MORE)
    if isinstance(found, Resource)
}


class Named(msgspec.Struct, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a backup. ``kind`` as the resource list writes it: ``apps/v1/Deployment``."""

    kind: str
    namespace: str
    name: str

    @property
    def short_kind(self) -> str:
        return self.kind.rpartition("/")[2]

    @property
    def resource(self) -> Resource | None:
        return _KINDS.get((self.kind.rpartition("/")[0], self.short_kind))


def items(resource_list: Any) -> list[Item]:
    """The objects of a BackupResourceList document; entries of other shapes are left out."""
    found = []
    for kind, entries in resource_list.items() if isinstance(resource_list, Mapping) else ():
        for entry in entries or ():
            namespace, slash, name = str(entry).partition("/")
            found.append(Item(str(kind), namespace if slash else "", name if slash else namespace))
    return found


def in_scope(found: Iterable[Item], spec: Mapping[str, Any]) -> list[Item]:
    """Namespaced objects that a Restore with this spec takes in."""
    included, excluded = spec.get("includedNamespaces") or ["*"], spec.get("excludedNamespaces") or ()
    without = {str(name).partition(".")[0].lower() for name in spec.get("excludedResources") or ()}
    return [
        item
        for item in found
        if item.namespace
        and any_match(included, item.namespace)
        and not any_match(excluded, item.namespace)
        and item.short_kind not in _SKIPPED
        and (item.resource is None or item.resource.plural not in without)
    ]


async def compare(
    reader: Reader, found: Iterable[Item], mapping: Mapping[str, str], existing: Mapping[str, bool], *, update: bool
) -> tuple[list[Effect], list[Item]]:
    """The plan's lines, and the objects that exist already and are left or overwritten as ``update`` says: service
    accounts are merged either way. ``existing`` tells which target namespaces exist."""
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in found:
        groups.setdefault((mapping.get(item.namespace, item.namespace), item.kind), []).append(item)
    effects: list[Effect] = []
    kept: list[Item] = []
    for (namespace, _), group in sorted(groups.items()):
        short = group[0].short_kind
        if short in _DERIVED:
            continue
        live = await _live(reader, group[0].resource, namespace) if existing.get(namespace) else frozenset()
        if live is None:
            why = f"unless they exist, which cannot be told from here: {_names(group)}"
            effects.append(Effect("create", f"{len(group)} {short} in {namespace}", why))
            continue
        there = [item for item in group if item.name in live]
        new = [item for item in group if item.name not in live]
        if new:
            effects.append(Effect("create", f"{len(new)} {short} in {namespace}", _names(new)))
        if there and short == _MERGED:
            effects.append(Effect("change", f"{len(there)} {short} in {namespace}", f"{_names(there)}: {_MERGING}"))
        elif there:
            verb = "change" if update and short != "PersistentVolumeClaim" else "skip"
            effects.append(Effect(verb, f"{len(there)} {short} in {namespace}", _names(there)))
            kept += there
    return effects, kept


async def _live(reader: Reader, resource: Resource | None, namespace: str) -> frozenset[str] | None:
    if resource is None:
        return None
    try:
        return frozenset(item.metadata.name for item in await reader.list(resource, namespace, type=Named))
    except (Forbidden, NotFound):
        return None


def volumes(
    held: Iterable[HeldVolume],
    mapping: Mapping[str, str],
    claims: Mapping[str, frozenset[str]],
    left_out: Collection[str],
) -> list[Effect]:
    """One line per volume the backup says something about; ``claims`` are those that exist, by target namespace;
    ``left_out``: what comes back without its data on request, as ``namespace/name``."""
    found = []
    for volume in sorted(held, key=lambda volume: volume.claim):
        source, _, name = volume.claim.partition("/")
        target = mapping.get(source, source)
        what = f"volume {target}/{name}"
        if name in claims.get(target, ()):
            found.append(Effect("skip", what, "the claim exists: its data is left as it is"))
        elif volume.claim in left_out:
            found.append(Effect("create", what, "EMPTY: volumes are left out on request"))
        elif volume.held is Held.CAPTURED:
            amount = f", {size(volume.size)}" if volume.size is not None else ""
            found.append(Effect("create", what, f"with its data ({volume.method}{amount})"))
        else:
            state = "EMPTY" if volume.held is Held.ABSENT else "data unknown"
            found.append(Effect("create", what, f"{state}: {volume.reason}"))
    return found


def _names(found: list[Item]) -> str:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(sorted(item.name for item in found)[:_SHOWN]) + more
