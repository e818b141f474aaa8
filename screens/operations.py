"""What Lazarus does and did."""

from __future__ import annotations

from dataclasses import replace

from lazarus_tui.view import operations
from lazarus_tui.view.reasons import Situation
from screens.deeds import Deeds


class OperationsScreen(Deeds):
    mode = "operations"
    topic_name = "operations"
    base_sheet = operations.SHEET

    def situation(self) -> Situation:
        return replace(super().situation(), operation=self.table.record)

    def do_open(self) -> None:
        from screens.operation import OperationScreen

        self.app.push_screen(OperationScreen(self.table.record.id))
