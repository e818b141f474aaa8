"""A place that is one table: filter, marks, sorting, and what stands there when there are no rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from lazarus_tui.view import filters, trouble
from lazarus_tui.view.reasons import Situation
from lazarus_tui.view.sheet import Sheet
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import Span
from screens.place import Place
from widgets.line_table import LineTable


class Listing(Place):
    """``topic_name`` fills the table through ``sheet``."""

    BINDINGS: ClassVar[list[BindingType]] = []
    topic_name: ClassVar[str] = ""
    base_sheet: ClassVar[Sheet[Any]]

    def __init_subclass__(cls, **arguments: Any) -> None:
        if "base_sheet" in cls.__dict__:
            keys = [(column.key, column.id) for column in cls.base_sheet.columns if column.key]
            cls.BINDINGS = [
                Binding(f"{key},shift+{key.lower()}", f"sort('{column}')", show=False) for key, column in keys
            ]
        super().__init_subclass__(**arguments)

    def compose_body(self) -> Iterable[Widget]:
        yield LineTable(self.base_sheet, id="body")

    @property
    def table(self) -> LineTable:
        return self.query_one("#body", LineTable)

    def topics(self) -> set[str]:
        return {self.topic_name}

    def main_topic(self) -> TopicState:
        return self.host.topic(self.topic_name)

    def sheet(self, state: TopicState) -> Sheet[Any]:
        """The sheet for these records."""
        return self.base_sheet

    def situation(self) -> Situation:
        table = self.table
        return replace(super().situation(), record=table.record, marks=len(table.marks))

    def info(self) -> Sequence[Span]:
        table = self.table
        shown, total = table.counts
        notes = {table.namespace: True, table.filter.shown: True, "faults only": table.faults_only}
        return trouble.count(shown, total, len(table.marks), notes)

    def renew_body(self) -> None:
        state, host, table = self.main_topic(), self.host, self.table
        table.show(state.records, host.now(), sheet=self.sheet(state))
        shown, total = table.counts
        if shown:
            return
        narrowed = " ".join([*[table.namespace] * bool(table.namespace), table.filter.shown,
                             *["faults only"] * table.faults_only]).strip()  # fmt: skip
        if total and narrowed:
            table.notice(trouble.filtered(narrowed, total))
            return
        sheet = self.base_sheet
        table.notice(
            trouble.nothing(state, host.context, host.topic("contexts"), host.link, host.link_reason,
                            what=sheet.what, empty=self.empty, width=self.size.width, wanted=host.context_name,
                            velero=sheet.velero)
        )  # fmt: skip

    @property
    def empty(self) -> str:
        """What stands there when there is nothing."""
        return self.base_sheet.nothing

    def on_line_table_moved(self, event: LineTable.Moved) -> None:
        self.moved()

    def moved(self) -> None:
        """The cursor is on another row: the keys at the bottom may mean something else."""
        self.renew_frame()

    async def on_line_table_clicked(self, event: LineTable.Clicked) -> None:
        await self.action_act("open")

    def narrow(self, *, namespace: str | None = None, filter: str | None = None) -> None:
        self.table.narrow(namespace=namespace, filter=None if filter is None else filters.parse(filter))
        self.renew()

    def filtered(self, typed: str, *, final: bool) -> None:
        self.narrow(filter=typed)

    def action_sort(self, column: str) -> None:
        self.table.narrow(sort=column)

    def do_back(self) -> None:
        table = self.table
        if table.filter or table.namespace or table.faults_only:
            table.narrow(filter=filters.Filter(), namespace="", faults_only=False)
            self.renew()
        elif table.marks:
            table.clear_marks()
        else:
            super().do_back()

    def do_mark(self) -> None:
        self.table.toggle_mark()

    def do_mark_range(self) -> None:
        self.table.mark_range()

    def do_unmark(self) -> None:
        self.table.clear_marks()

    def do_faults(self) -> None:
        self.table.narrow(faults_only=not self.table.faults_only)
        self.renew()

    def do_all_namespaces(self) -> None:
        self.narrow(namespace="", filter="")

    def name_of(self, key: str) -> str:
        """The name of the row with ``key``, as ``c`` copies it."""
        return key.rsplit("/", 1)[-1]

    def do_copy(self) -> None:
        self.app.copy_to_clipboard(self.name_of(self.table.key or "")[:500])
        self.say("copied, if this terminal takes OSC 52")

    def do_contexts(self) -> None:
        self.host.run_command("contexts")
