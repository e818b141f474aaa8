"""The Overview: what would we lose, can we get it back, how long, what next: per workload, at a glance."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.view import overview
from lazarus_tui.view.text import BLANK, Line
from screens.deeds import Deeds
from widgets.line_block import LineBlock
from widgets.line_table import LineTable


class OverviewScreen(Deeds):
    mode = "overview"
    topic_name = "overview"
    base_sheet = overview.SHEET

    def compose_body(self) -> Iterable[Widget]:
        yield LineTable(self.base_sheet, id="body")
        yield LineBlock([], id="card")
        yield LineBlock([], id="around")

    def topics(self) -> set[str]:
        return {"overview", "locations", "schedules"}

    def renew_body(self) -> None:
        super().renew_body()
        host, now = self.host, self.host.now()
        rows = self.table.counts[0]
        tall = self.size.height >= 30
        card = overview.card(self.table.record, now, self.size.width, passed_over=3 if tall else 1)
        around: list[Line] = []
        if rows:
            around = [*overview.storage(host.topic("locations").records.values(), now),
                      *overview.running(host.topic("operations").records.values(), now)]  # fmt: skip
        # Air between the parts where there is room for it; at 80x24 a long list takes it.
        room = self.size.height - 4 - rows - len(card) - len(around)
        card = [BLANK, *card] if card and room >= 1 else card
        around = [BLANK, *around] if around and room >= 2 else around
        self.query_one("#card", LineBlock).show(card)
        self.query_one("#around", LineBlock).show(around)

    def moved(self) -> None:
        self.renew()

    async def do_open(self) -> None:
        row: WorkloadRow = self.table.record
        await self.host.visit("backups", namespace=row.namespace, filter="")
