"""The one-line prompt: ``:`` commands and ``/`` filters. It is mounted when it is opened and gone when it is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

Completer = Callable[[str], str]


class Prompt(Input):
    """``lead`` is ``:`` or ``/``. Tab takes the completion, esc leaves, and a ``/`` reports every change."""

    DEFAULT_CSS = """
    Prompt { height: 1; border: none; padding: 0 1; background: $lz-bar; dock: bottom; }
    Prompt:focus { border: none; background: $lz-bar; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", show=False, priority=True),
        Binding("escape", "leave", show=False, priority=True),
    ]

    class Entered(Message):
        def __init__(self, lead: str, text: str) -> None:
            super().__init__()
            self.lead, self.text = lead, text

    class Typed(Entered):
        """The text changed and is not entered yet."""

    class Left(Message):
        """The prompt was left without an answer."""

    def __init__(
        self, lead: str, text: str = "", *, completer: Completer = lambda text: text, **arguments: Any
    ) -> None:
        super().__init__(value=lead + text, select_on_focus=False, compact=True, max_length=400, **arguments)
        self.lead = lead
        self._completer = completer
        self._seen: events.Key | None = None

    def on_key(self, event: events.Key) -> None:
        self._seen = event

    def catch(self, event: events.Key) -> bool:
        """Take a key that was typed ahead, before the prompt had the focus; False for one that came through it."""
        if event is self._seen:
            return False
        self._forward_event(events.Key(event.key, event.character))
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if not self.value.startswith(self.lead):
            self.post_message(self.Left())
        else:
            self.post_message(self.Typed(self.lead, self.value[len(self.lead) :]))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Entered(self.lead, self.value[len(self.lead) :]))

    def action_complete(self) -> None:
        self.value = self._completer(self.value)
        self.cursor_position = len(self.value)

    def action_leave(self) -> None:
        self.post_message(self.Left())
