"""What ctrl+c asks. It never stops an operation: those belong to the engine."""

from __future__ import annotations

from collections.abc import Sequence

from lazarus_tui.model.operation import Operation
from lazarus_tui.view import status
from lazarus_tui.view.text import Line, line, muted, span
from screens.notice import Notice


def detach_notice(running: Sequence[Operation]) -> Notice:
    lines: list[Line] = [
        line("   ", status.operation_state(each.state), "  ", span(each.title, limit=52)) for each in running[:5]
    ]
    if running:
        lines.append(line(muted(" They go on in the engine; the next lazarus shows them again.")))
    else:
        lines.append(line(muted(" Nothing runs. The engine ends by itself when it is idle.")))
    return Notice("Leave the console?", lines, "Stay", "Detach")
