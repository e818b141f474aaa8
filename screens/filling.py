"""A place that is a form with a live preview below it; it ends in the parameters of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from lazarus_tui.view import chrome, forms
from lazarus_tui.view.source import LinkFault, LinkLost
from lazarus_tui.view.text import Line
from screens.place import Place
from widgets.choice import Choice
from widgets.form import Field, Form
from widgets.line_block import LineBlock
from widgets.pager import Pager

# A person's pause between two words: later than this the preview is asked for.
PAUSE_SECONDS = 0.3


class Filling(Place):
    """Dismissed with (kind, params) for ``plan.make``, or None."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "done", show=False, priority=True),
        Binding("pageup", "read(-1)", show=False),
        Binding("pagedown", "read(1)", show=False),
    ]
    kind = ""
    mode = "form"

    def fields(self) -> Sequence[Field]:
        return ()

    def params(self, values: Mapping[str, str]) -> dict[str, Any]:
        """The plan's parameters; raises ``ValueError`` with a sentence."""
        return {}

    async def preview(self, params: dict[str, Any]) -> list[Line]:
        """What these parameters would mean now."""
        return []

    def compose_body(self) -> Iterable[Widget]:
        yield LineBlock([()], classes="space")
        yield Form(self.fields(), id="form")
        yield Choice("Cancel", "Show the plan", id="choice")
        yield Pager(wrapped=True, id="body")

    def on_mount(self) -> None:
        super().on_mount()
        self._timer = self.set_timer(PAUSE_SECONDS, self.look_ahead)

    def keys(self, width: int) -> Line:
        return chrome.dialog_keys(("↑ ↓", "field"), ("enter", "next"), ("PgDn", "read on"), ("^s", "show the plan"),
                                  ("esc", "cancel"))  # fmt: skip

    def _read(self) -> dict[str, Any] | None:
        try:
            params = self.params(self.query_one(Form).values)
        except ValueError as error:
            self.query_one("#choice", Choice).block(str(error))
            return None
        self.query_one("#choice", Choice).block("")
        return params

    def on_form_changed(self, event: Form.Changed) -> None:
        self._timer.stop()
        self._timer = self.set_timer(PAUSE_SECONDS, self.look_ahead)

    def look_ahead(self) -> None:
        params = self._read()
        if params is not None:
            self.run_worker(self._look_ahead(params), exclusive=True, group="preview")

    async def _look_ahead(self, params: dict[str, Any]) -> None:
        self.query_one("#body", Pager).show(await self.preview(params))

    def on_form_done(self, event: Form.Done) -> None:
        self.query_one("#choice", Choice).focus()
        self.query_one("#choice", Choice).action_turn(1)

    def on_choice_made(self, event: Choice.Made) -> None:
        if event.word == "Cancel":
            self.dismiss(None)
        else:
            self.action_done()

    def action_done(self) -> None:
        params = self._read()
        if params is not None:
            self.dismiss((self.kind, params))

    def do_back(self) -> None:
        self.dismiss(None)

    def do_quit(self) -> None:
        self.dismiss(None)

    def problem(self, error: LinkFault | LinkLost) -> list[Line]:
        """What the engine said no to, for the preview."""
        if isinstance(error, LinkLost):
            return forms.problem(str(error), width=self.size.width)
        found = error.fault
        return forms.problem(found.what, found.hint, self.size.width, found.details)

    def action_read(self, pages: int) -> None:
        """The preview, without leaving the field."""
        self.query_one("#body", Pager).action_page(pages)
