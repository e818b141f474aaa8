"""Proofs on the hub, a topic for each context: what ladders show of them, long after their operations left it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from lazarus_tui.engine.hub import Hub
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.proofs import ProofView, view
from lazarus_tui.model.topics import Topic

# Proofs kept on the hub for each context: the oldest go first.
MAX_PROOFS = 1000


class ProofTopics:
    """``opened`` for every context somebody may look at; ``changed`` takes any operation."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._known: dict[str, OrderedDict[str, ProofView]] = {}

    def opened(self, context: str) -> None:
        """There is such a context; no proof of it is an answer too."""
        self._hub.open(_topic(context))
        self._hub.set_state(_topic(context), "ready")

    def listed(self, operations: Iterable[Operation]) -> None:
        """Those known at the start."""
        for operation in sorted(operations, key=lambda each: each.started):
            self.changed(operation)

    def of(self, context: str) -> tuple[ProofView, ...]:
        """Those of one context, as far as they are kept."""
        return tuple(self._known.get(context, {}).values())

    def changed(self, operation: Operation) -> None:
        found = view(operation)
        if found is None:
            return
        known = self._known.setdefault(operation.context, OrderedDict())
        if known.get(found.id) == found:
            return
        known[found.id] = found
        gone = []
        while len(known) > MAX_PROOFS:
            gone.append(known.popitem(last=False)[0])
        self._hub.publish(_topic(operation.context), {found.id: found}, gone)
        self._hub.set_state(_topic(operation.context), "ready")


def _topic(context: str) -> str:
    return f"{Topic.PROOFS}/{context}"
