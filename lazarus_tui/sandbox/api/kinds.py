"""What the server knows about one kind, built in or defined by a CustomResourceDefinition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.api import names
from lazarus_tui.sandbox.api.errors import (
    ApiError,
    Cause,
    already_exists,
    conflict,
    forbidden,
    invalid,
    not_found,
    stale,
)
from lazarus_tui.sandbox.api.validations import RuleTree

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a kind keeps its replicas; dotted paths without a leading dot, ``selector`` may be empty."""

    spec: str = "spec.replicas"
    status: str = "status.replicas"
    selector: str = "spec.selector"


@dataclass(frozen=True, slots=True)
class Version:
    """What one version of a custom kind adds."""

    schema: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[Mapping[str, Any], ...] = ()
    rules: RuleTree | None = None
    deprecation: str = ""


Rewrite = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes one form of an object from another; what it is given may be used up or shared, but is not changed."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """One more version, perhaps of another group, that shows the same objects with other fields."""

    group: str
    version: str
    outward: Rewrite
    inward: Rewrite
    fields: Mapping[str, str] = field(default_factory=dict)  # shown name → stored name, where selectors may use it


@dataclass(frozen=True)
class Kind:
    """A kind and how it is served. ``versions`` are the served ones, preferred first; ``storage`` is how it is kept.

    ``views`` are served as well.
    """

    group: str
    storage: str
    plural: str
    kind: str
    namespaced: bool = True
    versions: tuple[str, ...] = ()
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    generation: bool = False
    scale: ScalePaths | None = None
    name_rule: names.NameRule = names.subdomain
    fields: frozenset[str] = frozenset()
    custom: bool = False
    definitions: Mapping[str, Version] = field(default_factory=dict)
    views: tuple[Conversion, ...] = ()
    deprecation: str = ""

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources

    @property
    def group_resource(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """Of the version objects are stored in."""
        return self.api_version_of(self.storage)

    def api_version_of(self, version: str) -> str:
        return f"{self.group}/{version}" if self.group else version

    @property
    def resource(self) -> Resource:
        return Resource(self.group, self.storage, self.plural, self.kind, self.namespaced)

    def key(self, namespace: str | None, name: str) -> tuple[str, str]:
        return (namespace or "" if self.namespaced else "", name)

    def not_found(self, name: str) -> ApiError:
        return not_found(self.plural, self.group, name)

    def already_exists(self, name: str) -> ApiError:
        return already_exists(self.plural, self.group, name)

    def conflict(self, name: str, why: str) -> ApiError:
        return conflict(self.plural, self.group, name, why)

    def stale(self, name: str) -> ApiError:
        return stale(self.plural, self.group, name)

    def forbidden(self, name: str, why: str, causes: tuple[Cause, ...] = ()) -> ApiError:
        return forbidden(self.plural, self.group, name, why, causes)

    def invalid(self, name: str, causes: list[Cause]) -> ApiError:
        return invalid(self.kind, self.group, name, causes)


@dataclass(frozen=True, slots=True)
class Served:
    """A kind as one request addresses it: in one of its versions, or through a view."""

    kind: Kind
    version: str
    view: Conversion | None = None

    @property
    def group(self) -> str:
        return self.view.group if self.view else self.kind.group

    @property
    def api_version(self) -> str:
        if self.view:
            return f"{self.view.group}/{self.view.version}"
        return self.kind.api_version_of(self.version)

    @property
    def converts(self) -> bool:
        """Whether objects must be rewritten on their way in and out."""
        return self.view is not None or self.version != self.kind.storage

    @property
    def deprecation(self) -> str:
        """What every client of this version is warned of, or ``""``."""
        kind = self.kind
        return kind.definitions[self.version].deprecation if kind.custom else kind.deprecation

    def outward(self, obj: dict[str, Any]) -> dict[str, Any]:
        """A stored object in this version."""
        shown = self.view.outward(obj) if self.view else obj
        return shown | {"apiVersion": self.api_version}

    def inward(self, obj: dict[str, Any]) -> dict[str, Any]:
        """An object of this version with the fields it is stored with; it keeps its apiVersion."""
        return self.view.inward(obj) if self.view else obj
