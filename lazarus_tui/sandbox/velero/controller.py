"""The base of Velero's controllers: the sandbox's own, bound to one installation and its namespace."""

from __future__ import annotations

from collections.abc import Iterable

from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object
from lazarus_tui.sandbox.velero.installation import Installation


class VeleroController(Controller):
    """Hears only of objects in Velero's namespace, as the real server does."""

    def __init__(self, site: Installation) -> None:
        super().__init__(site.api, site.clock)
        self.site = site

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        meta = obj["metadata"]
        if meta.get("namespace") == self.site.namespace and self.concerns(obj, old):
            return ((self.site.namespace, meta["name"]),)
        return ()

    def concerns(self, obj: Object, old: Object | None) -> bool:
        """Whether this change is worth a look; most controllers want new objects and changed specs."""
        return old is None or obj.get("spec") != old.get("spec")
