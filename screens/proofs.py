"""How far each workload was proven: its ladder, the last proofs, how long it took, what its controls say; and what is
queued."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from lazarus_tui.view import proof_card, proofs, queue
from lazarus_tui.view.gathering import Gathered
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import BLANK
from screens.deeds import Deeds
from screens.proving import Proving
from widgets.line_block import LineBlock
from widgets.line_table import LineTable


class ProofsScreen(Proving, Deeds):
    mode = "proofs"
    topic_name = "overview"
    base_sheet = proofs.SHEET

    def __init__(self) -> None:
        super().__init__()
        self._gathered = Gathered()

    def compose_body(self) -> Iterable[Widget]:
        yield LineBlock([()], id="queue")
        yield LineTable(self.base_sheet, id="body")
        yield LineBlock([], id="card")

    def topics(self) -> set[str]:
        return {"overview", "proofs", "policies", "queue"}

    def main_topic(self) -> TopicState:
        return self._gathered(self.host.topic("overview"), self.host.topic("proofs"))

    @property
    def busy(self) -> bool:
        running = any(found.open for found in self.main_topic().records.values())
        return running or queue.ticks(self.host.topic("queue"), self.host.now())

    def renew_body(self) -> None:
        super().renew_body()
        now, width, height = self.host.now(), self.size.width, self.size.height
        waiting = self.host.topic("queue")
        above = queue.summary(self.host.topic("policies"), waiting, now, width)
        self.query_one("#queue", LineBlock).show(above)
        shown, found = self.table.counts[0], self.table.record
        # Four lines of frame with the head of the list; it keeps three rows, the card takes what is left.
        free = height - 4 - len(above) - len(self.banner())
        room = free - min(shown, max(3, height // 4))
        lines = proof_card.card(found, now, width, room, queue.of_row(found, waiting, now, width)) if shown else []
        spare = free - shown - len(lines)
        self.query_one("#card", LineBlock).show([BLANK, *lines] if lines and spare >= 1 else lines)

    def moved(self) -> None:
        self.renew()

    def do_open(self) -> None:
        from screens.proof import ProofScreen

        self.app.push_screen(ProofScreen(self.table.key or ""))
