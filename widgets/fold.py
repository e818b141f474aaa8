"""Long lines folded at spaces, so that nothing of them is out of sight."""

from __future__ import annotations

import re
from itertools import groupby

from rich.cells import cell_len

from lazarus_tui.view.sanitise import Safe
from lazarus_tui.view.text import Line, Span, plain

# A label and the gap after it: what it labels stays in its column.
_LABEL = re.compile(r"\s*\S{1,20}(?: \S{1,20}){0,3} {2,}(?=\S)")


def fold(found: Line, width: int) -> list[Line]:
    """``found`` in lines of at most ``width`` cells; the later ones are indented a little more than the first."""
    text = plain(found)
    if width < 8 or cell_len(text) <= width:
        return [found]
    tones = [part.tone for part in found for _ in part.text]
    label = _LABEL.match(text)
    indent = min(label.end() if label else len(text) - len(text.lstrip()) + 2, width // 2)
    lines: list[Line] = []
    start = 0
    while start < len(text):
        hang = indent if lines else 0
        end = _end(text, start, width - hang)
        spans = [
            Span(Safe("".join(text[at] for at in part)), tone)
            for tone, part in groupby(range(start, end), key=tones.__getitem__)
        ]
        lines.append((Span(Safe(" " * hang)), *spans) if hang else tuple(spans))
        start = end
        while start < len(text) and text[start] == " ":
            start += 1
    return lines


def _end(text: str, start: int, room: int) -> int:
    """Where the line from ``start`` ends: at the last space in its second half, else where there is no more room."""
    end, used = start, 0
    while end < len(text) and (used := used + cell_len(text[end])) <= room:
        end += 1
    if end < len(text):
        space = text.rfind(" ", start, end + 1)
        end = space if space > start + room // 2 else end
    return max(end, start + 1)
