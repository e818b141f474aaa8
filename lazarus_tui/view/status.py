"""Status is a glyph and a word; colour only repeats it. Phases Lazarus does not know are shown as they are."""

from __future__ import annotations

from lazarus_tui.model.operation import OpState, StepState
from lazarus_tui.model.sets import SetState
from lazarus_tui.model.snapshots import SnapshotState
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view.sanitise import clean
from lazarus_tui.view.text import Span, Tone, span

GOOD, WARN, BAD, RUN, WAIT, ASK = "✓", "▲", "✗", "▶", "○", "?"

_PHASES: dict[str, tuple[str, Tone]] = {
    "Completed": (GOOD, Tone.GOOD),
    "Enabled": (GOOD, Tone.GOOD),
    "Available": (GOOD, Tone.GOOD),
    "Processed": (GOOD, Tone.GOOD),
    "PartiallyFailed": (WARN, Tone.WARN),
    "FinalizingPartiallyFailed": (WARN, Tone.WARN),
    "WaitingForPluginOperationsPartiallyFailed": (WARN, Tone.WARN),
    "Canceled": (WARN, Tone.WARN),
    "Failed": (BAD, Tone.BAD),
    "FailedValidation": (BAD, Tone.BAD),
    "Unavailable": (BAD, Tone.BAD),
    "InProgress": (RUN, Tone.ACCENT),
    "WaitingForPluginOperations": (RUN, Tone.ACCENT),
    "Finalizing": (RUN, Tone.ACCENT),
    "Deleting": (RUN, Tone.WARN),
    "Prepared": (WAIT, Tone.MUTED),
    "Accepted": (WAIT, Tone.MUTED),
    "New": (WAIT, Tone.MUTED),
    "Queued": (WAIT, Tone.MUTED),
    "ReadyToStart": (WAIT, Tone.MUTED),
}
# 25 characters do not fit a column at 80 cells; the long phases get a short word, the describe pane has the original.
_SHORT = {
    "WaitingForPluginOperations": "Waiting: plugins",
    "WaitingForPluginOperationsPartiallyFailed": "Waiting, part failed",
    "FinalizingPartiallyFailed": "Finalizing, part failed",
}
_VERDICTS = {
    Verdict.PASSED: (GOOD, Tone.GOOD),
    Verdict.FAILED: (BAD, Tone.BAD),
    Verdict.INCONCLUSIVE: (WARN, Tone.WARN),
    Verdict.NOT_TESTED: (WAIT, Tone.MUTED),
}
_STEPS = {
    StepState.PLANNED: (WAIT, Tone.MUTED),
    StepState.RUNNING: (RUN, Tone.ACCENT),
    StepState.DONE: (GOOD, Tone.GOOD),
    StepState.UNKNOWN: (ASK, Tone.WARN),
    StepState.FAILED: (BAD, Tone.BAD),
    StepState.SKIPPED: ("-", Tone.MUTED),
    StepState.UNDONE: ("↶", Tone.WARN),
}
_OPERATIONS = {
    OpState.RUNNING: (RUN, Tone.ACCENT),
    OpState.PARKED: (WARN, Tone.WARN),
    OpState.UNDOING: ("↶", Tone.WARN),
    OpState.DONE: (GOOD, Tone.GOOD),
    OpState.FAILED: (BAD, Tone.BAD),
    OpState.UNDONE: ("↶", Tone.WARN),
    OpState.LEFT_CHANGED: (BAD, Tone.BAD),
}
_SETS = {
    SetState.READY: (GOOD, Tone.GOOD),
    SetState.TAKING: (RUN, Tone.ACCENT),
    SetState.INCOMPLETE: (BAD, Tone.BAD),
    SetState.FAILED: (BAD, Tone.BAD),
    SetState.DELETING: (RUN, Tone.WARN),
}
_SNAPSHOTS = {
    SnapshotState.PENDING: (WAIT, Tone.MUTED),
    SnapshotState.CUT: (RUN, Tone.ACCENT),
    SnapshotState.READY: (GOOD, Tone.GOOD),
    SnapshotState.ERROR: (BAD, Tone.BAD),
    SnapshotState.DELETING: (RUN, Tone.WARN),
}
_SEVERITIES = {"error": (BAD, Tone.BAD), "warning": (WARN, Tone.WARN), "info": ("·", Tone.MUTED)}


def phase(word: str, absent: str = "New", *, whole: bool = False) -> Span:
    """A Velero phase. An empty one means that nobody has looked at the object yet; ``whole``: as Velero writes it."""
    word = word or absent
    glyph, tone = _PHASES.get(word, (ASK, Tone.WARN))
    shown = clean(word, 100) if whole else _SHORT.get(word, clean(word, 40))
    return span(f"{glyph} {shown}", tone)


def verdict(found: Verdict) -> Span:
    glyph, tone = _VERDICTS[found]
    return span(f"{glyph} {found.value}", tone)


def set_state(state: SetState) -> Span:
    glyph, tone = _SETS[state]
    return span(f"{glyph} {state.value}", tone)


def member_state(state: SnapshotState) -> Span:
    glyph, tone = _SNAPSHOTS[state]
    return span(f"{glyph} {state.value}", tone)


def step_mark(state: StepState) -> Span:
    glyph, tone = _STEPS[state]
    return span(glyph, tone)


def operation_state(state: OpState, judged: Verdict = Verdict.NOT_TESTED) -> Span:
    """The state of an operation. One that ran to its end with a bad verdict is done, not well: no green for it."""
    glyph, tone = _OPERATIONS[state]
    if state is OpState.DONE and judged in (Verdict.FAILED, Verdict.INCONCLUSIVE):
        glyph, tone = "■", Tone.MUTED
    return span(f"{glyph} {state.value}", tone)


def outcome(state: OpState, judged: Verdict) -> Span:
    """How an operation stands in one span: its verdict once it is done and judged, else its state."""
    return verdict(judged) if state is OpState.DONE and judged is not Verdict.NOT_TESTED else operation_state(state)


def severity_mark(severity: str) -> Span:
    glyph, tone = _SEVERITIES.get(severity, (ASK, Tone.WARN))
    return span(glyph, tone)


def severity_tone(severity: str) -> Tone:
    return _SEVERITIES.get(severity, (ASK, Tone.WARN))[1]


def failed(word: str) -> bool:
    """Whether a phase is one to look at (the faults-only filter)."""
    return _PHASES.get(word, (ASK, Tone.WARN))[1] in (Tone.BAD, Tone.WARN)
