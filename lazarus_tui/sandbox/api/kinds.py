"""What the server knows about one kind, built in or defined by a CustomResourceDefinition."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True)
class Kind:
    """A kind and how it is served. ``versions`` are the served ones, preferred first; ``storage`` is how it is kept."""

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
    """A kind as one request addresses it: in one of its versions."""

    kind: Kind
    version: str

    @property
    def api_version(self) -> str:
        return self.kind.api_version_of(self.version)

    @property
    def converts(self) -> bool:
        """Whether objects must be rewritten on their way in and out."""
        return self.version != self.kind.storage
