"""The one table: any number of rows, of which only the visible ones exist, and only changed ones are painted.

A record becomes a row when it is painted; ``show`` compares what each visible line would be with what it is, and
refreshes the difference. An update of a row that is not on the screen costs no byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from lazarus_tui.view.filters import Filter
from lazarus_tui.view.sanitise import Safe
from lazarus_tui.view.sheet import Fitted, Sheet, fit
from lazarus_tui.view.text import BLANK, Line, Span, Tone, span
from widgets.paint import Scrolled, cell, changed

# Rows that are looked at, besides the visible ones, to choose column widths.
_SAMPLE = 40
_GUTTER = 2


class _Painted(NamedTuple):
    """What stands on one line of the widget; equal values need no repaint."""

    line: Line
    cursor: bool
    head: bool = False


class LineTable(Scrolled, can_focus=True):
    """Rows of one sheet with a cursor, marks, sorting, filtering and a fixed head line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("home,g", "move(-10000000)", show=False),
        Binding("end,G,shift+g", "move(10000000)", show=False),
    ]

    class Moved(Message):
        """The cursor is on another record (or the record changed)."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LineTable.Moved)

    class Clicked(Message):
        """A row was clicked when the cursor was on it already."""

    def __init__(self, sheet: Sheet[Any], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.sheet = sheet
        self.sort = sheet.sort
        self.descending = sheet.descending
        self.filter = Filter()
        self.namespace = ""
        self.faults_only = False
        self.marks: set[str] = set()
        self._records: Mapping[str, Any] = {}
        self._keys: list[str] = []
        self._at = 0
        self._now = datetime.now().astimezone()
        self._notice: Sequence[Line] = ()
        self._fitted = Fitted()
        self._fitted_to = -1
        self._natural: list[int] = []
        self._lines: dict[int, _Painted] = {}
        self._anchor: str | None = None

    # What is shown

    def show(self, records: Mapping[str, Any], now: datetime, *, sheet: Sheet[Any] | None = None) -> None:
        """Show ``records`` (by key) as of ``now``; the cursor stays on its record."""
        self.sheet = sheet or self.sheet
        self._now = now
        if records is not self._records:
            self._records = records
            self.marks &= records.keys()
            self._line_up()
        self.repaint_changed()

    def notice(self, lines: Sequence[Line]) -> None:
        """Lines shown while there are no rows: loading, empty, or what went wrong and what helps."""
        if list(lines) != list(self._notice):
            self._notice = list(lines)
            self._count()
            self.repaint_changed()

    def _count(self) -> None:
        """The head line, and the rows or what stands there instead of them."""
        self.set_rows(1 + (len(self._keys) or len(self._notice)))

    def narrow(
        self,
        *,
        filter: Filter | None = None,
        namespace: str | None = None,
        faults_only: bool | None = None,
        sort: str | None = None,
    ) -> None:
        """Change filter, namespace or order; sorting by the same column again turns it round."""
        self.filter = self.filter if filter is None else filter
        self.namespace = self.namespace if namespace is None else namespace
        self.faults_only = self.faults_only if faults_only is None else faults_only
        if sort is not None:
            self.descending = not self.descending if sort == self.sort else sort in ("age", "started", "faults", "last")
            self.sort = sort
        self._line_up()
        self.repaint_changed()

    def _line_up(self) -> None:
        at_key, sheet = self.key, self.sheet
        shown = [key for key, record in self._records.items() if self._wanted(record)]
        shown.sort(key=lambda key: sheet.order(self._records[key], self.sort), reverse=self.descending)
        self._keys = shown
        if at_key is not None and at_key in self._records:
            try:
                self._at = shown.index(at_key)
            except ValueError:
                self._at = min(self._at, max(0, len(shown) - 1))
        self._at = max(0, min(self._at, len(shown) - 1))
        self._count()
        self.post_message(self.Moved())

    def _wanted(self, record: Any) -> bool:
        if self.namespace:
            names = self.sheet.namespaces(record)
            if self.namespace not in names and "*" not in names:
                return False
        if self.faults_only and not self.sheet.faulty(record):
            return False
        return not self.filter or self.filter.matches(self.sheet.text(record), self.sheet.labels(record))

    @property
    def key(self) -> str | None:
        """The key under the cursor."""
        return self._keys[self._at] if 0 <= self._at < len(self._keys) else None

    @property
    def record(self) -> Any:
        key = self.key
        return None if key is None else self._records.get(key)

    @property
    def counts(self) -> tuple[int, int]:
        """Rows shown and rows there are."""
        return len(self._keys), len(self._records)

    def chosen(self) -> list[Any]:
        """The marked records (also those a filter hides), or the one under the cursor."""
        if self.marks:
            return [self._records[key] for key in sorted(self.marks) if key in self._records]
        return [] if self.record is None else [self.record]

    # Painting

    @property
    def _width(self) -> int:
        """Cells for a row: what the scroll bar leaves, and a margin."""
        return max(1, self.scrollable_content_region.width)

    def repaint_changed(self) -> None:
        """Refresh those lines whose content differs from what was painted."""
        if not self.is_attached or not self.size.height:
            return
        self._fit()
        width = self._width
        stale: list[Region] = []
        for y in range(self.size.height):
            old, new = self._lines.get(y), self._content(y)
            if old is None or old.cursor != new.cursor:
                stale.append(Region(0, y, self.size.width, 1))
            else:
                stale += changed(y, old.line, new.line, width)
        if stale:
            self.refresh(*stale)

    def _fit(self) -> None:
        first = int(self.scroll_offset.y)
        looked_at = self._keys[first : first + self.size.height] + self._keys[:_SAMPLE]
        columns = self.sheet.columns
        natural = self._natural if len(self._natural) == len(columns) else [len(c.title) + 1 for c in columns]
        for key in looked_at:
            for index, part in enumerate(self.sheet.cells(self._records[key], self._now)):
                natural[index] = max(natural[index], len(part.text))
        self._natural, self._fitted_to = natural, self._width
        self._fitted = fit(columns, natural, self._width - _GUTTER - 1)

    def _content(self, y: int) -> _Painted:
        if y == 0:
            return _Painted(self._head(), False, head=True)
        index = int(self.scroll_offset.y) + y - 1
        if not self._keys:
            return _Painted(self._notice[y - 1] if y - 1 < len(self._notice) else BLANK, False)
        if index >= len(self._keys):
            return _Painted(BLANK, False)
        return _Painted(self._row(self._keys[index]), index == self._at)

    def _head(self) -> Line:
        parts = [Span(Safe(" " * _GUTTER), Tone.MUTED)]
        for index, width in self._fitted.columns:
            column = self.sheet.columns[index]
            arrow = ("↓" if self.descending else "↑") if column.id == self.sort else ""
            title = cell(column.title + arrow, width, right=column.right)
            parts.append(Span(Safe(title + " " * self._fitted.gap), Tone.ACCENT if arrow else Tone.MUTED))
        return tuple(parts)

    def _row(self, key: str) -> Line:
        cells = self.sheet.cells(self._records[key], self._now)
        parts = [Span(Safe("● " if key in self.marks else "  "), Tone.ACCENT)]
        gap = " " * self._fitted.gap
        for index, width in self._fitted.columns:
            column, part = self.sheet.columns[index], cells[index]
            shown = cell(part.text, width, right=column.right, middle=column.middle)
            parts.append(Span(Safe(shown + gap), part.tone))
        return tuple(parts)

    def render_line(self, y: int) -> Strip:
        if self._fitted_to != self._width:  # the scroll bar came or went
            self._fit()
        content = self._content(y)
        self._lines[y] = content
        # Padding cells to their width makes a line one gap too long: cut it without a mark.
        width = self._width
        strip = self.paint(content.line, width + self._fitted.gap, cursor=content.cursor)
        return strip.crop(0, width)

    # Moving and marking

    def on_resize(self, event: events.Resize) -> None:
        self._natural = []
        self._lines.clear()
        self._fit()
        self._count()

    def action_move(self, by: int) -> None:
        self.go(self._at + by)

    def action_page(self, by: int) -> None:
        self.go(self._at + by * max(1, self.size.height - 2))

    def go(self, index: int) -> None:
        """Put the cursor on row ``index`` and scroll only as far as needed."""
        self._at = max(0, min(index, len(self._keys) - 1))
        room = self.size.height - 1
        top = int(self.scroll_offset.y)
        if self._at < top:
            self.scroll_to(y=self._at, animate=False, immediate=True)
        elif room > 0 and self._at >= top + room:
            self.scroll_to(y=self._at - room + 1, animate=False, immediate=True)
        self.repaint_changed()
        self.post_message(self.Moved())

    def toggle_mark(self) -> None:
        if (key := self.key) is not None:
            self.marks ^= {key}
            self._anchor = key
            self.go(self._at + 1)

    def mark_range(self) -> None:
        """Mark everything from the last mark to the cursor."""
        if self._anchor in self._keys:
            first, last = sorted((self._keys.index(self._anchor), self._at))
            self.marks |= set(self._keys[first : last + 1])
            self.repaint_changed()
            self.post_message(self.Moved())

    def clear_marks(self) -> None:
        self.marks = set()
        self.repaint_changed()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        index = int(self.scroll_offset.y) + event.y - 1
        if event.y == 0 or index >= len(self._keys):
            return
        again = index == self._at
        self.go(index)
        if again:
            self.post_message(self.Clicked())

    def text(self) -> str:
        """Everything it holds as aligned text, for a file."""
        rows = [self._head(), *(self._row(key) for key in self._keys)]
        return "\n".join("".join(part.text for part in row).rstrip() for row in rows) + "\n"


def loading(what: str) -> list[Line]:
    return [BLANK, (span(f"  loading {what} …", Tone.MUTED),)]
