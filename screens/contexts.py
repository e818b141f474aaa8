"""The contexts of the kubeconfig: which cluster, whether it answers, whether changes are allowed."""

from __future__ import annotations

from lazarus_tui.model.topics import ContextRow
from lazarus_tui.view import contexts
from screens.deeds import Deeds


class ContextsScreen(Deeds):
    mode = "contexts"
    shown_mode = "overview"
    topic_name = "contexts"
    base_sheet = contexts.SHEET

    def topics(self) -> set[str]:
        return set()

    def do_open(self) -> None:
        row: ContextRow = self.table.record
        self.host.use_context(row.name)
        self.app.pop_screen()
