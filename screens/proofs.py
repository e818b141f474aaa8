"""How far each workload was proven: its ladder, the last proofs, how long it took, and what its controls say."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from lazarus_tui.view import proof_card, proofs
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
        self._gathered = proofs.Gathered()

    def compose_body(self) -> Iterable[Widget]:
        yield LineTable(self.base_sheet, id="body")
        yield LineBlock([], id="card")

    def topics(self) -> set[str]:
        return {"overview", "proofs"}

    def main_topic(self) -> TopicState:
        return self._gathered(self.host.topic("overview"), self.host.topic("proofs"))

    @property
    def busy(self) -> bool:
        return any(found.open for found in self.main_topic().records.values())

    def renew_body(self) -> None:
        super().renew_body()
        shown = self.table.counts[0]
        # Four lines of frame with the head of the list; it keeps three rows, the card takes what is left.
        room = self.size.height - 4 - min(shown, max(3, self.size.height // 4)) - len(self.banner())
        lines = proof_card.card(self.table.record, self.host.now(), self.size.width, room) if shown else []
        left = self.size.height - 4 - shown - len(lines) - len(self.banner())
        self.query_one("#card", LineBlock).show([BLANK, *lines] if lines and left >= 1 else lines)

    def moved(self) -> None:
        self.renew()

    def do_open(self) -> None:
        from screens.proof import ProofScreen

        self.app.push_screen(ProofScreen(self.table.key or ""))
