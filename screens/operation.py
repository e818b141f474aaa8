"""One operation, live: steps, two-stage progress, the end of its log, and at the end its figures and verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.topics import LogLine
from lazarus_tui.view import downtime, freezes, operations, proof_run, times, trouble
from lazarus_tui.view.reasons import Situation
from lazarus_tui.view.source import LinkFault, LinkLost, TopicState
from lazarus_tui.view.text import BLANK, line, muted, span
from screens.operating import Operating
from screens.reading import Reading
from widgets.line_block import LineBlock
from widgets.pager import LogPager, Pager


class OperationScreen(Operating, Reading):
    """Follows operation ``id``; leaving it changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "follow", show=False)]
    mode = "operation"
    shown_mode = "operations"

    def __init__(self, id: str) -> None:
        super().__init__()
        self.operation_id = id
        self._ended = False
        self._older: Operation | None = None

    def action_follow(self) -> None:
        """Stay at the newest line and the running step, or stop that."""
        log = self.query_one("#log", LogPager)
        log.following = not log.following
        self.pager.held = not log.following
        self.say("follows what is newest" if log.following else "stays where it is; s follows again")
        self.renew()

    def compose_body(self) -> Iterable[Widget]:
        yield LineBlock([BLANK, BLANK], id="title")
        yield Pager(id="body")
        yield LineBlock([BLANK], id="log-title")
        yield LogPager(id="log")

    def topics(self) -> set[str]:
        return {f"oplog/{self.operation_id}"}

    def main_topic(self) -> TopicState:
        return self.host.topic("operations")

    @property
    def operation(self) -> Operation | None:
        found: Operation | None = self.main_topic().records.get(self.operation_id)
        return found or self._older

    def on_mount(self) -> None:
        super().on_mount()
        if self.operation is None:
            self.run_worker(self._fetch(), group="operation")

    async def _fetch(self) -> None:
        """One that is too old to be listed: the journal still has it."""
        try:
            self._older = await self.host.source.call("operation.get", {"id": self.operation_id}, Operation)
        except (LinkFault, LinkLost):
            return  # it is on its way, or gone: the screen says so
        self.renew()

    @property
    def busy(self) -> bool:
        return self.operation is not None and self.operation.state.open

    @property
    def patient(self) -> bool:
        return self.busy

    def situation(self) -> Situation:
        return replace(super().situation(), operation=self.operation)

    def renew_body(self) -> None:
        operation, now, width = self.operation, self.host.now(), self.size.width
        if operation is None:
            gone = f"operation {self.operation_id} is not in the journal yet …"
            self.pager.show(trouble.absent(self.main_topic(), gone, width - 1))
            return
        self.trail = (operation.id,)
        headline = operations.headline(operation, now, self.host.context_name)
        here = operation.context == self.host.context_name
        row = downtime.row_of(operation, self.host.topic("overview").records) if here else None
        held = freezes.lines(operation, now, width - 1) if operations.moves(operation) else []  # else the banner has it
        is_proof = proof_run.is_proof(operation)
        view = proof_run if is_proof else operations
        standing = proof_run.standing(operation, width - 1) if is_proof else []
        self.query_one("#title", LineBlock).show([*headline, *standing, *downtime.count_line(operation, row), *held])
        self.set_class(not operation.state.open, "ended")
        self.pager.wrapped = not operation.state.open
        self.pager.show(view.body(operation, now, width - 1))
        if operations.moves(operation):
            self._ended = False
            self.pager.reveal(view.at_work(operation, now, width - 1))
        elif not self._ended:
            self._ended = True
            self.pager.scroll_to(y=0, animate=False, immediate=True)
        self._renew_log(operation)

    def _renew_log(self, operation: Operation) -> None:
        log = self.query_one("#log", LogPager)
        records: Iterable[LogLine] = self.host.topic(f"oplog/{self.operation_id}").records.values()
        lines = sorted(records, key=lambda each: each.n)
        total = max(operation.log_lines, len(lines))
        self.set_class(not total, "silent")
        now = self.host.now()
        shown = [line(muted(f" {times.clock(each.at, now)}  "), span(each.text, limit=2000)) for each in lines]
        log.show_log(shown, total=total)
        self.query_one("#log-title", LineBlock).show([line(muted(f" log  {how_many(total, 'line')}"))])
