"""The taint that a cordoned node bears."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import NODES, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.node_fit import UNSCHEDULABLE


class CordonController(Controller):
    """``spec.unschedulable`` becomes a taint and back, as the node lifecycle controller does it."""

    name = "cordon"
    watches: ClassVar[Sequence[Resource]] = (NODES,)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        return () if old is not None and old["spec"] == obj["spec"] else (key_of(obj),)

    async def reconcile(self, key: Key) -> float | None:
        node = self.api.get(NODES, key[1])
        if node is None:
            return None
        taints = node["spec"].get("taints") or []
        others = [one for one in taints if one["key"] != UNSCHEDULABLE]
        cordoned = bool(node["spec"].get("unschedulable"))
        if cordoned != (len(others) < len(taints)):
            added = {"key": UNSCHEDULABLE, "effect": "NoSchedule", "timeAdded": rfc3339(self.clock.now())}
            self.api.patch(NODES, key[1], {"spec": {"taints": [*others, added] if cordoned else others or None}})
        return None
