"""A place that is one text: scrolled, searched, saved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.widget import Widget

from lazarus_tui.view.text import Span, muted
from screens.place import Place
from widgets.pager import Pager


class Reading(Place):
    """``/`` searches; the trail says where one is."""

    def __init__(self) -> None:
        super().__init__()
        self._found = ""

    def compose_body(self) -> Iterable[Widget]:
        yield Pager(wrapped=True, id="body")

    @property
    def pager(self) -> Pager:
        return self.query_one("#body", Pager)

    def info(self) -> Sequence[Span]:
        return [muted(self._found)] * bool(self._found)

    def filtered(self, typed: str, *, final: bool) -> None:
        if final:
            self.pager.search(typed)

    def on_pager_searched(self, event: Pager.Searched) -> None:
        self._found = f"match {event.at} of {event.found}" if event.found else "no match"
        self.renew_frame()
