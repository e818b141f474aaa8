"""What proves by itself as rows: each workload of each policy, how it stands, and what comes next.

A green that its policy does not stand behind (a control that nobody noticed, or that is too old) is not shown as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lazarus_tui.model.proof_policies import Entry, ProofPolicyRow, Standing, State, Subject
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import status, times
from lazarus_tui.view.sheet import Column, Sheet
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import Span, Tone, muted, span

COLUMNS = (
    Column("policy", "POLICY", 0, 8, 40, key="N", middle=True),
    Column("workload", "WORKLOAD", 0, 12, 44),
    Column("stands", "STANDS", 0, 14, 24, key="S"),
    Column("next", "NEXT", 0, 9, 14),
    Column("control", "CONTROL", 1, 9, 16),
    Column("queue", "QUEUE", 2, 5, 12),
    Column("point", "POINT", 3, 18, 52, middle=True),
)


@dataclass(frozen=True, slots=True)
class Stand:
    """One workload of a policy; ``standing`` None while no workload of it is known. ``entries``: its policy's, in the
    order of the queue."""

    row: ProofPolicyRow
    standing: Standing | None = None
    entries: tuple[Entry, ...] = ()

    @property
    def name(self) -> str:
        return self.row.policy.name

    @property
    def workload(self) -> str:
        return str(self.standing.subject) if self.standing is not None else ""

    @property
    def namespace(self) -> str:
        return self.standing.subject.namespace if self.standing is not None else ""

    @property
    def own(self) -> tuple[Entry, ...]:
        """What is queued of this workload."""
        return tuple(one for one in self.entries if str(one.subject) == self.workload)


def title(subject: Subject) -> str:
    """``shop/orders``, as lists call workloads; the namespace where all of it is meant."""
    name = subject.workload.rpartition("/")[2]
    return f"{subject.namespace}/{name}" if name else subject.namespace


class Gathered:
    """Policies and queue as one topic; made anew when one of both has news. Without the policies nobody knows any."""

    def __init__(self) -> None:
        self._of: tuple[Any, Any] = (None, None)
        self._records: dict[str, Stand] = {}

    def __call__(self, policies: TopicState, queue: TopicState) -> TopicState:
        if policies.state in ("loading", "failed"):
            return replace(policies, records={})
        if self._of[0] is not policies.records or self._of[1] is not queue.records:
            self._of = (policies.records, queue.records)
            self._records = stands(policies.records.values(), queue.records.values())
        return replace(policies, records=self._records)


def stands(rows: Iterable[ProofPolicyRow], entries: Iterable[Entry]) -> dict[str, Stand]:
    """Rows by ``policy workload``."""
    by_policy: dict[str, list[Entry]] = {}
    for one in entries:
        by_policy.setdefault(one.policy, []).append(one)
    found = {}
    for row in rows:
        own = tuple(in_order(by_policy.get(row.policy.name, ())))
        for standing in row.standings or (None,):
            stand = Stand(row, standing, own)
            found[f"{stand.name} {stand.workload}"] = stand
    return found


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """What runs, what waits, oldest first; then what ended, newest first."""
    every = list(entries)
    going = sorted((one for one in every if one.state.open), key=lambda one: (one.state is State.WAITING, one.queued))
    return [*going, *sorted((one for one in every if not one.state.open), key=lambda one: one.ended, reverse=True)]


def verdict(standing: Standing | None, now: datetime) -> Span:
    """How a workload stands, and since when."""
    if standing is None or standing.verdict is Verdict.NOT_TESTED:
        return status.verdict(Verdict.NOT_TESTED)
    age = times.coarse(standing.at, now)
    if standing.verdict is Verdict.PASSED and not standing.green:
        return span(f"{status.WARN} not green {age}", Tone.WARN)
    shown = status.verdict(standing.verdict)
    return span(f"{shown.text} {age}", shown.tone)


_CONTROLS = {
    "": ("-", Tone.MUTED),
    "due": (f"{status.WAIT} due", Tone.MUTED),
    "red": (f"{status.GOOD} noticed", Tone.GOOD),
    "failed": (f"{status.BAD} unnoticed", Tone.BAD),
    "inconclusive": (f"{status.WARN} unclear", Tone.WARN),
    "stale": (f"{status.WARN} too old", Tone.WARN),
}


def control(standing: Standing | None, now: datetime) -> Span:
    """Whether a copy that was broken on purpose was noticed, and when that was last tried."""
    if standing is None:
        return muted("-")
    words, tone = _CONTROLS.get(standing.control, (f"{status.ASK} {standing.control}", Tone.WARN))
    return span(f"{words} {times.coarse(standing.control_at, now)}" if standing.control_at else words, tone)


def next_run(row: ProofPolicyRow, now: datetime) -> Span:
    """What it does next; first of all, that it does nothing, or should have."""
    if not row.enabled:
        return muted(f"{status.WAIT} not enabled")
    if row.overdue:
        return span(f"{status.WARN} OVERDUE", Tone.WARN)
    if row.trouble:
        return span(f"{status.WARN} held up", Tone.WARN)
    if row.next:
        return span(times.age(row.next, now))
    return span("each backup") if row.policy.on_completion else muted("by hand")


def queued(row: ProofPolicyRow) -> Span:
    if not row.running and not row.waiting:
        return muted("-")
    parts = [f"{status.RUN} {row.running}"] * bool(row.running) + [f"{status.WAIT} {row.waiting}"] * bool(row.waiting)
    return span(" ".join(parts), Tone.ACCENT if row.running else Tone.PLAIN)


def cells(found: Stand, now: datetime) -> tuple[Span, ...]:
    one = found.standing
    return (
        span(found.name),
        span(title(one.subject)) if one is not None else muted("none yet"),
        verdict(one, now),
        next_run(found.row, now),
        control(one, now),
        queued(found.row),
        muted(one.point) if one is not None and one.point else muted("-"),
    )


def order(found: Stand, column: str) -> Any:
    values: Mapping[str, Any] = {"stands": found.standing.verdict.value if found.standing else ""}
    return (values.get(column, ""), found.name, found.workload)


def worth_a_look(found: Stand) -> bool:
    """Not green, overdue, or kept from running."""
    row, one = found.row, found.standing
    return bool(row.overdue or row.trouble or one is None or not one.green)


SHEET: Sheet[Stand] = Sheet(
    columns=COLUMNS,
    cells=cells,
    order=order,
    text=lambda found: f"{found.name} {found.workload} {found.standing.verdict if found.standing else ''}",
    namespaces=lambda found: (found.namespace,) if found.namespace else (),
    sort="policy",
    faulty=worth_a_look,
    nothing="nothing is proven by itself in this context: lazarus policy apply -f FILE (docs/proof.md)",
    what="policies",
    velero=False,
)


# The sandbox brings a policy of its own along, which only has to be enabled.
NOTHING_IN_SANDBOX = (
    "nothing is proven by itself yet: lazarus --sandbox policy enable shop has each backup of the shop proven as it "
    "completes (docs/proof.md)"
)


def standing_words(rows: Sequence[ProofPolicyRow]) -> list[Span]:
    """How many workloads of policies stand how, the bad ones first; policies that do nothing or are late, too."""
    found = [one for row in rows for one in row.standings]
    counted = (
        (sum(one.verdict is Verdict.FAILED for one in found), f"{status.BAD} {{}} FAILED", Tone.BAD),
        (sum(_doubted(one) for one in found), f"{status.WARN} {{}} not green", Tone.WARN),
        (sum(bool(row.overdue) for row in rows), f"{status.WARN} {{}} overdue", Tone.WARN),
        (sum(row.enabled and bool(row.trouble) for row in rows), f"{status.WARN} {{}} held up", Tone.WARN),
        (sum(one.green for one in found), f"{status.GOOD} {{}} green", Tone.GOOD),
        (sum(one.verdict is Verdict.NOT_TESTED for one in found), f"{status.WAIT} {{}} not tested", Tone.MUTED),
        (sum(not row.enabled for row in rows), f"{status.WAIT} {{}} off", Tone.MUTED),
    )
    return [span(words.format(count), tone) for count, words, tone in counted if count]


def _doubted(one: Standing) -> bool:
    return one.verdict is Verdict.INCONCLUSIVE or (one.verdict is Verdict.PASSED and not one.green)
