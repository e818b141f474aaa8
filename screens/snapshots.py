"""All snapshot sets, newest first."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from lazarus_tui.model.sets import SnapshotSet
from lazarus_tui.view import snapshots
from lazarus_tui.view.sheet import Sheet
from lazarus_tui.view.source import TopicState
from screens.deeds import Deeds
from screens.proving import Proving
from screens.set_deeds import SetDeeds


class SnapshotsScreen(Proving, SetDeeds, Deeds):
    mode = "snapshots"
    topic_name = "snapshots"
    base_sheet = snapshots.SHEET

    def __init__(self) -> None:
        super().__init__()
        self._gathered = snapshots.Gathered()

    def topics(self) -> set[str]:
        return {"snapshots", "snapshot-contents", "proofs"}

    def main_topic(self) -> TopicState:
        return self._gathered(self.host.topic("snapshots"), self.host.topic("snapshot-contents"))

    def sheet(self, state: TopicState) -> Sheet[SnapshotSet]:
        """With what the proofs of this context say about each set."""
        known = snapshots.verdicts(self.host.topic("proofs").records.values())
        return replace(snapshots.SHEET, cells=partial(snapshots.cells, known=known))

    def do_open(self) -> None:
        from screens.set_screen import SetScreen

        self.app.push_screen(SetScreen(self.table.key or ""))

    def do_describe(self) -> None:
        self.do_open()
