"""A question or a refusal over the screen: a few lines and a choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from lazarus_tui.model.counting import how_many
from lazarus_tui.view import forms
from lazarus_tui.view.source import LinkFault
from lazarus_tui.view.text import BLANK, Line, Tone, line, muted, span, wrap
from lazarus_tui.view.typed import typed
from widgets.choice import Choice
from widgets.line_block import LineBlock

# Lines of what a refusal is about, on a terminal of 24; forms show all of them.
_MOST = 10


class Notice(ModalScreen[str]):
    """Dismissed with the chosen word; esc is the first one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,ctrl+c", "first", show=False)]

    def __init__(self, title: str, lines: Sequence[Line], *words: str, tone: Tone = Tone.ACCENT) -> None:
        super().__init__()
        self._lines = [line(" ", span(title, tone, 200)), BLANK, *lines, BLANK]
        self._words = words or ("Back",)

    def compose(self) -> ComposeResult:
        with Vertical(id="notice"):
            yield LineBlock(self._lines)
            yield Choice(*self._words, id="choice")

    def on_choice_made(self, event: Choice.Made) -> None:
        self.dismiss(event.word)

    def action_first(self) -> None:
        self.dismiss(self._words[0])


def refusal(fault: LinkFault, what: str, *, sandbox: bool = False) -> Notice:
    """What the engine said no to, why, and what to do next; commands as they are typed there."""
    found = fault.fault
    lines = wrap(found.what, 66, Tone.PLAIN, 1)
    if found.where:
        lines += wrap(found.where, 66, Tone.MUTED, 1)
    if hint := typed(found.hint, sandbox=sandbox):
        lines += [BLANK, *wrap(f"→ {hint}", 66, Tone.ACCENT, 1)]
    if found.details:
        about = forms.reasons(found.details, 66)
        left = how_many(len(about) - _MOST, "more line")
        more = [line(muted(f"   … and {left}"))] if len(about) > _MOST else []
        lines += [BLANK, *about[:_MOST], *more]
    return Notice(f"✗ {what}: refused", lines, "Back", tone=Tone.BAD)
