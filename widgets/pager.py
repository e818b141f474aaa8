"""A pane of lines to read: scrolls, searches, and follows a growing log; bounded, and it says what it skipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from lazarus_tui.view.filters import Filter, parse
from lazarus_tui.view.sanitise import Safe
from lazarus_tui.view.text import BLANK, Line, Span, Tone, plain
from widgets.fold import fold
from widgets.paint import Scrolled, changed

_FAR = 10_000_000


class Pager(Scrolled, can_focus=True):
    """Lines of spans. ``show`` repaints only changed visible lines; ``search`` marks and jumps."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_by(-1)", show=False),
        Binding("down,j", "scroll_by(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("home,g", "scroll_by(-10000000)", show=False),
        Binding("end,G,shift+g", "scroll_by(10000000)", show=False),
        Binding("left", "sideways(-16)", show=False),
        Binding("right", "sideways(16)", show=False),
        Binding("n", "match(1)", show=False),
        Binding("N,shift+n", "match(-1)", show=False),
        Binding("w", "wrap", show=False),
        *(Binding(str(number), f"window({number})", show=False) for number in range(7)),
    ]

    class Windowed(Message):
        """Another part of a log is wanted: 0 its end, 1 its start, 2 to 6 what is not older than so long."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    class Searched(Message):
        """A search was started or moved: ``at`` of ``found`` matches (0: none)."""

        def __init__(self, at: int, found: int) -> None:
            super().__init__()
            self.at, self.found = at, found

    def __init__(self, lines: Sequence[Line] = (), *, wrapped: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.wrapped = wrapped
        """Whether long lines are folded instead of cut."""
        self.windowed = False
        """Whether the digits choose a part of what is shown: a log."""
        self._source: Sequence[Line] = list(lines)
        self._lines: list[Line] = list(lines)
        self._painted: dict[int, tuple[Line, bool]] = {}
        self._shift = 0
        self._filter = Filter()
        self._matches: list[int] = []
        self._match = 0
        self.held = False
        """Whether the reader has scrolled by hand."""

    @property
    def lines(self) -> Sequence[Line]:
        return self._lines

    def show(self, lines: Sequence[Line]) -> None:
        """Replace the lines; the reader stays where they were."""
        self._source = list(lines)
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        if self.wrapped and width:
            self._lines = [part for each in self._source for part in fold(each, width)]
        else:
            self._lines = list(self._source)
        self.set_rows(len(self._lines))
        if self._filter:
            self._matches = self._find()
        self.repaint_changed()

    def reveal(self, index: int) -> None:
        """Bring line ``index`` into view with a few lines after it, unless the reader has scrolled by hand."""
        if self.held or not self.size.height:
            return
        top, height = int(self.scroll_offset.y), self.size.height
        if not top <= index < top + height - 1:
            self.scroll_to(y=max(0, min(self.max_scroll_y, index - height + 4)), animate=False, immediate=True)

    def repaint_changed(self) -> None:
        if not self.is_attached:
            return
        width = self.size.width
        stale: list[Region] = []
        for y in range(self.size.height):
            old, new = self._painted.get(y), self._content(y)
            if old is None or old[1] != new[1] or self._shift:
                stale += [Region(0, y, width, 1)] * (old != new)
            else:
                stale += changed(y, old[0], new[0], width)
        if stale:
            self.refresh(*stale)

    def _content(self, y: int) -> tuple[Line, bool]:
        index = int(self.scroll_offset.y) + y
        found = self._lines[index] if index < len(self._lines) else BLANK
        return found, bool(self._matches) and index == self._matches[self._match]

    def render_line(self, y: int) -> Strip:
        content = self._content(y)
        self._painted[y] = content
        return self.paint(content[0], self.size.width, cursor=content[1], offset=self._shift)

    def on_resize(self) -> None:
        self._painted.clear()
        self._lay_out()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a log the digits mean what they mean everywhere."""
        return self.windowed if action == "window" else super().check_action(action, parameters)

    def action_window(self, number: int) -> None:
        self.post_message(self.Windowed(number))

    def action_wrap(self) -> None:
        self.wrapped, self._shift = not self.wrapped, 0
        self._painted.clear()
        self._lay_out()
        self.refresh()

    def action_scroll_by(self, by: int) -> None:
        self.held = True
        self.scroll_to(y=max(0, min(self.max_scroll_y, self.scroll_offset.y + by)), animate=False, immediate=True)

    def action_page(self, by: int) -> None:
        self.action_scroll_by(by * max(1, self.size.height - 1))

    def action_sideways(self, by: int) -> None:
        self._shift = max(0, self._shift + by)
        self._painted.clear()
        self.refresh()

    def search(self, typed: str) -> None:
        """Find ``typed`` (the forms of the filter line, labels excepted) and go to the first match from here."""
        self._filter = parse(typed)
        self._matches = self._find() if self._filter else []
        top = int(self.scroll_offset.y)
        self._match = next((at for at, index in enumerate(self._matches) if index >= top), 0)
        self._to_match()

    def action_match(self, by: int) -> None:
        if self._matches:
            self._match = (self._match + by) % len(self._matches)
            self._to_match()

    def _find(self) -> list[int]:
        return [at for at, found in enumerate(self._lines) if self._filter.matches(plain(found), {})][:_FAR]

    def _to_match(self) -> None:
        if self._matches:
            index, top = self._matches[self._match], int(self.scroll_offset.y)
            if not top <= index < top + self.size.height:
                self.scroll_to(y=max(0, index - self.size.height // 2), animate=False, immediate=True)
        self.repaint_changed()
        self.post_message(self.Searched(self._match + 1 if self._matches else 0, len(self._matches)))

    def text(self) -> str:
        return "\n".join(plain(found).rstrip() for found in self._source) + "\n"


class LogPager(Pager):
    """The end of a log. It keeps ``most`` lines; the first line says how many before them are not shown."""

    def __init__(self, *, most: int = 2000, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._most = most
        self.following = True
        """Whether it stays at the end; scrolling up stops that, reaching the end starts it again."""

    def show_log(self, lines: Sequence[Line], *, total: int) -> None:
        """``lines`` are the newest of ``total``; a gap is never silent."""
        kept = list(lines[-self._most :])
        missing = max(0, total - len(kept))
        if missing:
            kept.insert(0, (Span(Safe(f" … {missing} earlier lines are not shown"), Tone.WARN),))
        self.show(kept)
        self._to_end()

    def _to_end(self) -> None:
        if self.following and self.scroll_offset.y != self.max_scroll_y:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)

    def on_resize(self) -> None:
        super().on_resize()
        self.call_after_refresh(self._to_end)

    def action_scroll_by(self, by: int) -> None:
        super().action_scroll_by(by)
        self.following = self.scroll_offset.y >= self.max_scroll_y
