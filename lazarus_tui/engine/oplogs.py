"""Operations and their logs on the hub: what the runner says, and what the journal knows of older ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.hub import Hub
from lazarus_tui.engine.proof_topics import ProofTopics
from lazarus_tui.engine.runner import Runner
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.proofs import RECORD
from lazarus_tui.model.topics import LogLine, Topic

# Logs of operations kept on the hub, lines of each, and operations listed.
MAX_LOGS, MAX_LINES, MAX_OPERATIONS = 32, 5000, 400
# Characters of all logs on the hub, about; what goes is read from the journal again when somebody asks for it.
MAX_TEXT = 32 * 1024 * 1024


class OperationTopics:
    """``changed`` and ``said`` are the runner's callbacks; ``fetch`` brings an older log from the journal."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.proofs = ProofTopics(hub)
        self._newest: OrderedDict[str, int] = OrderedDict()  # operation -> number of its newest line on the hub
        self._text: dict[str, int] = {}  # operation -> characters of the lines that were put there
        self._whole: set[str] = set()  # operations whose log is on the hub from its first line
        self._known: OrderedDict[str, Operation] = OrderedDict()  # operations on the hub, oldest first
        hub.open(Topic.OPERATIONS)

    def listed(self, operations: Iterable[Operation]) -> None:
        """The operations known at the start, newest first."""
        found = {operation.id: operation for operation in operations}
        self._known.update((id, _kept(operation)) for id, operation in reversed(found.items()))
        self.proofs.listed(found.values())
        self._hub.publish(Topic.OPERATIONS, found)
        self._hub.set_state(Topic.OPERATIONS, "ready")

    def changed(self, operation: Operation) -> None:
        self._known[operation.id] = _kept(operation)
        # One that is open waits for somebody, however old it is.
        over = len(self._known) - MAX_OPERATIONS
        gone = [id for id, one in self._known.items() if not one.state.open][:over] if over > 0 else []
        for id in gone:
            del self._known[id]
        self.proofs.changed(operation)
        self._hub.publish(Topic.OPERATIONS, {operation.id: operation}, gone)

    def known(self) -> tuple[Operation, ...]:
        """Operations on the hub, oldest first; of a proof that has ended only the record among its facts."""
        return tuple(self._known.values())

    def said(self, op: str, lines: Sequence[LogLine]) -> None:
        """New lines; the hub keeps the newest."""
        if lines and lines[0].n == 1:
            self._whole.add(op)
        self._put(op, lines)

    def _put(self, op: str, lines: Sequence[LogLine]) -> None:
        topic = f"{Topic.OPERATION_LOG}/{op}"
        last = max(self._newest.get(op, 0), max((line.n for line in lines), default=0))
        self._newest[op] = last
        self._newest.move_to_end(op)
        self._text[op] = self._text.get(op, 0) + sum(len(line.text) for line in lines)
        known = self._hub.keys(topic)
        old = [key for key in known if int(key) <= last - MAX_LINES] if len(known) > MAX_LINES else []
        self._hub.publish(topic, {str(line.n): line for line in lines}, old)
        self._hub.set_state(topic, "ready")
        while len(self._newest) > MAX_LOGS or (len(self._newest) > 1 and sum(self._text.values()) > MAX_TEXT):
            gone, _ = self._newest.popitem(last=False)
            self._whole.discard(gone)
            del self._text[gone]
            self._hub.close(f"{Topic.OPERATION_LOG}/{gone}")

    async def fetch(self, runner: Runner, op: str) -> None:
        """Make ``oplog/<op>`` known from its first line; an operation that does not exist stays unknown."""
        if op in self._whole:
            return
        try:
            found = await runner.get(op)
        except Refused:
            return
        if found.id == op:
            self._put(op, await runner.lines(op))
            self._whole.add(op)


def _kept(operation: Operation) -> Operation:
    """What is looked at again by the engine: the facts of a proof are most of it, and the hub has them for consoles."""
    if operation.state.open or RECORD not in operation.facts:
        return operation
    return msgspec.structs.replace(operation, facts={RECORD: operation.facts[RECORD]})
