"""A form of labelled one-line fields with a hint under the one that has the keyboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from lazarus_tui.view.text import Tone, line, muted, span
from widgets.line_block import LineBlock


class Field(NamedTuple):
    """``hint`` says what belongs in it and what an empty one means."""

    id: str
    label: str
    value: str = ""
    hint: str = ""


class Form(Vertical):
    """``values`` are the stripped texts by field id; every change posts ``Changed``, enter in the last one ``Done``."""

    DEFAULT_CSS = """
    Form { height: auto; }
    Form Horizontal { height: 1; }
    Form Input { height: 1; border: none; padding: 0; width: 1fr; background: $lz-bar; }
    Form Input:focus { border: none; background: $lz-cursor; }
    Form LineBlock.label { width: 20; height: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,shift+tab", "turn(-1)", show=False, priority=True),
        Binding("down,tab", "turn(1)", show=False, priority=True),
    ]

    class Changed(Message):
        """A field has another text."""

    class Done(Message):
        """Enter in the last field."""

    def __init__(self, fields: Sequence[Field], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._fields = list(fields)

    def compose(self) -> ComposeResult:
        for field in self._fields:
            with Horizontal():
                yield LineBlock([line(muted(f" {field.label}"))], classes="label")
                yield Input(field.value, id=field.id, compact=True, max_length=2000, select_on_focus=False)
        yield LineBlock([()], id="hint")

    @property
    def values(self) -> Mapping[str, str]:
        return {field.id: self.query_one(f"#{field.id}", Input).value.strip() for field in self._fields}

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input.id == self._fields[-1].id:
            self.post_message(self.Done())
        else:
            self.action_turn(1)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        hint = next((field.hint for field in self._fields if field.id == event.widget.id), "")
        self.query_one("#hint", LineBlock).show([line(" " * 20, span(hint, Tone.MUTED, 200))])

    def action_turn(self, by: int) -> None:
        ids = [field.id for field in self._fields]
        focused = self.screen.focused
        at = ids.index(focused.id) + by if focused is not None and focused.id in ids else 0
        if at >= len(ids):
            self.post_message(self.Done())
        else:
            self.query_one(f"#{ids[max(0, at)]}", Input).focus()
