"""From the engine's records to metric families. Pure: one sight in, samples out, nothing kept.

Label values come from people and clusters: they are cut, and made valid UTF-8; the exposition escapes the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family

from lazarus_tui.engine.metrics.names import BY_NAME, METRICS
from lazarus_tui.engine.metrics.owed import LACKS, Owed, together
from lazarus_tui.engine.metrics.tally import MOST, OTHER, Proven, Subject
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.downtime import IN_PLACE, at_zero, concerns, row_of
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.parts import DOWN, RUNNING, SHAKY, Part
from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.model.verdict import Verdict

# Workloads of the Overview, policies, Schedules and parts with series of their own, over all contexts; characters of
# a label.
MOST_WORKLOADS, MOST_POLICIES, MOST_SCHEDULES, MOST_PARTS, LONGEST = 1000, 500, 500, 500, 200
RESULTS = {
    Verdict.PASSED: "success",
    Verdict.FAILED: "failure",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NOT_TESTED: "inconclusive",
}
STATES = ("unknown", "connecting", "ready", "stale", "failed")
PART_STATES = {RUNNING: "running", SHAKY: "started_again", DOWN: "down"}
_OPEN = (OpState.RUNNING, OpState.PARKED, OpState.UNDOING)
Waiting = Mapping[str, Sequence[datetime]]  # since when things wait, by context


@dataclass(frozen=True)
class Sight:
    """What the engine knows at a moment. ``rows``: the Overview of each context that has one, by row key.

    ``clusters``: uid of the cluster a context leads to, as far as that is known now. ``queued``: proofs that wait for
    their turn; ``outbox``: notices that wait. ``owed`` by context and policy, ``late`` (seconds) by context and
    Schedule. ``green``: whether a policy stands behind a workload. ``incomplete``: the journal could not be read, so
    ``proofs`` and ``checks`` are old.
    """

    now: datetime
    started: datetime
    version: str = ""
    lag: float = 0.0
    memory: int = 0
    contexts: Mapping[str, str] = field(default_factory=dict)
    operations: Sequence[Operation] = ()
    proofs: Mapping[Subject, Proven] = field(default_factory=dict)
    checks: Mapping[tuple[str, Verdict], int] = field(default_factory=dict)
    folded: int = 0
    rows: Mapping[str, Mapping[str, WorkloadRow]] = field(default_factory=dict)
    clusters: Mapping[str, str] = field(default_factory=dict)
    queued: Waiting = field(default_factory=dict)
    outbox: Sequence[datetime] = ()
    owed: Mapping[tuple[str, str], Owed] = field(default_factory=dict)
    late: Mapping[tuple[str, str], float] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)
    green: Mapping[Subject, bool] = field(default_factory=dict)
    incomplete: bool = False


class Samples:
    """Families by name; ``add`` refuses labels that the table does not name."""

    def __init__(self) -> None:
        self._families: dict[str, CounterMetricFamily | GaugeMetricFamily | InfoMetricFamily] = {}
        for metric in METRICS:
            made = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "info": InfoMetricFamily}[metric.type]
            base = metric.name.removesuffix("_info") if metric.type == "info" else metric.name
            self._families[metric.name] = made(base, metric.help, labels=() if metric.type == "info" else metric.labels)

    def add(self, name: str, value: float, *labels: str) -> None:
        metric, family = BY_NAME[name], self._families[name]
        told = [label(one) for one in labels]
        if len(told) != len(metric.labels):
            raise ValueError(f"{name} has the labels {metric.labels}")
        if isinstance(family, InfoMetricFamily):
            family.add_metric((), dict(zip(metric.labels, told, strict=True)))
        else:
            family.add_metric(told, value)

    def families(self) -> list[Family]:
        return [family for family in self._families.values() if family.samples]


def label(value: str) -> str:
    """At most ``LONGEST`` characters of valid UTF-8."""
    return value[:LONGEST].encode("utf-8", "replace").decode()


def families(sight: Sight) -> list[Family]:
    out = Samples()
    for subject, proven in sight.proofs.items():
        _results(out, subject, proven)
        if subject != OTHER:
            here = _here(sight, subject, proven)
            _last(out, subject, proven, here)
            if here is not False:
                _figures(out, subject, proven)
                _control(out, subject, proven, sight.now, here)
    for kind in sorted({kind for kind, _ in sight.checks}):
        for verdict in Verdict:
            out.add("lazarus_checks_total", sight.checks.get((kind, verdict), 0), kind, _word(verdict))
    left_out = _exposure(out, sight) + _policies(out, sight) + _schedules(out, sight) + _parts(out, sight)
    left_out += _green(out, sight)
    _at_zero(out, sight)
    _queues(out, sight)
    _engine(out, sight, left_out)
    return out.families()


def _word(verdict: Verdict) -> str:
    return verdict.value.lower().replace(" ", "_")


def _seconds(text: str) -> float | None:
    try:
        return parse_rfc3339(text).timestamp() if text else None
    except ValueError:
        return None


def _results(out: Samples, subject: Subject, proven: Proven) -> None:
    """All results of a subject, the zeros too: a series that begins at 1 would hide its first increase."""
    for name, counts in (("restore_tests", proven.results), ("negative_controls", proven.controls)):
        told = Counter[str](dict.fromkeys(("success", "failure", "inconclusive"), 0))
        for verdict, count in counts.items():
            told[RESULTS[verdict]] += count
        for result, count in told.items():
            out.add(f"lazarus_{name}_total", count, *subject, result)


def _here(sight: Sight, subject: Subject, proven: Proven) -> bool | None:
    """Whether it was proven in the cluster that its context leads to now; None: one of the two is not known."""
    now = sight.clusters.get(subject.context, "")
    return proven.cluster_uid == now if now and proven.cluster_uid else None


def _last(out: Samples, subject: Subject, proven: Proven, here: bool | None) -> None:
    """A green counts in the cluster that is there now. While that is not known a red one is told still: an alarm must
    not end because a cluster does not answer."""
    last = proven.last
    if last is None:
        return
    counts = here or (here is None and last.verdict is not Verdict.PASSED)
    said = last.verdict if counts else Verdict.NOT_TESTED
    for verdict in Verdict:
        out.add("lazarus_proof_last_result", said is verdict, *subject, _word(verdict))
    passed = "" if here is False else proven.last_passed
    for name, text in (("timestamp", last.ended), ("success_timestamp", passed)):
        if (at := _seconds(text)) is not None:
            out.add(f"lazarus_proof_last_{name}_seconds", at, *subject)
    out.add("lazarus_proof_last_info", 1, *subject, last.point, last.operation)
    if last.left is not None:
        out.add("lazarus_proof_leftovers", last.left, *subject)


def _figures(out: Samples, subject: Subject, proven: Proven) -> None:
    for name, figure in (("rto", "time"), ("rpo", "point")):
        if name in proven.objectives:
            more = ("objective",) if name == "rto" else ()
            out.add(f"lazarus_recovery_{figure}_objective_seconds", proven.objectives[name], *subject, *more)
    found = proven.measured.figures if proven.measured is not None else None
    if found is None or found.rta_seconds is None:
        return
    out.add("lazarus_recovery_time_actual_seconds", found.rta_seconds, *subject)
    out.add("lazarus_recovery_time_objective_seconds", found.rta_seconds, *subject, "actual")
    for phase in found.rta_phases:
        out.add("lazarus_recovery_time_phase_seconds", phase.seconds, *subject, phase.name)
    if found.rpa_seconds is not None:
        out.add("lazarus_recovery_point_actual_seconds", found.rpa_seconds, *subject)


def _control(out: Samples, subject: Subject, proven: Proven, now: datetime, here: bool | None) -> None:
    failed = any(one.verdict is Verdict.FAILED for one in proven.control.values())
    if failed or (here and proven.control):
        out.add("lazarus_negative_control_failed", failed, *subject)
    if (at := _seconds(proven.control_red)) is not None:
        out.add("lazarus_negative_control_age_seconds", max(0.0, now.timestamp() - at), *subject)


def _exposure(out: Samples, sight: Sight) -> int:
    """How many workloads were left out. What is unknown has no sample: not 0, and not protected."""
    found = [(context, key, row) for context, rows in sorted(sight.rows.items()) for key, row in sorted(rows.items())]
    for context, key, row in found[:MOST_WORKLOADS]:
        if row.newest is not None or row.listed("backups"):
            out.add("lazarus_workload_protected", row.newest is not None, context, key)
        for name, point in (("protected", row.newest), ("proven", row.newest_proven)):
            at = _seconds(point.start) if point is not None else None
            if at is not None:
                out.add(f"lazarus_exposure_{name}_seconds", max(0.0, sight.now.timestamp() - at), context, key)
    return max(0, len(found) - MOST_WORKLOADS)


def _policies(out: Samples, sight: Sight) -> int:
    """How many policies have no series of their own: what is late by them is told together."""
    found = sorted(sight.owed.items())
    told = [(*key, owed) for key, owed in found[:MOST_POLICIES]]
    rest = [owed for _, owed in found[MOST_POLICIES:]]
    for context, policy, owed in [*told, *([("", OTHER.workload, together(rest))] if rest else [])]:
        out.add("lazarus_policy_overdue", owed.overdue, context, policy)
        for lack in LACKS:
            if owed.unknown is not None or owed.late.get(lack):  # nobody has looked: that nothing lacks is not known
                out.add("lazarus_points_late", owed.late.get(lack, 0), context, policy, lack)
        for name, count in (("expected", owed.expected), ("unknown", owed.unknown)):
            if count is not None:
                out.add(f"lazarus_points_{name}", count, context, policy)
    return len(rest)


def _green(out: Samples, sight: Sight) -> int:
    found = sorted(sight.green.items())
    for subject, green in found[:MOST]:
        out.add("lazarus_policy_green", green, *subject)
    return max(0, len(found) - MOST)


def _schedules(out: Samples, sight: Sight) -> int:
    found = sorted(sight.late.items())
    for (context, schedule), seconds in found[:MOST_SCHEDULES]:
        out.add("lazarus_schedule_overdue_seconds", seconds, context, schedule)
    return max(0, len(found) - MOST_SCHEDULES)


def _parts(out: Samples, sight: Sight) -> int:
    found = sorted(sight.parts.items())
    for name, part in found[:MOST_PARTS]:
        for state, word in PART_STATES.items():
            out.add("lazarus_engine_part_state", part.state == state, name, word)
        out.add("lazarus_engine_part_failures_total", part.total, name)
    return max(0, len(found) - MOST_PARTS)


def _at_zero(out: Samples, sight: Sight) -> None:
    """Of each workload the newest restore in place: an older one may have ended there and been put right since."""
    restores = sorted((each for each in sight.operations if each.kind == IN_PLACE), key=lambda one: one.started)
    newest = {(each.context, each.target): each for each in restores}
    for (context, target), each in list(newest.items())[:MOST_WORKLOADS]:
        if concerns(each):
            row = row_of(each, sight.rows.get(context, {}))
            out.add("lazarus_workload_at_zero", at_zero(each, row), context, target)


def _queues(out: Samples, sight: Sight) -> None:
    asked: dict[str, list[datetime]] = {context: [] for context in sight.contexts}
    for each in sight.operations:
        at = _seconds(str(each.facts.get("restore.t4") or ""))
        if each.state is OpState.RUNNING and at is not None and not each.facts.get("restore.t5"):
            asked.setdefault(each.context, []).append(datetime.fromtimestamp(at, UTC))
    for name, waiting in (("restore", asked), ("proof", sight.queued)):
        for context, times in waiting.items():
            out.add(f"lazarus_{name}_queue_length", len(times), context)
            out.add(f"lazarus_{name}_queue_oldest_seconds", _oldest(times, sight.now), context)


def _oldest(times: Iterable[datetime], now: datetime) -> float:
    return max((max(0.0, (now - one).total_seconds()) for one in times), default=0.0)


def _engine(out: Samples, sight: Sight, left_out: int) -> None:
    for context, state in sight.contexts.items():
        for one in STATES:
            out.add("lazarus_context_state", state == one, context, one)
    counts = Counter((each.context, each.kind, each.state) for each in sight.operations if each.state in _OPEN)
    for (context, kind, op_state), count in sorted(counts.items()):
        out.add("lazarus_operations_open", count, context, kind, op_state.value)
    out.add("lazarus_outbox_waiting", len(sight.outbox))
    out.add("lazarus_outbox_oldest_seconds", _oldest(sight.outbox, sight.now))
    out.add("lazarus_engine_info", 1, sight.version)
    out.add("lazarus_engine_start_time_seconds", sight.started.timestamp())
    out.add("lazarus_engine_loop_lag_seconds", sight.lag)
    out.add("lazarus_engine_memory_bytes", sight.memory)
    out.add("lazarus_metrics_incomplete", sight.incomplete)
    out.add("lazarus_metrics_left_out", sight.folded + left_out)


class Snapshot:
    """A collector of families that are made already; one for each scrape, in a registry of its own."""

    def __init__(self, found: Sequence[Family]) -> None:
        self._found = found

    def collect(self) -> Iterator[Family]:
        return iter(self._found)
