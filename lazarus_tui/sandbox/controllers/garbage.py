"""The garbage collector: objects go when all their owners have gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object
from lazarus_tui.sandbox.controllers.pods import is_ending

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"


class GarbageCollector(Controller):
    """Works on uids: of objects whose owners may be gone, and of owners that wait for what they own.

    Keys are ("", uid).
    """

    name = "garbage"
    hears_all: ClassVar[bool] = True
    watches: ClassVar[Sequence[Resource]] = ()

    def __init__(self, api: LocalApi, clock: Clock) -> None:
        super().__init__(api, clock)
        self._known: dict[str, tuple[Resource, str, str]] = {}
        self._owned: dict[str, set[str]] = {}

    async def start(self) -> None:
        self._known.clear()
        self._owned.clear()

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        meta = obj["metadata"]
        uid = meta["uid"]
        current = self.api.get(resource, meta["name"], meta.get("namespace"))
        gone = current is None or current["metadata"]["uid"] != uid
        owners = _owner_uids(obj)
        for owner in _owner_uids(old) - owners if old else ():
            self._owned.get(owner, set()).discard(uid)
        if gone:
            self._known.pop(uid, None)
            for owner in owners:
                self._owned.get(owner, set()).discard(uid)
            return [("", one) for one in (*self._owned.pop(uid, ()), *owners)]
        self._known[uid] = (resource, meta.get("namespace", ""), meta["name"])
        for owner in owners:
            self._owned.setdefault(owner, set()).add(uid)
        return [("", uid)] if owners or is_ending(obj) else []

    async def reconcile(self, key: Key) -> float | None:
        uid = key[1]
        obj, resource = self._get(uid)
        if obj is None or resource is None:
            return None
        finalizers = obj["metadata"].get("finalizers") or []
        if is_ending(obj):
            if _ORPHAN in finalizers:
                self._let_go(uid)
                self._finish(resource, obj, _ORPHAN)
            elif _FOREGROUND in finalizers:
                self._foreground(uid, resource, obj)
            return None
        self._collect(resource, obj)
        return None

    def _get(self, uid: str) -> tuple[Object | None, Resource | None]:
        place = self._known.get(uid)
        if place is None:
            return None, None
        resource, namespace, name = place
        obj = self.api.get(resource, name, namespace or None)
        return (obj, resource) if obj and obj["metadata"]["uid"] == uid else (None, None)

    def _collect(self, resource: Resource, obj: Object) -> None:
        """Deletes an object whose owners are all gone; drops references to those that are when others stay."""
        meta = obj["metadata"]
        references = meta.get("ownerReferences") or []
        if not references:
            return
        there = [one for one in references if self._exists(one["uid"])]
        waited_for = [one for one in there if self._waits(one["uid"])]
        if there and len(waited_for) < len(there):
            if len(there) < len(references):
                patch = {"metadata": {"uid": meta["uid"], "ownerReferences": there}}
                self.api.patch(resource, meta["name"], patch, meta.get("namespace"))
            return
        how = "Foreground" if waited_for and self._owned.get(meta["uid"]) else "Background"
        self.api.delete(resource, meta["name"], meta.get("namespace"), uid=meta["uid"], propagation=how)

    def _exists(self, uid: str) -> bool:
        return self._get(uid)[0] is not None

    def _waits(self, uid: str) -> bool:
        owner, _ = self._get(uid)
        return owner is not None and is_ending(owner) and _FOREGROUND in (owner["metadata"].get("finalizers") or ())

    def _let_go(self, owner: str) -> None:
        for uid in sorted(self._owned.get(owner, ())):
            obj, resource = self._get(uid)
            if obj is None or resource is None:
                continue
            meta = obj["metadata"]
            kept = [one for one in meta.get("ownerReferences") or () if one["uid"] != owner]
            patch = {"metadata": {"uid": meta["uid"], "ownerReferences": kept or None}}
            self.api.patch(resource, meta["name"], patch, meta.get("namespace"))

    def _foreground(self, uid: str, resource: Resource, obj: Object) -> None:
        """Deletes what the owner has; the owner goes when none is left that blocks it."""
        blocking = False
        for owned in sorted(self._owned.get(uid, ())):
            dependent, kind = self._get(owned)
            if dependent is None or kind is None:
                continue
            reference: Object = next(
                (one for one in dependent["metadata"].get("ownerReferences") or () if one["uid"] == uid), {}
            )
            blocking = blocking or bool(reference.get("blockOwnerDeletion"))
            if not is_ending(dependent):
                self._collect(kind, dependent)
        if not blocking:
            self._finish(resource, obj, _FOREGROUND)

    def _finish(self, resource: Resource, obj: Object, finalizer: str) -> None:
        meta = obj["metadata"]
        kept = [one for one in meta.get("finalizers") or () if one != finalizer]
        patch = {"metadata": {"uid": meta["uid"], "finalizers": kept or None}}
        self.api.patch(resource, meta["name"], patch, meta.get("namespace"))


def _owner_uids(obj: Object) -> set[str]:
    return {one["uid"] for one in obj["metadata"].get("ownerReferences") or ()}
