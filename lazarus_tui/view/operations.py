"""Operations: rows for the list, and the lines of one operation: steps, progress, figures with their definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from lazarus_tui.model.operation import (
    CheckResult,
    Figures,
    Operation,
    OpState,
    Phase,
    StageProgress,
    StepState,
    StepView,
)
from lazarus_tui.model.proofs import ABOUT, RECORD
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import status, times
from lazarus_tui.view.sanitise import Safe, clean
from lazarus_tui.view.sheet import Column, Sheet
from lazarus_tui.view.text import (
    BLANK,
    Line,
    Span,
    Tone,
    accent,
    heading,
    labelled,
    line,
    muted,
    plain,
    span,
    strong,
    wrap,
)

COLUMNS = (
    Column("title", "OPERATION", 0, 30, 60, key="N", middle=True),
    Column("state", "STATE", 0, 9, 16, key="S"),
    Column("step", "STEP", 1, 10, 44),
    Column("verdict", "VERDICT", 0, 12, 16),
    Column("started", "STARTED", 0, 5, 12, right=True, key="A"),
    Column("took", "TOOK", 0, 5, 9, right=True),
    Column("id", "ID", 2, 8, 26),
)


def elapsed(operation: Operation, now: datetime) -> float:
    """Seconds since the start for one that runs, the measured duration for one that ended."""
    if operation.state.open:
        return float(int(max(0.0, times.seconds_since(operation.started, now) or operation.seconds)))
    return operation.seconds or _between(operation.started, operation.ended)


def moves(operation: Operation) -> bool:
    """Whether it goes on by itself; a parked one waits for a person."""
    return operation.state.open and operation.state is not OpState.PARKED


def took(operation: Operation, now: datetime) -> str:
    """Whole seconds while it counts, the measured figure when it is over."""
    spent = elapsed(operation, now)
    return times.duration(spent) if operation.state.open else times.measured(spent)


def _between(start: str, end: str) -> float:
    first, last = times.moment(start), times.moment(end)
    return 0.0 if first is None or last is None else (last - first).total_seconds()


def current(operation: Operation) -> tuple[int, StepView] | None:
    """The step that runs or stopped (1-based number and step), None when all are done and between two steps.

    While an operation goes on, a step that fell and that it outlived is not it: a proof cleans up after any fault.
    """
    begun = _begun(operation)
    for number, step in enumerate(operation.steps, 1):
        outlived = step.state is StepState.FAILED and operation.state.open and number < begun
        if step.state in (StepState.RUNNING, StepState.UNKNOWN, StepState.FAILED) and not outlived:
            return number, step
    return None


def _begun(operation: Operation) -> int:
    """The number of the last step that is more than planned, 0 when none is."""
    return max((n for n, step in enumerate(operation.steps, 1) if step.state is not StepState.PLANNED), default=0)


def followed(operation: Operation) -> Operation:
    """Only the steps up to the one a watcher wants to see: the current one, and between two steps the one before."""
    found = current(operation)
    return msgspec.structs.replace(operation, steps=operation.steps[: found[0] if found else _begun(operation)])


def step_words(operation: Operation) -> str:
    found = current(operation)
    total = len(operation.steps)
    if found is None:
        done = sum(step.state is StepState.DONE for step in operation.steps)
        return f"{done}/{total}"
    return f"{found[0]}/{total} {found[1].title}"


def title(operation: Operation) -> str:
    """What it is in one sentence; of a proof also that its copy is broken on purpose, because a PASSED says then that
    this was noticed, and nothing about the point."""
    words = operation.title or f"{operation.kind} {operation.target}"
    about = (operation.facts.get(fact) for fact in (RECORD, ABOUT))
    control = next((one["control"] for one in about if isinstance(one, Mapping) and one.get("control")), "")
    return f"{words}, control {control}" if control else words


def cells(operation: Operation, now: datetime) -> tuple[Span, ...]:
    return (
        span(title(operation)),
        status.operation_state(operation.state, operation.verdict),
        span(step_words(operation), Tone.PLAIN if operation.state.open else Tone.MUTED),
        muted("-") if operation.state.open else status.verdict(operation.verdict),
        span(times.age(operation.started, now)),
        span(took(operation, now)),
        muted(operation.id),
    )


def order(operation: Operation, column: str) -> Any:
    values: Mapping[str, Any] = {
        "title": operation.title,
        "state": operation.state.value,
        "started": operation.started,
        "verdict": operation.verdict.value,
    }
    return values.get(column, operation.id)


def worth_a_look(operation: Operation) -> bool:
    """It stopped, waits for a person, or came to a verdict that is not good."""
    judged = operation.state is OpState.DONE and operation.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)
    return judged or operation.state in (OpState.FAILED, OpState.LEFT_CHANGED, OpState.PARKED)


SHEET: Sheet[Operation] = Sheet(
    columns=COLUMNS,
    cells=cells,
    order=order,
    text=lambda operation: f"{title(operation)} {operation.kind} {operation.target} {operation.state} {operation.id}",
    sort="started",
    descending=True,
    faulty=worth_a_look,
    nothing="no operation has run here yet",
    what="operations",
)


def headline(operation: Operation, now: datetime, here: str = "") -> tuple[Line, Line]:
    """Two lines: what it is and how it stands; time spent, estimate with its basis, age of the last change.

    An operation of another context than ``here`` says which.
    """
    first = line(
        " ",
        strong(title(operation)),
        "   ",
        status.operation_state(operation.state, operation.verdict),
        *([span(f"   in {operation.context}", Tone.WARN)] if here not in ("", operation.context) else []),
    )
    facts: list[Span | str] = [" ", muted("took " if not operation.state.open else "for "), took(operation, now)]
    if operation.state.open:
        still = max(0.0, times.seconds_since(operation.changed or operation.started, now) or 0.0)
        facts += [muted("   last change "), f"{times.duration(float(int(still)))} ago"]
    if operation.recoveries:
        facts += [muted(f"   resumed {operation.recoveries}×")]
    if operation.estimate_seconds is not None:  # with its basis, which a narrow terminal cuts: so it comes last
        facts += [muted("   expected "), times.expected(operation.estimate_seconds)]
        facts += [muted(f" ({operation.estimate_basis})")]
    elif operation.state.open:
        facts += [muted(f"   expected: {operation.estimate_basis}")]
    return first, line(*facts)


def bar(stage: StageProgress, width: int) -> Line:
    """One stage as a bar of ``width`` cells with its amounts; without a total it is words only.

    Few spans: each costs its colour codes again whenever the line is painted.
    """
    words = times.amount(stage.done, stage.total, stage.unit)
    name = muted(f"     {clean(stage.stage, 12):<12} ")
    if not stage.total:
        return line(name, muted(words))
    share = min(1.0, max(0.0, stage.done / stage.total))
    full = int(share * width)
    return line(name, accent("━" * full), muted(f"{'─' * (width - full)} {share * 100:3.0f}%  {words}"))


# Units that are counted, also when there is only one of them.
_COUNTED = frozenset({"items", "bytes", "orders", "replicas"})
# More volumes than this are counted: the list of steps stays in sight.
_VOLUMES_SHOWN = 8


def volume(stage: StageProgress, width: int) -> Line:
    """One volume of a step that is about several: done or not, and in its own words."""
    mark = status.step_mark(StepState.DONE if stage.done else StepState.PLANNED)
    words = clean(stage.unit, max(8, width - len(stage.stage) - 12))
    return line("     ", mark, " ", span(stage.stage, limit=60), muted(f"  {words}"))


def stages(progress: Sequence[StageProgress], width: int) -> list[Line]:
    """Bars for what is counted, a line for each single thing; what is not done yet comes first when there are many."""
    single = [stage for stage in progress if stage.total == 1 and stage.unit not in _COUNTED]
    bars = [stage for stage in progress if stage not in single]
    if len(single) > _VOLUMES_SHOWN:
        single.sort(key=lambda stage: stage.done)
    lines = [bar(stage, max(10, min(30, width - 44))) for stage in bars[:4]]
    lines += [volume(stage, width) for stage in single[:_VOLUMES_SHOWN]]
    if len(single) > _VOLUMES_SHOWN:
        hidden = single[_VOLUMES_SHOWN:]
        lines.append(line(muted(f"     … and {len(hidden)} more, {sum(stage.done for stage in hidden)} of them done")))
    return lines


# Characters of what a step at work says of itself: the steps below it stay in sight.
_SAID = 240


def step_lines(step: StepView, now: datetime, width: int, room: int, *, whole: bool = True) -> list[Line]:
    """A step's line (mark, title, time, detail), and its bars while it runs. ``whole``: what it waits for, or why it
    stopped, stands below the line where it does not fit beside it; else it is cut."""
    tone = Tone.MUTED if step.state in (StepState.PLANNED, StepState.SKIPPED) else Tone.PLAIN
    spent = step.seconds
    if step.state is StepState.RUNNING:
        spent = max(spent, times.seconds_since(step.started, now) or 0.0)
        tone = Tone.STRONG
    mark = status.step_mark(step.state)
    title = span(f" {clean(step.title, room):<{room}} ", tone)
    running = step.state is StepState.RUNNING
    words = times.duration(float(int(spent))) if running else times.measured(spent)
    took = f"{words if spent else '':>7}  "
    detail, below = clean(step.detail, max(8, width - room - 16)), list[Line]()
    at_it = step.state in (StepState.RUNNING, StepState.UNKNOWN, StepState.FAILED)
    if at_it and whole and detail != (said := clean(step.detail, _SAID)):
        detail, below = clean(""), wrap(said, width - 1, Tone.MUTED, 5)
    found = [line(Span(Safe(f"   {mark.text}"), mark.tone), title, muted(f"{took}{detail}")), *below]
    return [*found, *stages(step.progress, width)] if at_it else found


def checklist(operation: Operation, now: datetime, width: int) -> list[Line]:
    room = min(max((len(step.title) for step in operation.steps), default=0), 46, max(20, width - 34))
    return [part for step in operation.steps for part in step_lines(step, now, width, room)]


def at_work(operation: Operation, now: datetime, width: int) -> int:
    """The line of the body that a watcher wants to see: the last one of the step that runs."""
    return max(0, len(checklist(followed(operation), now, width)) - 1)


def figure(label: str, value: str, definition: str, tone: Tone = Tone.STRONG) -> Line:
    return line(muted(f" {label:<14} "), span(f"{value:>8}", tone), muted(f"   {definition}"))


def _phase(phase: Phase) -> Line:
    value = span(f"{times.measured(phase.seconds):>8}", limit=12)
    return line(" " * 16, value, "   ", span(f"{phase.name:<10} ", limit=24), muted(phase.definition))


# Operations that only change a record: there is nothing in them that a verdict could be about.
_UNJUDGED = frozenset(
    {"velero.pause-schedule", "velero.unpause-schedule", "velero.delete-backup", "velero.delete-restore"}
)


def figures(found: Figures) -> list[Line]:
    """Each figure with its definition; what was not measured says so."""
    lines: list[Line] = []
    if found.rta_definition or found.rta_seconds is not None:
        lines.append(figure("recovery time", times.measured(found.rta_seconds), found.rta_definition))
    lines += map(_phase, found.rta_phases)
    if found.rpa_definition or found.rpa_seconds is not None:
        lines.append(figure("data lost", times.measured(found.rpa_seconds), found.rpa_definition))
    if found.orders_lost is not None:
        words = f"of {found.orders_at_loss}; {found.orders_restored} restored"
        lines.append(figure("orders lost", str(found.orders_lost), words))
        lines += [line(" " * 27, muted(found.lost_definition))] if found.lost_definition else []
    elif found.lost_definition:
        lines.append(figure("orders lost", "unknown", found.lost_definition.removeprefix("unknown: ")))
    if found.watermark:
        lines.append(figure("newest data", "", f"{found.watermark}, found in the restored copy"))
    if found.engine_seconds is not None:
        lines.append(figure("Lazarus", times.measured(found.engine_seconds), "its own share, not waiting for others"))
    return lines


def check_lines(check: CheckResult, width: int) -> list[Line]:
    """A check's verdict, time, name and what it saw: below its name where it does not fit beside it."""
    found = status.verdict(check.verdict)
    head = line("   ", found, " " * (14 - len(found.text)), f" {times.measured(check.seconds):>6}  ",
                span(check.name, Tone.STRONG, 40), "  ")  # fmt: skip
    summary = span(check.summary, Tone.MUTED, 600)
    if len(plain(head)) + len(summary.text) < width:
        return [(*head, summary)]
    return [head, *wrap(summary.text, width - 1, Tone.MUTED, 26)]


def said(operation: Operation, width: int) -> list[Line]:
    """Its message, what to do next, and that it waits."""
    lines: list[Line] = []
    if operation.message:
        tone = Tone.PLAIN if operation.state is OpState.DONE else Tone.WARN
        lines += [BLANK, *wrap(operation.message, width - 2, tone, 1)]
    if operation.hint:
        lines += wrap(f"→ {operation.hint}", width - 2, Tone.ACCENT, 1)
    if operation.state is OpState.PARKED:
        undo = ", u takes it back" if operation.can_undo else ""
        lines += [BLANK, line(" ", span(f"▲ it waits for you: r lets it go on{undo}", Tone.WARN))]
    return lines


def taking_back(operation: Operation, width: int) -> list[Line]:
    """What undo means, where there is one."""
    if not operation.can_undo:
        return []
    means = f": {operation.undo}" if operation.undo else ""
    first, *rest = wrap(f"takes this operation back{means}", width - 1, Tone.PLAIN, 3)
    return [BLANK, line(" ", accent("u "), *first[1:]), *rest]


def conclusion(operation: Operation, width: int) -> list[Line]:
    """Message, verdict, checks and figures: what stands below the steps at the end (or when it is stuck)."""
    lines = said(operation, width)
    if operation.state.open:  # a verdict before the end would be a green that nothing stands behind
        lines += [BLANK, heading(" Checks so far")] if operation.checks else []
    elif operation.checks or (operation.figures is not None and operation.kind not in _UNJUDGED):
        lines += [BLANK, line(accent(" Verdict  "), status.verdict(operation.verdict))]
    lines += [part for check in operation.checks for part in check_lines(check, width)]
    untested = operation.facts.get("checks.untested")
    if isinstance(untested, list) and untested and not operation.state.open:
        lines += wrap(f"not tested: {', '.join(map(str, untested))}", width - 4, Tone.MUTED, 3)
    if operation.figures is not None and not operation.state.open:
        lines += [BLANK, heading(" Measured"), *figures(operation.figures)]
    for key in ("evidence", "point", "backup", "restore", "set"):
        if isinstance(operation.facts.get(key), str):
            lines.append(labelled(key, span(operation.facts[key], limit=300), width=14))
    return lines + taking_back(operation, width)


def body(operation: Operation, now: datetime, width: int) -> list[Line]:
    """While it runs: the steps, then what it says. When it has ended or waits for a person: that first."""
    steps, result = checklist(operation, now, width), conclusion(operation, width)
    if moves(operation) or not result:
        return [*steps, *result]
    return [*result, BLANK, heading(" Steps"), *steps]
