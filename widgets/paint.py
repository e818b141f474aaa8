"""From spans to strips: tones become the theme's styles, and a line is cut or padded to a width in cells."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from lazarus_tui.view.text import Line, Tone

ELLIPSIS = "…"

# For terminals whose font has nothing beyond Latin (the Linux console); each one stands for itself in one cell.
_PLAIN_GLYPHS = str.maketrans("✓✗▲▶○●■━─…↶›→←↑↓▸‖≠▁▂▃▄▅▆▇█┄·", "+x!>o*#=-~<>><^v>|#__..::##-.")


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
        plain = getattr(self.app, "plain_glyphs", False)
        segments = [
            Segment(part.text.translate(_PLAIN_GLYPHS) if plain else part.text, self.tone(part.tone, cursor=cursor))
            for part in found
            if part.text
        ]
        strip = Strip(segments)
        if offset:
            strip = strip.crop(min(offset, strip.cell_length))
        blank = self.tone(Tone.PLAIN, cursor=cursor)
        if strip.cell_length > width > 0:
            strip = Strip.join(
                [strip.crop(0, width - 1), Strip([Segment(ELLIPSIS, self.tone(Tone.MUTED, cursor=cursor))])]
            )
        return strip.adjust_cell_length(width, blank)


class Scrolled(Painted, ScrollView):
    """Painted lines that scroll. Subclasses repaint what differs; a growing number of lines lays nothing out anew."""

    DEFAULT_CSS = """
    Scrolled { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; height: 1fr; }
    """

    def set_rows(self, count: int) -> None:
        """Tell the scroll bar how many lines there are. Setting ``virtual_size`` itself would repaint the screen."""
        size = Size(max(1, self.scrollable_content_region.width), count)
        if size == self.virtual_size:
            return
        room = self.container_size.height
        fixed = self.styles.height is None or not self.styles.height.is_auto
        if fixed and room and (self.virtual_size.height > room) == (count > room):
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)
        else:
            self.virtual_size = size

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = new_value
        if round(old_value) != round(new_value):
            self.repaint_changed()

    def repaint_changed(self) -> None:
        """Refresh those visible lines that differ from what was painted."""
        raise TypeError(f"{type(self).__name__} does not paint")


def difference(old: Line, new: Line) -> tuple[int, int] | None:
    """The cells (first, end) that differ between two lines; ``end`` reaches over the longer one. None: equal."""
    if old == new:
        return None
    before = [(char, part.tone) for part in old for char in part.text]
    after = [(char, part.tone) for part in new for char in part.text]
    same = next((at for at, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), None)
    first = min(len(before), len(after)) if same is None else same
    last = len(after)
    if _cells(before) != _cells(after):
        end = max(_cells(before), _cells(after))
    else:
        behind = len(before)
        while last > first and behind > first and before[behind - 1] == after[last - 1]:
            last, behind = last - 1, behind - 1
        end = _cells(after[:last]) if behind == last else _cells(after)
    return (_cells(after[:first]), end) if end > _cells(after[:first]) else None


def _cells(chars: list[tuple[str, Tone]]) -> int:
    return cell_len("".join(char for char, _ in chars))


def changed(y: int, old: Line, new: Line, width: int) -> list[Region]:
    """The region of line ``y`` to repaint, if any."""
    cells = difference(old, new)
    return [] if cells is None or cells[0] >= width else [Region(cells[0], y, min(cells[1], width) - cells[0], 1)]


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
