"""From spans to strips: tones become the theme's styles, and a line is cut or padded to a width in cells."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from lazarus_tui.view.text import Line, Tone

ELLIPSIS = "…"


class Painted(Widget):
    """A widget that paints lines of spans. One style per tone, from the theme; the base of all live widgets here."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"lz--{tone.value}" for tone in Tone} | {"lz--cursor", "lz--head"}

    def tone(self, tone: Tone, *, cursor: bool = False) -> Style:
        style = self.get_component_rich_style(f"lz--{tone.value}")
        if not cursor:
            return style
        under = self.get_component_rich_style("lz--cursor")
        # The sixteen colours of a terminal are nobody's to mix: there the cursor row is one plain bar.
        return under if self.app.native_ansi_color else style + Style(bgcolor=under.bgcolor, bold=style.bold)

    def paint(self, found: Line, width: int, *, cursor: bool = False, offset: int = 0) -> Strip:
        """One strip of exactly ``width`` cells; a longer line is cut with ``…``, shifted left by ``offset`` cells."""
        segments = [Segment(part.text, self.tone(part.tone, cursor=cursor)) for part in found if part.text]
        strip = Strip(segments)
        if offset:
            strip = strip.crop(min(offset, strip.cell_length))
        blank = self.tone(Tone.PLAIN, cursor=cursor)
        if strip.cell_length > width > 0:
            strip = Strip.join(
                [strip.crop(0, width - 1), Strip([Segment(ELLIPSIS, self.tone(Tone.MUTED, cursor=cursor))])]
            )
        return strip.adjust_cell_length(width, blank)


def cell(text: str, width: int, *, right: bool = False, middle: bool = False) -> str:
    """``text`` in exactly ``width`` cells, aligned; too long ones lose their end, or their middle."""
    length = len(text) if text.isascii() else cell_len(text)
    if length <= width:
        pad = " " * (width - length)
        return pad + text if right else text + pad
    if width <= 1:
        return set_cell_size(text, width)
    if middle and width >= 8:
        tail = (width - 1) // 2
        end = text[-tail:]
        while cell_len(end) > tail:
            end = end[1:]
        return set_cell_size(text, width - 1 - cell_len(end)) + ELLIPSIS + end
    return set_cell_size(text, width - 1) + ELLIPSIS
