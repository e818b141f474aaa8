"""A row of words of which one is chosen: a dialog's buttons without a button's weight. The first is the default."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from lazarus_tui.view.text import Line, Span, Tone, span
from widgets.paint import Painted


class Choice(Painted, can_focus=True):
    """``Made(word)`` is sent by enter or a click. ``blocked`` words are shown grey with the reason and do nothing."""

    DEFAULT_CSS = """
    Choice { height: 1; width: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "turn(-1)", show=False),
        Binding("right,l,tab", "turn(1)", show=False),
        Binding("enter", "make", show=False),
    ]

    class Made(Message):
        def __init__(self, word: str) -> None:
            super().__init__()
            self.word = word

    def __init__(self, *words: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._words = words
        self._chosen = 0
        self._blocked = ""

    @property
    def word(self) -> str:
        return self._words[self._chosen]

    def block(self, reason: str) -> None:
        """Only the first word can be chosen while there is a reason."""
        if reason != self._blocked:
            self._blocked = reason
            if reason:
                self._chosen = 0
            self.refresh()

    def action_turn(self, by: int) -> None:
        if not self._blocked:
            self._chosen = (self._chosen + by) % len(self._words)
            self.refresh()

    def action_make(self) -> None:
        self.post_message(self.Made(self.word))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        at = 1
        for index, word in enumerate(self._words):
            wide = len(word) + 6
            if at <= event.x < at + wide and not (index and self._blocked):
                self._chosen = index
                self.refresh()
                self.post_message(self.Made(word))
            at += wide

    def _content(self) -> Line:
        parts: list[Span] = [span(" ")]
        for index, word in enumerate(self._words):
            here = index == self._chosen
            tone = Tone.MUTED if self._blocked and index else Tone.STRONG if here else Tone.PLAIN
            parts.append(span(f"{'▸' if here else ' '} {word}    ", tone))
        if self._blocked:
            parts.append(span(self._blocked, Tone.MUTED))
        return tuple(parts)

    def render_line(self, y: int) -> Strip:
        return self.paint(self._content(), self.size.width)
