"""Which objects a Backup or Restore takes: includes and excludes, old and new style, with Velero's messages."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.model.resources import Resource

OLD_FILTERS = ("includedResources", "excludedResources")
NEW_FILTERS = (
    "includedClusterScopedResources",
    "excludedClusterScopedResources",
    "includedNamespaceScopedResources",
    "excludedNamespaceScopedResources",
)
_REJECTED_GLOB = re.compile(r"\*\*|[|(){}!,]")

Resolve = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Lists:
    """One pair of include and exclude lists; names may be globs."""

    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @staticmethod
    def of(included: Iterable[str] | None, excluded: Iterable[str] | None, resolve: Resolve = str) -> Lists:
        def names(given: Iterable[str] | None) -> tuple[str, ...]:
            return tuple(dict.fromkeys(name if "*" in name else resolve(name) for name in given or ()))

        return Lists(names(included), names(excluded))

    @property
    def everything(self) -> bool:
        return (not self.included or "*" in self.included) and not self.excluded

    @property
    def named(self) -> bool:
        """Whether the include list names anything but ``*``."""
        return bool(self.included) and "*" not in self.included

    def takes(self, name: str, *, empty_takes: bool = True) -> bool:
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.excluded):
            return False
        if not self.included:
            return empty_takes
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.included)

    def problems(self) -> list[str]:
        found = []
        if "*" in self.included and len(self.included) > 1:
            found.append("includes list must either contain '*' only, or a non-empty list of items")
        if "*" in self.excluded:
            found.append("excludes list cannot contain '*'")
        found += [
            f"excludes list cannot contain an item in the includes list: {name}"
            for name in self.excluded
            if name in self.included
        ]
        return found

    def namespace_problems(self) -> list[str]:
        """As ``problems``, with the rules of namespace globs (1.18)."""
        bad = [name for name in self.included + self.excluded if _REJECTED_GLOB.search(name)]
        return self.problems() + [f'invalid wildcard pattern "{name}": contains unsupported characters' for name in bad]


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of one spec, names already resolved to ``plural.group``."""

    namespaces: Lists
    resources: Lists = field(default_factory=Lists)
    cluster: Lists = field(default_factory=Lists)
    namespaced: Lists = field(default_factory=Lists)
    include_cluster: bool | None = None
    new_style: bool = False

    def takes_kind(self, resource: Resource) -> bool:
        """Whether objects of this kind are taken by themselves (not only as relatives of others)."""
        name = resource.group_resource
        if self.new_style:
            if resource.namespaced:
                return self.namespaced.takes(name)
            # Without a list, cluster-scoped objects come only as relatives, unless whole namespaces are no matter.
            return self.cluster.takes(name, empty_takes=self._whole_cluster)
        if not self.resources.takes(name):
            return False
        return resource.namespaced or self._cluster_scope

    def allows_related(self, resource: Resource) -> bool:
        """Whether an object of this kind may come along with another one."""
        name = resource.group_resource
        if self.new_style:
            return (self.namespaced if resource.namespaced else Lists((), self.cluster.excluded)).takes(name)
        return self.resources.takes(name) and (resource.namespaced or self.include_cluster is not False)

    @property
    def _whole_cluster(self) -> bool:
        return self.namespaces.everything and not self.namespaced.named

    @property
    def _cluster_scope(self) -> bool:
        return self.namespaces.everything if self.include_cluster is None else self.include_cluster


def filters_of(spec: Mapping[str, Any], resolve: Resolve = str) -> Filters:
    return Filters(
        namespaces=Lists.of(spec.get("includedNamespaces"), spec.get("excludedNamespaces")),
        resources=Lists.of(spec.get("includedResources"), spec.get("excludedResources"), resolve),
        cluster=Lists.of(spec.get(NEW_FILTERS[0]), spec.get(NEW_FILTERS[1]), resolve),
        namespaced=Lists.of(spec.get(NEW_FILTERS[2]), spec.get(NEW_FILTERS[3]), resolve),
        include_cluster=spec.get("includeClusterResources"),
        new_style=any(spec.get(name) for name in NEW_FILTERS),
    )


def filter_problems(spec: Mapping[str, Any], subject: str) -> list[str]:
    """Validation errors about filters; ``subject`` is ``backup`` or ``restore``."""
    filters = filters_of(spec)
    old = any(spec.get(name) for name in OLD_FILTERS) or spec.get("includeClusterResources") is not None
    found = []
    if filters.new_style and old:
        found.append(
            "include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n"
            "include-cluster-scoped-resources, exclude-cluster-scoped-resources, include-namespace-scoped-resources "
            "and exclude-namespace-scoped-resources are new filter parameters.\nThey cannot be used together"
        )
    found += _prefixed("Invalid included/excluded resource lists", filters.resources.problems())
    found += _prefixed("Invalid cluster-scoped included/excluded resource lists", filters.cluster.problems())
    found += _prefixed("Invalid namespace-scoped included/excluded resource lists", filters.namespaced.problems())
    found += _prefixed("Invalid included/excluded namespace lists", filters.namespaces.namespace_problems())
    if spec.get("labelSelector") and spec.get("orLabelSelectors"):
        found.append(
            f"encountered labelSelector as well as orLabelSelectors in {subject} spec, only one can be specified"
        )
    return found


def _prefixed(prefix: str, problems: Sequence[str]) -> list[str]:
    return [f"{prefix}: {problem}" for problem in problems]
