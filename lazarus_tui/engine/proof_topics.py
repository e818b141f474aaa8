"""Proofs on the hub, topics for each context: what ladders show of them, long after their operations left it; and what
proves by itself, with its queue."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

import msgspec

from lazarus_tui.engine.hub import Hub
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.proof_policies import ProofPolicyRow, QueueRow
from lazarus_tui.model.proofs import ProofView, located, view
from lazarus_tui.model.topics import Topic
from lazarus_tui.posture.deciding import Deciding

log = logging.getLogger(__name__)

# Proofs kept on the hub for each context: the oldest go first, unless something is decided by them (posture.deciding);
# however many these are, the newest half of the others stays.
MAX_PROOFS = 1000
# Seconds between two looks at what is queued: a backup of many namespaces queues many proofs at once.
PAUSE = 0.5


class ProofTopics:
    """``opened`` for every context somebody may look at; ``changed`` takes any operation."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._known: dict[str, OrderedDict[str, ProofView]] = {}
        self._clusters: dict[str, str] = {}  # uid of the cluster that a context leads to
        self._deciding: dict[str, Deciding] = {}

    def opened(self, context: str, cluster_uid: str = "") -> None:
        """There is such a context, and this is the cluster it leads to; no proof of it is an answer too."""
        self._hub.open(_topic(context))
        self._clusters[context] = cluster_uid
        known = self._known.setdefault(context, OrderedDict())
        moved = {id: found for id, one in known.items() if (found := located(one, cluster_uid)) != one}
        known.update(moved)
        if moved:
            self._hub.publish(_topic(context), moved)
        self._hub.set_state(_topic(context), "ready")

    def listed(self, operations: Iterable[Operation]) -> None:
        """Those known at the start, older ones before newer ones."""
        news: dict[str, dict[str, ProofView]] = {}
        for operation in sorted(operations, key=lambda each: each.started):
            if (found := self._taken(operation)) is not None:
                news.setdefault(operation.context, {})[found.id] = found
        for context, found_here in news.items():
            self._tell(context, found_here)

    def of(self, context: str) -> tuple[ProofView, ...]:
        """Those of one context, as far as they are kept."""
        return tuple(self._known.get(context, {}).values())

    def changed(self, operation: Operation) -> None:
        if (found := self._taken(operation)) is not None:
            self._tell(operation.context, {found.id: found})

    def _taken(self, operation: Operation) -> ProofView | None:
        """As it is kept from now on; None for what is no proof, and for no news."""
        found = view(operation)
        if found is None:
            return None
        found = located(found, self._clusters.get(operation.context, ""))
        known = self._known.setdefault(operation.context, OrderedDict())
        if known.get(found.id) == found:
            return None
        known[found.id] = found
        self._deciding.setdefault(operation.context, Deciding()).add(found)
        return found

    def _tell(self, context: str, news: Mapping[str, ProofView]) -> None:
        known, gone = self._known[context], self._forgotten(context)
        self._hub.publish(_topic(context), {id: one for id, one in news.items() if id in known}, gone)
        self._hub.set_state(_topic(context), "ready")

    def _forgotten(self, context: str) -> list[str]:
        """The oldest that nothing is decided by, of more than can be held: they are kept no longer."""
        known = self._known[context]
        if len(known) <= MAX_PROOFS:
            return []
        stay = self._deciding[context].ids()
        over = max(0, len(known) - max(MAX_PROOFS, len(stay) + MAX_PROOFS // 2))
        gone = list(islice((id for id in known if id not in stay), over))
        self._deciding[context].forget(gone)
        for id in gone:
            del known[id]
        return gone


class PolicyTopics:
    """``rows`` and ``queue`` tell of one context what policies and queue are now; ``news`` is set when they may have
    changed. What a proof is planned with stays with the engine: lists do not show it."""

    def __init__(
        self, hub: Hub, clock: Clock, news: asyncio.Event, *, rows: Callable[[str], list[ProofPolicyRow]],
        queue: Callable[[str], QueueRow],
    ) -> None:  # fmt: skip
        self._hub, self._clock, self._news = hub, clock, news
        self._rows, self._queue = rows, queue
        self._contexts: set[str] = set()

    def opened(self, context: str) -> None:
        """There is such a context; that nothing proves by itself there is an answer too."""
        self._contexts.add(context)
        self._news.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            for context in self._contexts:
                self._tell(context)
            await self._clock.sleep(PAUSE)

    def _tell(self, context: str) -> None:
        topics = (f"{Topic.POLICIES}/{context}", f"{Topic.QUEUE}/{context}")
        state, reason = "ready", ""
        try:
            rows, queue = self._rows(context), self._queue(context)
        except Exception as error:  # one context must not keep the others from being told
            log.exception("policies of %s", context)
            state, reason = "failed", f"policies and queue cannot be told ({type(error).__name__}); see engine.log"
        else:
            self._hub.replace(topics[0], {one.policy.name: _slim(one) for one in rows})
            self._hub.replace(topics[1], {one.id: msgspec.structs.replace(one, params={}) for one in queue.entries})
        for topic in topics:
            self._hub.set_state(topic, state, reason=reason)


def _slim(row: ProofPolicyRow) -> ProofPolicyRow:
    return msgspec.structs.replace(row, policy=msgspec.structs.replace(row.policy, prove={}))


def _topic(context: str) -> str:
    return f"{Topic.PROOFS}/{context}"
