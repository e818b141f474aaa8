"""The keys, from the action table."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from lazarus_tui.view import helping
from lazarus_tui.view.actions import MODES
from screens.reading import Reading
from widgets.pager import Pager


class HelpScreen(Reading):
    mode = "help"

    def __init__(self, about: str) -> None:
        super().__init__()
        self.about = about
        self.shown_mode = about if about in MODES else ""
        self.trail = ("help",)

    def compose_body(self) -> Iterable[Widget]:
        yield Pager(wrapped=True, id="body")

    def renew_body(self) -> None:
        self.pager.show(helping.lines(self.about, self.size.width))

    def do_help(self) -> None:
        self.do_back()
