"""One workload's proofs: the ladder and the trend of its recovery times, and every run; enter opens one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from textual.widget import Widget

from lazarus_tui.view import proof_card, proofs, trouble
from lazarus_tui.view.gathering import Gathered
from lazarus_tui.view.proofs import Proven
from lazarus_tui.view.reasons import Situation
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import BLANK
from screens.deeds import Deeds
from screens.proving import Proving
from widgets.line_block import LineBlock
from widgets.line_table import LineTable

# The list of runs keeps its head and so many rows.
_ROWS = 4


class ProofScreen(Proving, Deeds):
    """Follows the workload with ``key`` in the Proofs pane."""

    mode = "proof"
    shown_mode = "proofs"
    topic_name = "overview"
    base_sheet = proofs.RUN_SHEET

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key
        self.trail = (key,)
        self._gathered = Gathered()
        self._of: Proven | None = None
        self._runs: dict[str, proofs.Run] = {}

    def compose_body(self) -> Iterable[Widget]:
        yield LineBlock([], id="card")
        yield LineTable(self.base_sheet, id="body")

    def topics(self) -> set[str]:
        return {"overview", "proofs"}

    def _known(self) -> TopicState:
        """All workloads with their proofs."""
        return self._gathered(self.host.topic("overview"), self.host.topic("proofs"))

    @property
    def found(self) -> Proven | None:
        found: Proven | None = self._known().records.get(self.key)
        return found

    def main_topic(self) -> TopicState:
        """Its runs by the operation's id."""
        found = self.found
        if found is not self._of:
            self._of = found
            self._runs = {run.view.id: run for run in found.runs} if found else {}
        return replace(self.host.topic("proofs"), records=self._runs)

    @property
    def busy(self) -> bool:
        found = self.found
        return found is not None and found.open is not None

    def situation(self) -> Situation:
        return replace(super().situation(), record=self.found)

    def renew_body(self) -> None:
        super().renew_body()
        found, height = self.found, self.size.height
        room = height - 4 - min(_ROWS, max(1, self.table.counts[1])) - len(self.banner()) - 1
        if found is None:
            gone = "this workload is gone, and nothing of it was proven"
            lines = trouble.absent(self._known(), gone, self.size.width - 1)[1:]
        else:
            lines = proof_card.top(found, self.host.now(), self.size.width, room)
        self.query_one("#card", LineBlock).show([*lines, BLANK])

    def do_open(self) -> None:
        from screens.operation import OperationScreen

        if self.table.record is None:
            self.say("nothing of it was proven yet: p proves it")
        else:
            self.app.push_screen(OperationScreen(self.table.record.view.id))
