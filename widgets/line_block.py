"""A block of lines that repaints only the lines that changed: header, banner, cards, checklists, progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.geometry import Size
from textual.strip import Strip

from lazarus_tui.view.text import BLANK, Line
from widgets.paint import Painted, changed


class LineBlock(Painted):
    """Shows ``lines``; its height follows their number (a layout) unless the style fixes it."""

    DEFAULT_CSS = """
    LineBlock { height: auto; width: 1fr; }
    """

    def __init__(self, lines: Sequence[Line] = (), **arguments: Any) -> None:
        super().__init__(**arguments)
        self._lines: list[Line] = list(lines)

    @property
    def lines(self) -> list[Line]:
        return self._lines

    def show(self, lines: Sequence[Line]) -> None:
        """Replace the lines. Equal lines cost nothing, changed ones their own cells."""
        before, self._lines = self._lines, list(lines)
        if len(before) != len(self._lines):
            self.refresh(layout=True)
            return
        width = self.size.width
        pairs = enumerate(zip(before, self._lines, strict=True))
        stale = [region for y, (old, new) in pairs for region in changed(y, old, new, width)]
        if stale:
            self.refresh(*stale)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        return self.paint(self._lines[y] if y < len(self._lines) else BLANK, self.size.width)
