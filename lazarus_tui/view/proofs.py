"""Proofs per workload as rows: how far it was proven, when, how long it took against its target, and what controls say.

A row stands for every workload of the Overview, proven or not, and for what was proven and is not there any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any

from lazarus_tui.model.proofs import About, Ladder, ProofRecord, ProofView, Reached, Target
from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import ladder, status, times
from lazarus_tui.view.sheet import Column, Sheet
from lazarus_tui.view.text import Span, Tone, muted, span

# How many of the last verdicts stand in a row.
_LAST = 5
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

COLUMNS = (
    Column("workload", "WORKLOAD", 0, 12, 44, key="N"),
    Column("proof", "LAST PROOF", 0, 18, 24, key="S"),
    Column("reached", "PROVEN UP TO", 0, 18, 20),
    Column("rta", "BACK IN", 1, 7, 10, right=True, key="O"),
    Column("control", "CONTROL", 2, 7, 10),
    Column("runs", "LAST", 3, 4, 6, right=True),
    Column("rpa", "DATA LOST", 4, 9, 10, right=True),
    Column("target", "TARGET", 5, 6, 9, right=True),
    Column("point", "POINT", 6, 18, 52, middle=True),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One proof as one workload sees it; without a record nothing was judged. ``ladder`` is the workload's own."""

    view: ProofView
    ladder: Ladder | None = None

    @property
    def about(self) -> About:
        return self.view.about

    @property
    def record(self) -> ProofRecord | None:
        return self.view.record

    @property
    def open(self) -> bool:
        return self.view.state.open

    @property
    def counts(self) -> bool:
        """Whether it was judged, and in the cluster that its context leads to now."""
        return self.record is not None and self.view.here is True

    @property
    def verdict(self) -> Verdict:
        """Of this workload; of a control, whether it was noticed. Nothing is judged before the end."""
        record = self.record
        if self.open or record is None:
            return Verdict.NOT_TESTED if self.open else self.view.verdict
        return record.verdict if record.control or self.ladder is None else record.verdict_of(self.ladder)

    @property
    def alone(self) -> bool:
        """Whether it was about this workload and no other one."""
        record, own = self.record, self.ladder
        if record is None or own is None:
            return False
        return len(record.ladders) == 1 or own.workload == f"{record.namespace}/{record.workload}"

    def target(self, name: str) -> Target | None:
        return self.record.target(name) if self.record and not self.about.control else None

    @property
    def rta(self) -> float | None:
        return None if self.about.control else self.view.rta_seconds

    @property
    def rpa(self) -> float | None:
        return None if self.about.control else self.view.rpa_seconds


@dataclass(frozen=True)
class Proven:
    """A row. ``workload``: ``Kind/name``, "" for a namespace as a whole. All runs newest first.

    What follows from its runs, of which there may be a thousand, is found once (``gathering``).
    """

    namespace: str
    workload: str
    runs: tuple[Run, ...] = ()
    row: WorkloadRow | None = None

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.workload}" if self.workload else self.namespace

    @cached_property
    def last(self) -> Run | None:
        """The newest judged proof of the newest point that was proven: an older point that passed or failed since does
        not hide how the newest one stands."""
        judged = (run for run in self.runs if run.counts and not run.about.control)
        return max(judged, key=_point_of, default=None)

    @cached_property
    def control(self) -> Run | None:
        """The control that counts: the newest that was judged, but one that was not noticed stands until its own kind
        is."""
        return self._unnoticed or next((run for run in self.runs if run.counts and run.about.control), None)

    @property
    def unnoticed(self) -> bool:
        """Whether a control that was not noticed stands: then no green of its checks counts."""
        return self._unnoticed is not None

    @cached_property
    def _unnoticed(self) -> Run | None:
        """Of the controls that came to something and were not noticed the newest; of each kind the last one counts.
        That of the workload alone is not made good by one of several, of which another one may have been noticed."""
        last: dict[tuple[str, bool], Run] = {}
        tried = [run for run in self.runs if run.counts and run.about.control and run.verdict in _SAID]
        for run in sorted(tried, key=_ended):
            last[run.about.control, run.alone] = run
            if run.alone and run.verdict is Verdict.PASSED:
                last.pop((run.about.control, False), None)
        return max((run for run in last.values() if run.verdict is Verdict.FAILED), key=_ended, default=None)

    @cached_property
    def elsewhere(self) -> bool:
        """Whether it was proven, but in another cluster, or in one that was not recorded."""
        return self.last is None and any(run.record is not None and not run.about.control for run in self.runs)

    @cached_property
    def open(self) -> Run | None:
        return next((run for run in self.runs if run.open), None)

    @property
    def title(self) -> str:
        return f"{self.namespace}/{self.workload.rpartition('/')[2]}" if self.workload else self.namespace


# What a control comes to when the copy could be broken.
_SAID = (Verdict.PASSED, Verdict.FAILED)


def _ended(run: Run) -> str:
    return run.view.ended


def _point_of(run: Run) -> datetime:
    """When its point began; where that was not recorded, it began before the proof did."""
    begun = run.record.point_start if run.record is not None else ""
    return times.moment(begun) or times.moment(run.view.started) or _LONG_AGO


def runs_of(found: ProofView) -> list[tuple[str, Run]]:
    """(key, run) for each workload that a proof is about; while they are not known, the key is their namespace."""
    if found.record is not None and found.record.ladders:
        return [(each.workload, Run(found, each)) for each in found.record.ladders]
    known = found.about
    return [(f"{known.namespace}/{known.workload}" if known.workload else known.namespace, Run(found))]


def proof(found: Proven, now: datetime) -> Span:
    """What runs now; else the last verdict with its age. A green that no control stands behind is not shown as one."""
    running, last = found.open, found.last
    if running is not None:
        spent = times.duration(float(int(max(0.0, times.seconds_since(running.view.started, now) or 0.0))))
        state = status.operation_state(running.view.state)
        return span(f"{state.text} {spent}", state.tone)
    if last is None:
        return muted("○ not tested here") if found.elsewhere else status.verdict(Verdict.NOT_TESTED)
    age = times.coarse(last.view.ended, now)
    doubted = last.verdict is Verdict.PASSED and found.unnoticed
    verdict = status.verdict(Verdict.INCONCLUSIVE if doubted else last.verdict)
    return span(f"{verdict.text} {age}", verdict.tone)


def measured(seconds: float | None, target: Target | None) -> Span:
    """A figure, and whether its target was held; what was not measured is unknown, never held."""
    if seconds is None:
        return span("unknown", Tone.WARN) if target and target.objective_seconds is not None else muted("-")
    words = times.measured(seconds)
    if target is None or target.result is Reached.NONE:
        return span(words)
    if target.result is Reached.MISSED:
        return span(f"{words} {status.BAD}", Tone.BAD)
    return span(f"{words} {status.GOOD}" if target.result is Reached.MET else words)


def control(found: Proven, now: datetime) -> Span:
    """Whether a copy that was broken on purpose was noticed, and when that was last tried."""
    run = found.control
    if run is None:
        return muted("○ never")
    verdict = status.verdict(run.verdict)
    return span(f"{verdict.text[0]} {times.coarse(run.view.ended, now)}", verdict.tone)


def last_verdicts(found: Proven) -> Span:
    """Glyphs of the last proofs, the newest on the right."""
    judged = list(islice((run for run in found.runs if run.counts and not run.about.control), _LAST))
    marks = "".join(status.verdict(run.verdict).text[0] for run in reversed(judged))
    return span(marks or "-", Tone.PLAIN if judged else Tone.MUTED)


def cells(found: Proven, now: datetime) -> tuple[Span, ...]:
    last = found.last
    rto = last.target("rto") if last else None
    objective = rto.objective_seconds if rto else None
    return (
        span(found.title),
        proof(found, now),
        ladder.strip(last.ladder if last else None),
        measured(last.rta, rto) if last else muted("-"),
        control(found, now),
        last_verdicts(found),
        measured(last.rpa, last.target("rpo")) if last else muted("-"),
        muted("-") if objective is None else span(times.duration(objective)),
        muted(last.about.point) if last else muted("-"),
    )


def order(found: Proven, column: str) -> Any:
    last = found.last
    values: Mapping[str, Any] = {
        "proof": (last.verdict.value, last.view.ended) if last else ("", ""),
        "rta": (last.rta if last else None) or -1.0,
    }
    return values.get(column, found.title)


def worth_a_look(found: Proven) -> bool:
    """Not proven, a target missed, or a control that nobody noticed."""
    last, tried = found.last, found.control
    if last is None or last.verdict is not Verdict.PASSED or last.record is None:
        return True
    if any(target.result is Reached.MISSED for target in last.record.targets):
        return True
    return tried is not None and tried.verdict is not Verdict.PASSED


SHEET: Sheet[Proven] = Sheet(
    columns=COLUMNS,
    cells=cells,
    order=order,
    text=lambda found: f"{found.key} {found.last.verdict if found.last else Verdict.NOT_TESTED}",
    namespaces=lambda found: (found.namespace,),
    sort="workload",
    faulty=worth_a_look,
    nothing="no workload with a name of its own was found in this cluster, and nothing was proven",
    what="workloads",
    velero=False,
)

RUN_COLUMNS = (
    Column("started", "STARTED", 0, 7, 9, right=True, key="A"),
    Column("verdict", "VERDICT", 0, 14, 16, key="S"),
    Column("point", "POINT", 0, 16, 52, middle=True),
    Column("reached", "UP TO", 0, 16, 20),
    Column("rta", "BACK IN", 1, 7, 10, right=True, key="O"),
    Column("rpa", "DATA LOST", 2, 9, 10, right=True),
    Column("source", "FROM", 4, 6, 9),
    Column("id", "ID", 3, 8, 16, key="N"),
)


def _up_to(run: Run) -> Span:
    """The highest rung; a control says how the copy was broken: it is about the checks, not about the point."""
    if run.about.control:
        return span(f"control {run.about.control}", Tone.ACCENT)
    reached = run.ladder.reached if run.ladder else ""
    return span(reached) if reached else muted("-" if run.record is None else "nothing")


def run_verdict(run: Run) -> Span:
    """What was judged in another cluster, or in one that was not recorded, is not shown as this one's."""
    if run.open:
        return status.operation_state(run.view.state)
    if run.record is None or run.counts:
        return status.verdict(run.verdict)
    return muted("○ other cluster" if run.view.here is False else "○ which cluster?")


def run_cells(run: Run, now: datetime) -> tuple[Span, ...]:
    return (
        span(times.age(run.view.started, now)),
        run_verdict(run),
        span(run.about.point or "?"),
        _up_to(run),
        measured(run.rta, run.target("rto")),
        measured(run.rpa, run.target("rpo")),
        muted(run.about.source or "-"),
        muted(run.view.id),
    )


def _run_order(run: Run, column: str) -> Any:
    values: Mapping[str, Any] = {"verdict": run.verdict.value, "rta": run.rta or -1.0, "id": run.view.id}
    return values.get(column, run.view.started)


RUN_SHEET: Sheet[Run] = Sheet(
    columns=RUN_COLUMNS,
    cells=run_cells,
    order=_run_order,
    text=lambda run: f"{run.view.id} {run.about.point} {run.verdict} {run.about.control}",
    namespaces=lambda run: (run.about.namespace,),
    sort="started",
    descending=True,
    faulty=lambda run: run.verdict is not Verdict.PASSED,
    nothing="nothing of it was proven yet: p proves its newest usable point",
    what="proofs",
    velero=False,
)


def measured_runs(found: Proven) -> Sequence[Run]:
    """Judged proofs proper, oldest first: what a trend is drawn of."""
    return [run for run in reversed(found.runs) if run.counts and not run.about.control]
