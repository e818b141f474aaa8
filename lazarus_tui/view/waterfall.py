"""Where the recovery time went: a bar per phase, each beginning where the one before ended."""

from __future__ import annotations

from collections.abc import Sequence

from lazarus_tui.model.operation import Phase
from lazarus_tui.view import times
from lazarus_tui.view.sanitise import clean
from lazarus_tui.view.text import Line, Tone, accent, line, muted, span

_HEAD = 25  # cells before the bars
_WIDEST = 60
# From here on there is room for what a phase is, beside its bar.
_ROOMY = 110


def lines(phases: Sequence[Phase], width: int) -> list[Line]:
    """One line per phase; what took no time to speak of is a dot."""
    total = sum(max(0.0, phase.seconds) for phase in phases)
    if total <= 0:
        return []
    room = max(10, min(_WIDEST, width - _HEAD - 6 - (45 if width >= _ROOMY else 0)))
    found, passed = [], 0.0
    for phase in phases:
        begin = round(passed / total * room)
        passed += max(0.0, phase.seconds)
        long = round(passed / total * room) - begin
        bar = accent("━" * long) if long else muted("·")
        share = f" {100 * phase.seconds / total:.0f}%" if phase.seconds / total >= 0.005 else ""
        row = [span(f"   {clean(phase.name, 11):<11}"), span(f"{times.measured(phase.seconds):>8}   ", Tone.STRONG)]
        row += [span(" " * begin, limit=200), bar, muted(share)]
        if width >= _ROOMY:
            used = begin + max(1, long) + len(share)
            definition = clean(phase.definition, max(10, width - _HEAD - room - 7))
            row += [muted(f"{' ' * max(1, room + 6 - used)}{definition}")]
        found.append(line(*row))
    return found
