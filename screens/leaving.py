"""What ctrl+c asks, and q while an application is frozen. It never stops an operation: those belong to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.view import freezes, operations, status
from lazarus_tui.view.text import BLANK, Line, Tone, line, muted, span
from screens.notice import Notice

# Cells of a line of a notice, on a terminal of 80 columns.
_WIDTH = 66


def detach_notice(running: Sequence[Operation], now: datetime, *, linked: bool = True, known: bool = True) -> Notice:
    """``running``: open operations, as last told; ``linked``: the engine answers; ``known``: that is all of them."""
    lines: list[Line] = []
    for each in freezes.frozen(running)[:3]:
        lines += freezes.lines(each, now, _WIDTH, linked=linked)
    frozen = bool(lines)
    lines += [BLANK] if frozen else []
    lines += [
        line("   ", status.operation_state(each.state), "  ", span(operations.title(each), limit=52))
        for each in running[:5]
    ]
    parked = [each for each in running if each.state is OpState.PARKED]
    if running and known and not parked:
        lines.append(line(muted(" They go on in the engine; the next lazarus shows them again.")))
    elif running and known:
        goes = "What runs goes on in the engine; what" if len(parked) < len(running) else "What"
        lines.append(line(muted(f" {goes} is parked waits to be resumed.")))
    elif running:
        lines.append(line(muted(" That was told last; the next lazarus takes up what is open.")))
    elif not known:
        lines.append(line(muted(" What runs is not known now; it goes on without a console.")))
    else:
        lines.append(line(muted(" Nothing runs. The engine ends by itself when it is idle.")))
    return Notice("Leave the console?", lines, "Stay", "Detach", tone=Tone.WARN if frozen else Tone.ACCENT)
