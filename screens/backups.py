"""All backups."""

from __future__ import annotations

from lazarus_tui.view import backups
from screens.deeds import Deeds
from screens.proving import Proving


class BackupsScreen(Proving, Deeds):
    mode = "backups"
    topic_name = "backups"
    base_sheet = backups.SHEET

    def do_open(self) -> None:
        self.do_describe()
