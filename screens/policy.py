"""One policy to read: what is wrong, how its workload stands, all of its queue, and what it does."""

from __future__ import annotations

from dataclasses import replace

from lazarus_tui.view import policies, queue, trouble
from lazarus_tui.view.policies import Stand
from lazarus_tui.view.reasons import Situation
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import BLANK
from screens.policies import Queueing
from screens.reading import Reading


class PolicyScreen(Queueing, Reading):
    """Follows the row with ``key`` in the list of policies."""

    mode = "policy"
    shown_mode = "proofs"

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key
        self.trail = ("policies", *key.split())
        self._gathered = policies.Gathered()

    def topics(self) -> set[str]:
        return {"policies", "queue"}

    def main_topic(self) -> TopicState:
        return self._gathered(self.host.topic("policies"), self.host.topic("queue"))

    @property
    def found(self) -> Stand | None:
        found: Stand | None = self.main_topic().records.get(self.key)
        return found

    @property
    def busy(self) -> bool:
        return queue.ticks(self.host.topic("queue"), self.host.now())

    def situation(self) -> Situation:
        return replace(super().situation(), record=self.found)

    def renew_body(self) -> None:
        found = self.found
        if found is None:
            gone = "this policy is gone, or has another workload now"
            self.pager.show(trouble.absent(self.main_topic(), gone, self.size.width - 1))
        else:
            self.pager.show([BLANK, *queue.page(found, self.host.now(), self.size.width - 1, sandbox=self.sandbox)])
