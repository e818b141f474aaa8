"""A card to read and a choice below it. Cancel is the default; what destroys is typed by name; a card grows old."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from lazarus_tui.model.operation import Operation
from lazarus_tui.view import chrome
from lazarus_tui.view.source import LinkFault, LinkLost
from lazarus_tui.view.text import Line, Tone, line, muted, strong
from screens.notice import refusal
from screens.place import Place
from widgets.choice import Choice
from widgets.line_block import LineBlock
from widgets.pager import Pager

# Keys pressed before the card could be read (or pasted, or buffered by a slow line) confirm nothing.
GUARD_SECONDS = 1.0
# What a card says was true when it was made (reference: reliability, dangerous actions).
LIFETIME_SECONDS = 60.0


class Approval(Place):
    """Dismissed with the operation that was started or changed, or None.

    ``word`` is what approves; ``target`` has to be typed first unless it is empty; ``what`` names it in a refusal.
    """

    AUTO_FOCUS = "#choice"
    # The choice has the keyboard; what it is about can be read to its end all the same.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "read('scroll_by', -1)", show=False),
        Binding("down,j", "read('scroll_by', 1)", show=False),
        Binding("pageup,ctrl+b", "read('page', -1)", show=False),
        Binding("pagedown,ctrl+f", "read('page', 1)", show=False),
    ]
    guard: ClassVar[float] = GUARD_SECONDS
    lifetime: ClassVar[float] = LIFETIME_SECONDS
    word = "Start"

    def __init__(self, target: str, what: str) -> None:
        super().__init__()
        self._target, self._what = target, what
        self._open = self._starting = self._expired = False

    def card(self, width: int) -> Sequence[Line]:
        """What a person reads before approving."""
        return ()

    async def approve(self, confirm: str) -> Operation:
        """Ask the engine; ``confirm`` is the name as it was typed."""
        raise LinkLost("nothing to approve")

    def compose_body(self) -> Iterable[Widget]:
        yield Pager(self.card(76), wrapped=True, id="body")

    def compose(self) -> ComposeResult:
        *frame, footer = list(super().compose())
        yield from frame
        if self._target:
            yield LineBlock([line(" type ", strong(self._target), muted(" to confirm:"))], id="ask")
            yield Input(id="typed", compact=True, max_length=300)
        yield Choice("Cancel", self.word, id="choice")
        yield footer

    def on_mount(self) -> None:
        super().on_mount()
        self._judge()
        if self._target:
            self.set_focus(self.query_one("#typed"))
        self.set_timer(self.guard, self._lift_guard)
        self.set_timer(self.lifetime, self._expire)

    def action_read(self, how: str, by: int) -> None:
        pager = self.query_one("#body", Pager)
        (pager.action_page if how == "page" else pager.action_scroll_by)(by)

    def _lift_guard(self) -> None:
        for typed in self.query(Input):
            typed.value = ""
        self._open = True
        self._judge()

    def _expire(self) -> None:
        self._expired = True
        self._judge()

    def renew_body(self) -> None:
        self.query_one("#body", Pager).show(self.card(self.size.width))

    @property
    def _confirmed(self) -> str:
        typed = self.query(Input)
        return typed.first().value.strip() if typed else ""

    def _judge(self) -> None:
        reason = ""
        if self._starting:
            reason = "starting …"
        elif self._expired:
            reason = f"older than {self.lifetime:.0f} s: esc, then ask for it again"
        elif not self._open:
            reason = "one moment: read first"
        elif self._target and self._confirmed != self._target:
            reason = "the name is not typed yet"
        self.query_one("#choice", Choice).block(reason)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if not self._open and event.value:
            event.input.value = ""
        self._judge()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#choice", Choice).focus()

    def on_choice_made(self, event: Choice.Made) -> None:
        if event.word == "Cancel":
            self.dismiss(None)
        elif not self._starting and not self._expired:
            self._starting = True
            self._judge()
            self.run_worker(self._approve(), exclusive=True)

    async def _approve(self) -> None:
        try:
            operation = await self.approve(self._confirmed)
        except LinkFault as fault:
            self._starting = False
            self._judge()
            self.app.push_screen(refusal(fault, self._what, sandbox=self.sandbox))
        except LinkLost as error:
            self._starting = False
            self._judge()
            self.say(f"not known whether it started: {error}; look at :operations before trying again", Tone.BAD)
        else:
            self.dismiss(operation)

    def keys(self, width: int) -> Line:
        typed = [("tab", "to the choice")] * bool(self._target)
        return chrome.dialog_keys(
            *typed, ("↑ ↓ PgDn", "read"), ("← →", "choose"), ("enter", "do it"), ("esc", "cancel")
        )  # fmt: skip

    def do_back(self) -> None:
        self.dismiss(None)

    def do_quit(self) -> None:
        self.dismiss(None)
