"""Proofs counted: from the journal when the engine starts, then as they end. A counter never falls, nor starts again.

What a proof is counted under (its subject) comes from its plan. There are so many subjects at most; later ones are
counted together, because a series that is made once is kept by Prometheus for weeks.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.operation import Figures, Operation, OpState
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.proofs import UNKEPT, fell_short, record_of
from lazarus_tui.model.verdict import Verdict

KIND = "prove.run"
# Subjects with series of their own; each has about forty.
MOST = 500


class Subject(NamedTuple):
    """``workload``: what the proof is about, "shop" or "shop/StatefulSet/orders"; ``policy`` "": started by hand."""

    context: str
    policy: str
    workload: str


OTHER = Subject("", "", "(other)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is kept of an operation: its facts and steps would be megabytes. ``left`` None: it was never judged.
    ``cluster_uid``: of its plan; ``start``: when its point began, "" where that was not recorded."""

    operation: str
    verdict: Verdict
    ended: str
    point: str = ""
    left: int | None = None
    figures: Figures | None = None
    cluster_uid: str = ""
    start: str = ""

    @classmethod
    def of(cls, operation: Operation, cluster_uid: str = "") -> Outcome:
        record, verdict = record_of(operation.facts), operation.verdict
        if verdict is Verdict.PASSED and (record is None or fell_short(operation, operation.state)):
            verdict = Verdict.INCONCLUSIVE  # green is only what came to its end, and can be read
        return cls(
            operation.id, verdict, operation.ended, record.point if record else "",
            len(record.left) if record else None, operation.figures, cluster_uid, record.point_start if record else "",
        )  # fmt: skip

    @property
    def age(self) -> tuple[datetime, str]:
        """The newer its point the newer it is, then the later it ended: an older point that was proven since does not
        hide how the newest one stands."""
        return parse_rfc3339(self.start or self.ended), self.ended


@dataclass
class Proven:
    """What is known of one subject. ``last``: the newest proof of its newest point; ``control``: of each kind of
    negative control the newest that came to something: that one kind is noticed says nothing of another. All but the
    counters is of one cluster, the one it was proven in last."""

    results: Counter[Verdict] = field(default_factory=Counter)
    controls: Counter[Verdict] = field(default_factory=Counter)
    cluster_uid: str = ""
    newest: str = ""  # when the newest of all ended
    last: Outcome | None = None
    last_passed: str = ""
    measured: Outcome | None = None  # the newest with a recovery time
    control: dict[str, Outcome] = field(default_factory=dict)
    control_red: str = ""  # when a control last went red, as it should
    objectives: dict[str, float] = field(default_factory=dict)  # of the newest plan: rto, rpo


class Events(Protocol):
    """An event of the journal."""

    @property
    def op(self) -> str: ...
    @property
    def body(self) -> dict[str, Any]: ...


class Journal(Protocol):
    """What counting needs of the journal."""

    async def events_of(self, kind: str) -> Iterable[Events]: ...

    async def find(self, prefix: str) -> list[Operation]: ...

    async def plan(self, op: str) -> Plan | None: ...


class Tally:
    """``load`` once; ``changed`` with every change of an operation; ``settle`` before it is read."""

    def __init__(self, journal: Journal, most: int = MOST) -> None:
        self._journal, self._most = journal, most
        self._counted: dict[str, Subject] = {}  # of each operation that was counted
        self._pending: dict[str, Operation] = {}
        self._loaded = False
        self._turn = asyncio.Lock()  # two scrapes at once must not count the same proof twice
        self.proofs: dict[Subject, Proven] = {}
        self.checks: Counter[tuple[str, Verdict]] = Counter()
        self.folded: set[Subject] = set()

    def changed(self, operation: Operation) -> None:
        if operation.kind != KIND:
            return
        if operation.id not in self._counted:
            self._pending[operation.id] = operation
        elif UNKEPT in operation.facts:
            self._kept(operation)

    def _kept(self, operation: Operation) -> None:
        """The evidence of a proof that was counted without is there: its subject stands otherwise, counters do not."""
        proven, record = self.proofs[self._counted[operation.id]], record_of(operation.facts)
        found = Outcome.of(operation, (record.cluster_uid if record else "") or operation.cluster_uid)
        if proven.last is not None and proven.last.operation == operation.id:
            proven.last = found = Outcome.of(operation, proven.cluster_uid)
        if found.cluster_uid != proven.cluster_uid or operation.state in (OpState.FAILED, OpState.LEFT_CHANGED):
            return  # of one that broke off nothing is proven, whatever its record says
        if record is not None and record.control:
            _controlled(proven, found, record.control)
        elif found.verdict is Verdict.PASSED:
            proven.last_passed = max(proven.last_passed, found.ended)

    async def settle(self) -> None:
        """Count what has ended since. Raises ``JournalError``; then nothing of what is left is lost."""
        async with self._turn:
            if not self._loaded:
                await self._load()
            for op, operation in sorted(self._pending.items(), key=lambda item: item[1].ended):
                await self._take(operation)
                if self._pending.get(op) is operation:
                    del self._pending[op]

    async def _load(self) -> None:
        for event in await self._journal.events_of("op.begun"):
            if event.body.get("kind") == KIND and event.op not in self._counted:
                for operation in await self._journal.find(event.op):
                    await self._take(operation)
        self._loaded = True

    async def _take(self, operation: Operation) -> None:
        """A subject is known from the start of its first proof on: its counters are 0 before they are 1."""
        if operation.id in self._counted:
            return
        plan = await self._journal.plan(operation.id)
        params: dict[str, Any] = plan.params if plan is not None else {}
        subject = self._subject(operation, params)
        proven = self.proofs.setdefault(subject, Proven())
        if not operation.ended:
            return
        self._counted[operation.id] = subject
        for check in operation.checks:
            self.checks[check.kind, check.verdict] += 1
        found = Outcome.of(operation, plan.cluster_uid if plan is not None else operation.cluster_uid)
        # One that ended without its evidence was counted as such, and a counter never falls.
        ended_as = (
            Verdict.INCONCLUSIVE if UNKEPT in operation.facts and found.verdict is Verdict.PASSED else found.verdict
        )
        (proven.controls if params.get("control") else proven.results)[ended_as] += 1
        if not _of_its_cluster(proven, found):
            return
        if kind := str(params.get("control") or ""):
            _controlled(proven, found, kind)
        else:
            _proved(proven, found, params)

    def _subject(self, operation: Operation, params: dict[str, Any]) -> Subject:
        about = "/".join(filter(None, (str(params.get("namespace") or ""), str(params.get("workload") or ""))))
        found = Subject(operation.context, str(params.get("policy") or ""), about or operation.target)
        if found in self.proofs or len(self.proofs) - (OTHER in self.proofs) < self._most:
            return found
        self.folded.add(found)
        return OTHER


def _of_its_cluster(proven: Proven, found: Outcome) -> bool:
    """Whether it is of the cluster that stands for the subject; with a newer one of another cluster that one does, and
    nothing of the former is left but the counters."""
    if found.cluster_uid != proven.cluster_uid:
        if found.ended < proven.newest:
            return False
        proven.last = proven.measured = None
        proven.control = {}
        proven.last_passed = proven.control_red = ""
        proven.cluster_uid = found.cluster_uid
    proven.newest = max(proven.newest, found.ended)
    return True


def _proved(proven: Proven, found: Outcome, params: dict[str, Any]) -> None:
    if found.verdict is Verdict.PASSED:
        proven.last_passed = max(proven.last_passed, found.ended)
    if proven.last is None or found.age >= proven.last.age:
        proven.last = found
        proven.objectives = _objectives(params)
    measured = found.figures is not None and found.figures.rta_seconds is not None
    if measured and (proven.measured is None or found.ended >= proven.measured.ended):
        proven.measured = found


def _controlled(proven: Proven, found: Outcome, kind: str) -> None:
    """PASSED says that the broken copy went red."""
    if found.verdict is Verdict.PASSED:
        proven.control_red = max(proven.control_red, found.ended)
    came_to_something = found.verdict in (Verdict.PASSED, Verdict.FAILED)
    old = proven.control.get(kind)
    if came_to_something and (old is None or found.ended >= old.ended):
        proven.control[kind] = found


def _objectives(params: dict[str, Any]) -> dict[str, float]:
    wanted = params.get("targets") or {}
    found = {name: wanted.get(f"{name}_seconds") for name in ("rto", "rpo")}
    return {name: float(said) for name, said in found.items() if isinstance(said, int | float)}
