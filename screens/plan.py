"""The plan before it runs: what happens, what is lost, how it is undone. Cancel is the default; loss is typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Input

from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.view import chrome, plans
from lazarus_tui.view.source import LinkFault, LinkLost
from lazarus_tui.view.text import Line, Span, Tone, line, muted, strong
from screens.notice import refusal
from screens.place import Place
from widgets.choice import Choice
from widgets.line_block import LineBlock
from widgets.pager import Pager

# Keys pressed before the card could be read (or pasted, or buffered by a slow line) confirm nothing.
GUARD_SECONDS = 1.0


class PlanScreen(Place):
    """Dismissed with the started operation, or None."""

    mode = "plan"
    trail = ("plan",)
    AUTO_FOCUS = "#choice"

    def __init__(self, plan: Plan, *, of: tuple[int, int] = (1, 1), guard: float = GUARD_SECONDS) -> None:
        super().__init__()
        self._plan = plan
        self._of = of
        self._guard = guard
        self._open = False
        self._starting = False

    def compose_body(self) -> Iterable[Widget]:
        yield Pager(plans.card(self._plan, 76), id="body")

    def compose(self) -> ComposeResult:
        *frame, footer = list(super().compose())
        yield from frame
        if self._plan.danger is Danger.DESTROYS:
            yield LineBlock([line(" type ", strong(self._plan.target), muted(" to confirm:"))], id="ask")
            yield Input(id="typed", compact=True, max_length=300)
        yield Choice("Cancel", "Start", id="choice")
        yield footer

    def on_mount(self) -> None:
        super().on_mount()
        self._judge()
        if self._plan.danger is Danger.DESTROYS:
            self.set_focus(self.query_one("#typed"))
        self.set_timer(self._guard, self._lift_guard)

    def _lift_guard(self) -> None:
        for typed in self.query(Input):
            typed.value = ""
        self._open = True
        self._judge()

    def renew_body(self) -> None:
        self.query_one("#body", Pager).show(plans.card(self._plan, self.size.width))

    @property
    def _confirmed(self) -> str:
        typed = self.query(Input)
        return typed.first().value.strip() if typed else ""

    def _judge(self) -> None:
        reason = ""
        if self._starting:
            reason = "starting …"
        elif not self._open:
            reason = "one moment: read first"
        elif self._plan.danger is Danger.DESTROYS and self._confirmed != self._plan.target:
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
        elif not self._starting:
            self._starting = True
            self._judge()
            self.run_worker(self._start(), exclusive=True)

    async def _start(self) -> None:
        plan = self._plan
        params = {"plan": msgspec.to_builtins(plan), "digest": plan.digest(), "confirm": self._confirmed}
        try:
            operation = await self.host.source.call("operation.start", params, Operation)
        except LinkFault as fault:
            self._starting = False
            self._judge()
            self.app.push_screen(refusal(fault, plan.title))
        except LinkLost as error:
            self._starting = False
            self._judge()
            self.say(f"not known whether it started: {error}; look at :operations before trying again", Tone.BAD)
        else:
            self.dismiss(operation)

    def keys(self, width: int) -> Line:
        typed = [("tab", "to the choice")] * (self._plan.danger is Danger.DESTROYS)
        return chrome.dialog_keys(*typed, ("← →", "choose"), ("enter", "do it"), ("esc", "cancel"))

    def info(self) -> Sequence[Span]:
        at, total = self._of
        return [] if total == 1 else [strong(f"plan {at} of {total}")]

    def do_back(self) -> None:
        self.dismiss(None)

    def do_quit(self) -> None:
        self.dismiss(None)
