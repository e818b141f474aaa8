"""The ladder of a workload: each rung as a glyph and a word, with its age and why; and how far a running proof is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from lazarus_tui.model.operation import Operation, StepState, StepView
from lazarus_tui.model.proofs import RUNGS, Ladder, Rung, rung_of_step
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import status, times
from lazarus_tui.view.text import Line, Span, Tone, line, muted, span, wrap

# Where the words about a rung begin.
_WHY = 37


def strip(ladder: Ladder | None) -> Span:
    """All rungs in one cell: a glyph for each, and the word of the one up to which everything passed."""
    if ladder is None:
        return span(f"{status.WAIT * len(RUNGS)} nothing", Tone.MUTED)
    marks = "".join(status.verdict(ladder.rung(name).verdict).text[0] for name in RUNGS)
    red = any(rung.verdict is Verdict.FAILED for rung in ladder.rungs)
    tone = Tone.PLAIN if ladder.reached else Tone.BAD if red else Tone.MUTED
    return span(f"{marks} {ladder.reached or 'nothing'}", tone)


def lines(
    ladder: Ladder, required: Iterable[str], now: datetime, width: int, *, whole: bool = True, judged: str = ""
) -> list[Line]:  # fmt: skip
    """A line per rung, from the first to prove to the last; ``whole``: why in as many lines as it needs. ``judged``:
    when the proof ended, which is how old a rung is that never held and so has no time of its own."""
    wanted = frozenset(required)
    return [part for name in RUNGS for part in _rung(ladder.rung(name), name in wanted, now, width, whole, judged)]


def _rung(rung: Rung, required: bool, now: datetime, width: int, whole: bool, judged: str) -> list[Line]:
    found = status.verdict(rung.verdict)
    red = rung.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)
    age = times.coarse(rung.at or (judged if red else ""), now, "")
    head = line(
        "   ", span(f"{rung.name:<12}", Tone.PLAIN if required else Tone.MUTED), found, " " * (15 - len(found.text)),
        muted(f"{age:>4}   "),
    )  # fmt: skip
    tone = Tone.PLAIN if red else Tone.MUTED
    if not whole:
        return [(*head, span(rung.why, tone, 300))]
    first, *rest = wrap(rung.why[:1500], width - 1, tone, _WHY) or [()]
    return [(*head, *first[1:]), *rest]


_DATA = "checks.run"  # asks what runs about its data too
# Steps that say nothing about the point: they keep, remove and judge, and silence alerts.
_BESIDE = frozenset(
    {"prove.capture", "clean", "shown-clean", "prove.judge", "prove.evidence", "prove.silence", "prove.unsilenced"}
)


def _steps(operation: Operation, rung: str) -> list[StepView]:
    if rung == "data right":
        return [step for step in operation.steps if step.name == _DATA]
    return [step for step in operation.steps if step.name not in _BESIDE and rung_of_step(step.name) == rung]


def live(operation: Operation) -> Line:
    """One line while it runs: which rungs were looked at, which one is at work. Green is only for the judge to give."""
    parts: list[Span] = [muted(" ladder  ")]
    for name in RUNGS[:-1]:
        steps = _steps(operation, name)
        glyph, tone = (status.BAD, Tone.BAD) if _red(operation, name, steps) else _standing(steps)
        parts += [span(f"{glyph} {name}  ", tone)]
    return tuple(parts)


def _red(operation: Operation, rung: str, steps: Sequence[StepView]) -> bool:
    """Whether a needed check of the rung did not hold; one that is still asked again may yet."""
    asked = any(step.name == _DATA and step.state is StepState.DONE for step in steps)
    return asked and any(
        check.verdict is Verdict.FAILED and check.evidence.get("needed", True)
        and check.evidence.get("rung", "healthy") == rung
        for check in operation.checks
    )  # fmt: skip


def _standing(steps: Sequence[StepView]) -> tuple[str, Tone]:
    states = {step.state for step in steps}
    if StepState.FAILED in states:
        return status.BAD, Tone.BAD
    if states & {StepState.RUNNING, StepState.UNKNOWN}:
        return status.RUN, Tone.ACCENT
    if states and states <= {StepState.DONE}:
        return "●", Tone.PLAIN
    if StepState.DONE in states and StepState.PLANNED in states:
        return status.RUN, Tone.ACCENT
    return status.WAIT, Tone.MUTED
