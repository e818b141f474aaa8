"""The Overview: what would we lose, can we get it back, how long, what next: per workload, at a glance."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.view import overview
from lazarus_tui.view.text import BLANK, Line
from screens.deeds import Deeds
from screens.proving import Proving
from screens.set_deeds import SetDeeds
from widgets.line_block import LineBlock
from widgets.line_table import LineTable


class OverviewScreen(Proving, SetDeeds, Deeds):
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
        around: list[Line] = []
        if rows:
            around = [*overview.storage(host.topic("locations"), now),
                      *overview.running(host.topic("operations"), now)]  # fmt: skip
        # Four lines of frame; the list keeps at least three rows, the card takes what is left.
        room = self.size.height - 4 - len(around) - min(rows, max(3, self.size.height // 4)) - self._banner_lines()
        passed_over = 3 if self.size.height >= 30 else 1
        card = overview.card(self.table.record, now, self.size.width, passed_over=passed_over, room=room)
        # Air between the parts where there is room for it; at 80x24 a long list takes it.
        left = self.size.height - 4 - rows - len(card) - len(around) - self._banner_lines()
        self.query_one("#card", LineBlock).show([BLANK, *card] if card and left >= 1 else card)
        self.query_one("#around", LineBlock).show([BLANK, *around] if around and left >= 2 else around)

    def _banner_lines(self) -> int:
        return len(self.banner())

    def moved(self) -> None:
        self.renew()

    async def do_open(self) -> None:
        row: WorkloadRow = self.table.record
        await self.host.visit("backups", namespace=row.namespace, filter="")

    def do_describe(self) -> None:
        from screens.workload import WorkloadScreen

        self.app.push_screen(WorkloadScreen(self.table.key or ""))
