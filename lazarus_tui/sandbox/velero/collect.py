"""Which live objects a backup holds: those its filters take, and their relatives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.model.labels import EXCLUDE_LABEL
from lazarus_tui.model.resources import (
    CLAIMS,
    CRDS,
    NAMESPACES,
    PODS,
    SERVICEACCOUNTS,
    STORAGECLASSES,
    VOLUMES,
    Resource,
)
from lazarus_tui.sandbox.velero.filters import Filters, filters_of
from lazarus_tui.sandbox.velero.installation import Installation, Json, meta
from lazarus_tui.sandbox.velero.labels import selected
from lazarus_tui.sandbox.velero.layout import Item

CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_BINDINGS = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
# Backed up before everything else, in this order; the rest follows by name.
_FIRST = (PODS.group_resource, CLAIMS.group_resource, VOLUMES.group_resource)


class Collector:
    """Gathers the items of one backup, each once, in the order Velero backs them up."""

    def __init__(self, site: Installation, spec: Mapping[str, Any]) -> None:
        self._site = site
        self._spec = spec
        self._filters: Filters = filters_of(spec, site.resolve)
        self._kinds = {kind.group_resource: kind for kind in site.kinds()}
        self._found: dict[tuple[str, str, str], Item] = {}

    def items(self) -> list[Item]:
        for kind in self._ordered():
            if kind.group_resource != NAMESPACES.group_resource and self._filters.takes_kind(kind):
                for obj in self._objects(kind):
                    if selected(self._spec, meta(obj, "labels")):
                        self._add(kind, obj)
        self._add_namespaces()
        return list(self._found.values())

    def _ordered(self) -> Iterable[Resource]:
        rest = sorted(name for name in self._kinds if name not in _FIRST)
        return (self._kinds[name] for name in (*_FIRST, *rest) if name in self._kinds)

    def _objects(self, kind: Resource) -> Iterable[Json]:
        for obj in self._in_order(kind):
            if not kind.namespaced or self._filters.namespaces.takes(obj["metadata"].get("namespace", "")):
                yield obj

    def _in_order(self, kind: Resource) -> list[Json]:
        """Those that ``orderedResources`` names come first, in its order: ``namespace/name``, or the bare name."""
        ordered = {self._site.resolve(key): text for key, text in (self._spec.get("orderedResources") or {}).items()}
        wanted = [name.strip() for name in str(ordered.get(kind.group_resource, "")).split(",")]

        def rank(obj: Json) -> int:
            meta = obj["metadata"]
            name = f"{meta['namespace']}/{meta['name']}" if kind.namespaced else meta["name"]
            return wanted.index(name) if name in wanted else len(wanted)

        return sorted(self._site.api.list(kind), key=rank)

    def _add(self, kind: Resource, obj: Json) -> None:
        place = obj["metadata"].get("namespace", "")
        key = (kind.group_resource, place, obj["metadata"]["name"])
        if key in self._found or meta(obj, "labels").get(EXCLUDE_LABEL) == "true":
            return
        self._found[key] = Item(*key, {"apiVersion": kind.api_version, "kind": kind.kind} | obj)
        for related, name in self._relatives(kind, obj):
            if self._filters.allows_related(related):
                other = self._site.api.get(related, name, place if related.namespaced else None)
                if other is not None:
                    self._add(related, other)

    def _relatives(self, kind: Resource, obj: Json) -> Iterable[tuple[Resource, str]]:
        spec = obj.get("spec") or {}
        if kind == PODS:
            for volume in spec.get("volumes") or ():
                claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
                if claim:
                    yield CLAIMS, claim
            yield SERVICEACCOUNTS, spec.get("serviceAccountName") or "default"
        elif kind == CLAIMS and spec.get("volumeName"):
            yield VOLUMES, spec["volumeName"]
        elif kind == VOLUMES and spec.get("storageClassName"):
            yield STORAGECLASSES, spec["storageClassName"]
        elif kind == SERVICEACCOUNTS:
            yield from self._bindings(obj["metadata"])
        elif "." in kind.group and self._site.api.get(CRDS, kind.group_resource) is not None:
            yield CRDS, kind.group_resource

    def _bindings(self, account: Mapping[str, Any]) -> Iterable[tuple[Resource, str]]:
        if CLUSTER_BINDINGS.group_resource not in self._kinds:
            return
        wanted = ("ServiceAccount", account["namespace"], account["name"])
        for binding in self._site.api.list(CLUSTER_BINDINGS):
            subjects = binding.get("subjects") or ()
            if any((s.get("kind"), s.get("namespace"), s.get("name")) == wanted for s in subjects):
                yield CLUSTER_BINDINGS, binding["metadata"]["name"]
                yield CLUSTER_ROLES, binding["roleRef"]["name"]

    def _add_namespaces(self) -> None:
        """Namespace objects always come along; with a selector only those that hold something selected."""
        filters = self._filters
        whole = not (self._spec.get("labelSelector") or self._spec.get("orLabelSelectors"))
        holding = {place for _, place, _ in self._found}
        for space in self._site.api.list(NAMESPACES):
            name = space["metadata"]["name"]
            wanted = filters.takes_kind(NAMESPACES) if filters.namespaces.everything else True
            if filters.namespaces.takes(name) and (name in holding or (whole and wanted)):
                self._add(NAMESPACES, space)
