"""A column per run: recovery times side by side with their target, oldest on the left, in lines of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import status, times
from lazarus_tui.view.text import Line, Span, Tone, line, muted, span

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_LABEL = 9  # cells for the amounts on the left


@dataclass(frozen=True, slots=True)
class Bar:
    """One run: seconds, None where nothing was measured, and its verdict."""

    seconds: float | None
    verdict: Verdict


def plot(bars: Sequence[Bar], target: float | None, width: int, height: int = 4) -> list[Line]:
    """``height`` lines of columns, a dotted one where the target is, and a line of verdicts below them.

    As many of the newest runs as fit. Nothing at all where no run was measured.
    """
    shown = list(bars)[-max(1, (width - _LABEL) // 2) :]
    measured = [bar.seconds for bar in shown if bar.seconds is not None]
    if not measured:
        return []
    top = max([*measured, target or 0.0]) or 1.0
    at = math.ceil((target or 0.0) / top * height) if target else 0
    rows = [_row(shown, target, top, row, height, dotted=row == at) for row in range(height, 0, -1)]
    labels = {height: times.measured(top)} | ({at: times.measured(target)} if at else {})
    found = [line(muted(f"{labels.get(height - n, ''):>{_LABEL - 1}} "), *row) for n, row in enumerate(rows)]
    marks = [part for bar in shown for part in (_mark(bar), span(" "))]
    return [*found, line(muted(f"{'verdict':>{_LABEL - 1}} "), *marks)]


def _row(bars: Sequence[Bar], target: float | None, top: float, row: int, height: int, *, dotted: bool) -> list[Span]:
    found = []
    for bar in bars:
        filled = 0 if bar.seconds is None else round(bar.seconds / top * height * 8) - (row - 1) * 8
        if row == 1 and bar.seconds is not None:
            filled = max(1, filled)  # what was measured is seen, however short it was
        glyph = _EIGHTHS[max(0, min(8, filled))]
        blank = "┄" if dotted else " "
        tone = Tone.MUTED if glyph == " " else _tone(bar, target)
        found.append(span(f"{glyph if glyph != ' ' else blank}{blank}", tone))
    return found


def _tone(bar: Bar, target: float | None) -> Tone:
    if target is not None and bar.seconds is not None and bar.seconds > target:
        return Tone.WARN
    return Tone.ACCENT if bar.verdict is Verdict.PASSED else Tone.PLAIN


def _mark(bar: Bar) -> Span:
    found = status.verdict(bar.verdict)
    return span(found.text[0], found.tone)
