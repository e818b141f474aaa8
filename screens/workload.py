"""One workload: the four questions answered in full."""

from __future__ import annotations

from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.view import overview, trouble
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import BLANK
from screens.reading import Reading


class WorkloadScreen(Reading):
    """Follows the workload with ``key`` in the Overview."""

    mode = "workload"
    shown_mode = "overview"

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key

    def topics(self) -> set[str]:
        return {"overview", "locations"}

    def main_topic(self) -> TopicState:
        return self.host.topic("overview")

    def renew_body(self) -> None:
        row: WorkloadRow | None = self.main_topic().records.get(self.key)
        if row is None:
            self.pager.show(trouble.absent(self.main_topic(), "this workload is gone", self.size.width - 1))
            return
        self.trail = (overview.title(row), "describe")
        lines = overview.card(row, self.host.now(), self.size.width - 1, passed_over=len(row.skipped))
        self.pager.show([BLANK, *lines, BLANK, *overview.storage(self.host.topic("locations"), self.host.now())])
