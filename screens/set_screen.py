"""One snapshot set: its volumes, what keeps it from being used, and the operations that used it."""

from __future__ import annotations

from dataclasses import replace

from lazarus_tui.model.sets import SnapshotSet
from lazarus_tui.view import set_card, snapshots, trouble
from lazarus_tui.view.reasons import Situation
from lazarus_tui.view.source import TopicState
from screens.proving import Proving
from screens.reading import Reading
from screens.set_deeds import SetDeeds


class SetScreen(Proving, SetDeeds, Reading):
    """Follows the set with ``key`` (namespace/id)."""

    mode = "set"
    shown_mode = "snapshots"

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key
        self._gathered = snapshots.Gathered()

    def topics(self) -> set[str]:
        return {"snapshots", "snapshot-contents", "proofs"}

    def main_topic(self) -> TopicState:
        return self._gathered(self.host.topic("snapshots"), self.host.topic("snapshot-contents"))

    @property
    def found(self) -> SnapshotSet | None:
        found: SnapshotSet | None = self.main_topic().records.get(self.key)
        return found

    def situation(self) -> Situation:
        return replace(super().situation(), record=self.found)

    def renew_body(self) -> None:
        found = self.found
        self.trail = (self.key.rpartition("/")[2],)
        if found is None:
            self.pager.show(trouble.absent(self.main_topic(), "this set is gone", self.size.width - 1))
            return
        every = self.host.topic("operations").records.values()
        operations = [each for each in every if each.context == self.host.context_name]
        proofs = self.host.topic("proofs").records.values()
        self.pager.show(set_card.card(found, operations, self.host.now(), self.size.width - 1, proofs))
