"""How lists and maps are owned and merged when somebody applies: as one value, entry by entry, or item by item.

Built-in kinds go by a table of field names (facts of Kubernetes' API types: listType, listMapKey, mapType); custom
kinds by the ``x-kubernetes-*`` marks of their schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, Protocol

from lazarus_tui.sandbox.api.component_facts import MERGED

Mode = Literal["atomic", "parts", "set", "map"]
"""``parts``: an object field by field; ``set``: a list by value; ``map``: a list by the keys of its items."""

Keys = tuple[tuple[str, Any], ...]
"""Names of the fields that identify an item, each with the value of an item that leaves it out (None: it must not)."""


class Shape(Protocol):
    """What is known about one place of an object."""

    @property
    def keys(self) -> Keys: ...

    @property
    def embedded(self) -> bool:
        """Whether the object is a part of its parent that cannot be absent, so nobody owns it by itself."""
        ...

    def mode(self, value: Any) -> Mode: ...

    def child(self, name: str) -> Shape: ...

    def item(self) -> Shape: ...


def _named(*names: str) -> Keys:
    return tuple((name, None) for name in names)


_NAME = _named("name")
_ITEM_KEYS: Mapping[str, Keys] = {
    **{field: _named(*keys) for field, keys in MERGED.items() if "." not in field},
    "imagePullSecrets": _NAME,
    "secrets": _NAME,
}
_PORT_KEYS: Mapping[str, Keys] = {
    "containers": (("containerPort", None), ("protocol", "TCP")),
    "initContainers": (("containerPort", None), ("protocol", "TCP")),
    "ephemeralContainers": (("containerPort", None), ("protocol", "TCP")),
    "spec": (("port", None), ("protocol", "TCP")),
}
_SETS = frozenset({("metadata", "finalizers")})
_WHOLE = frozenset(
    {
        "selector",
        "labelSelector",
        "namespaceSelector",
        "podSelector",
        "objectSelector",
        "nodeSelector",
        "secretKeyRef",
        "configMapKeyRef",
        "fieldRef",
        "resourceFieldRef",
        "secretRef",
        "nodePublishSecretRef",
        "targetRef",
        "dataSource",
        "roleRef",
        "ownerReferences",
        "imagePullSecrets",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "scopeSelector",
        "paramKind",
    }
)
_EMBEDDED = frozenset({"metadata", "spec", "status", "template", "strategy", "updateStrategy", "containers"})


@dataclass(frozen=True, slots=True)
class Builtin:
    """A place in an object of a built-in kind, by its field's name and its parent's."""

    name: str = ""
    parent: str = ""

    @property
    def keys(self) -> Keys:
        return _PORT_KEYS.get(self.parent, ()) if self.name == "ports" else _ITEM_KEYS.get(self.name, ())

    @property
    def embedded(self) -> bool:
        return self.name in _EMBEDDED

    def mode(self, value: Any) -> Mode:
        if isinstance(value, dict):
            return "atomic" if self.name in _WHOLE else "parts"
        if not isinstance(value, list):
            return "atomic"
        if self.keys and self.parent != "matchExpressions":
            return "map"
        return "set" if (self.parent, self.name) in _SETS else "atomic"

    def child(self, name: str) -> Shape:
        return _builtin(name, self.name)

    def item(self) -> Shape:
        return self


@lru_cache(maxsize=4096)
def _builtin(name: str, parent: str) -> Builtin:
    return Builtin(name, parent)


@dataclass(frozen=True, slots=True)
class Custom:
    """A place in a custom object: its schema, empty where the schema says nothing."""

    schema: Mapping[str, Any] = field(default_factory=dict)
    root: bool = False

    @property
    def keys(self) -> Keys:
        properties = (self.schema.get("items") or {}).get("properties") or {}
        names = self.schema.get("x-kubernetes-list-map-keys") or ()
        return tuple((name, (properties.get(name) or {}).get("default")) for name in names)

    @property
    def embedded(self) -> bool:
        return False

    def mode(self, value: Any) -> Mode:
        if isinstance(value, dict):
            return "atomic" if self.schema.get("x-kubernetes-map-type") == "atomic" else "parts"
        kind = self.schema.get("x-kubernetes-list-type") if isinstance(value, list) else ""
        if kind == "map" and self.schema.get("x-kubernetes-list-map-keys"):
            return "map"
        return "set" if kind == "set" else "atomic"

    def child(self, name: str) -> Shape:
        if self.root and name == "metadata":
            return _builtin("metadata", "")
        known = (self.schema.get("properties") or {}).get(name)
        extra = self.schema.get("additionalProperties")
        return Custom(known if known is not None else extra if isinstance(extra, Mapping) else {})

    def item(self) -> Shape:
        return Custom(self.schema.get("items") or {})
