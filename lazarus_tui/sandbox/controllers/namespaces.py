"""The end of a namespace: everything in it is deleted, and it goes when nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.resources import EVENTS, NAMESPACES, Resource
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object
from lazarus_tui.sandbox.controllers.pods import is_ending

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

_FINALIZER = "kubernetes"
_NO_FINALIZERS = "All content-preserving finalizers finished"
_NO_FAILURES = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
)


class NamespaceController(Controller):
    """Empties namespaces that are being deleted. ``kinds`` answers all kinds served now, custom ones included."""

    name = "namespace"
    watches: ClassVar[Sequence[Resource]] = (NAMESPACES,)
    hears_all: ClassVar[bool] = True

    def __init__(self, api: LocalApi, clock: Clock, kinds: Callable[[], Iterable[Resource]]) -> None:
        super().__init__(api, clock)
        self._kinds = kinds
        self._ending: set[str] = set()

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        meta = obj["metadata"]
        if resource == NAMESPACES:
            return (("", meta["name"]),)
        return (("", meta["namespace"]),) if meta.get("namespace") in self._ending else ()

    async def reconcile(self, key: Key) -> float | None:
        name = key[1]
        namespace = self.api.get(NAMESPACES, name)
        if namespace is None or not is_ending(namespace):
            self._ending.discard(name)
            return None
        self._ending.add(name)
        for resource, obj in self._content(name):
            if not is_ending(obj):
                meta = obj["metadata"]
                self.api.delete(resource, meta["name"], name, uid=meta["uid"])
        left = self._content(name)
        if left:
            self._tell(namespace, left)
            return None
        finalizers = [one for one in namespace["spec"].get("finalizers") or () if one != _FINALIZER]
        if finalizers != namespace["spec"].get("finalizers"):
            self.api.patch(NAMESPACES, name, {"spec": {"finalizers": finalizers}}, subresource="finalize")
        return None

    def _content(self, name: str) -> list[tuple[Resource, Object]]:
        return [(one, obj) for one in self._kinds() if one.namespaced for obj in self.api.list(one, name)]

    def _tell(self, namespace: Object, left: list[tuple[Resource, Object]]) -> None:
        """Why the namespace is still there, in the words of the real controller."""
        fresh = self.api.get(NAMESPACES, namespace["metadata"]["name"])
        if fresh is None:
            return
        counts: dict[str, int] = {}
        finalizers: dict[str, int] = {}
        for resource, obj in left:
            if resource != EVENTS:
                counts[resource.group_resource] = counts.get(resource.group_resource, 0) + 1
            for one in obj["metadata"].get("finalizers") or ():
                finalizers[one] = finalizers.get(one, 0) + 1
        content = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(counts.items()))
        held = ", ".join(f"{one} in {count} resource instances" for one, count in sorted(finalizers.items()))
        wanted = [
            self._condition(
                fresh,
                "NamespaceContentRemaining",
                bool(counts),
                "SomeResourcesRemain" if counts else "ContentRemoved",
                f"Some resources are remaining: {content}" if counts else "All content successfully removed",
            ),
            self._condition(
                fresh,
                "NamespaceFinalizersRemaining",
                bool(held),
                "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
                f"Some content in the namespace has finalizers remaining: {held}" if held else _NO_FINALIZERS,
            ),
        ]
        wanted += [self._condition(fresh, kind, False, reason, message) for kind, reason, message in _NO_FAILURES]
        status = {"phase": "Terminating", "conditions": wanted}
        if (fresh.get("status") or {}) != status:
            try:
                self.api.update_status(NAMESPACES, {**fresh, "status": status})
            except ApiError as fault:
                if fault.status != 404:
                    raise

    def _condition(self, namespace: Object, kind: str, holds: bool, reason: str, message: str) -> Object:
        before: Object = next(
            (one for one in (namespace.get("status") or {}).get("conditions") or () if one["type"] == kind), {}
        )
        status = "True" if holds else "False"
        moved = before.get("lastTransitionTime") if before.get("status") == status else None
        stamp = moved or rfc3339(self.clock.now())
        return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": stamp}
