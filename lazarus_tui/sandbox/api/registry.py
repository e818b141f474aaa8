"""Which kinds are served: the built-in ones and those that CustomResourceDefinitions in the store define."""

from __future__ import annotations

from collections.abc import Iterable

from lazarus_tui.model.resources import CRDS, Resource
from lazarus_tui.sandbox.api.builtin import BUILTIN
from lazarus_tui.sandbox.api.crd import kind_of_definition
from lazarus_tui.sandbox.api.errors import ApiError, GroupUnknown, no_such_route
from lazarus_tui.sandbox.api.kinds import Kind, Served
from lazarus_tui.sandbox.api.store import Event, Store

_CRD = CRDS.group_resource


class Registry:
    """Kinds by how requests name them. ``attach`` makes it follow the definitions in a store."""

    def __init__(self, builtin: Iterable[Kind] = BUILTIN) -> None:
        self._kinds: dict[str, Kind] = {}
        self._routes: dict[tuple[str, str, str], Served] = {}
        self._own: set[str] = set()
        self._store: Store | None = None
        self.generation = 0  # grows when kinds change, so that caches of discovery know
        for kind in builtin:
            self._add(kind)
        self._own = {group for group, _, _ in self._routes}

    def attach(self, store: Store) -> None:
        """Serve the store's CustomResourceDefinitions from now on; a second call with the same store does nothing."""
        if self._store is store:
            return
        self._store = store
        for entity in store.select(_CRD):
            self._add(kind_of_definition(entity.obj))
        store.subscribe(self._on_commit)

    def _on_commit(self, event: Event) -> None:
        if event.group_resource != _CRD:
            return
        if event.kind == "DELETED":
            self._purge(kind_of_definition(event.entity.obj))
            return
        if event.old is not None:
            self._remove(kind_of_definition(event.old.obj))
        self._add(kind_of_definition(event.entity.obj))

    def _purge(self, kind: Kind) -> None:
        """A definition takes its objects with it, as on a real server; watches on them end."""
        self._remove(kind)
        if self._store is None:
            return
        for entity in self._store.select(kind.group_resource):
            self._store.commit(kind.group_resource, entity.key, entity, None)
        self._store.wake_watchers()

    def _add(self, kind: Kind) -> None:
        self.generation += 1
        self._kinds[kind.group_resource] = kind
        for version in kind.versions:
            self._routes[(kind.group, version, kind.plural)] = Served(kind, version)
        for view in kind.views:
            self._routes[(view.group, view.version, kind.plural)] = Served(kind, view.version, view)

    def _remove(self, kind: Kind) -> None:
        self.generation += 1
        self._kinds.pop(kind.group_resource, None)
        for version in kind.versions:
            self._routes.pop((kind.group, version, kind.plural), None)
        for view in kind.views:
            self._routes.pop((view.group, view.version, kind.plural), None)

    def find(self, group: str, version: str, plural: str) -> Served | None:
        return self._routes.get((group, version, plural))

    def absent(self, group: str) -> ApiError:
        """Why a path below ``group`` is not served; groups of custom kinds are unknown outside what they define."""
        return no_such_route() if group in self._own else GroupUnknown()

    def served(self, resource: Resource) -> Served:
        """The kind a ``Resource`` names; ``ApiError`` 404 when it is not served."""
        found = self.find(resource.group, resource.version, resource.plural)
        if found is None:
            raise no_such_route()
        return found

    def kind(self, group_resource: str) -> Kind | None:
        return self._kinds.get(group_resource)

    def kinds(self) -> list[Kind]:
        """All kinds, built-in groups first, in the order they were added."""
        return list(self._kinds.values())

    def offered(self) -> list[Served]:
        """Every kind in every version, in the order they were added."""
        return list(self._routes.values())
