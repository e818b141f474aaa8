"""What is proven by itself: how each workload of each policy stands, what comes next, and the queue."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from lazarus_tui.model.proof_policies import Entry
from lazarus_tui.view import policies, queue
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import BLANK, Tone
from screens.deeds import Deeds
from screens.operating import Operating
from widgets.line_block import LineBlock
from widgets.line_table import LineTable


class Queueing(Operating):
    """``situation().record`` is a row of a policy; the action table has made sure that it runs."""

    def do_queue_proof(self) -> None:
        self._queue(control=False)

    def do_queue_control(self) -> None:
        self._queue(control=True)

    def _queue(self, *, control: bool) -> None:
        name = self.situation().record.name
        request = {"context": self.host.context_name, "name": name, "control": control}

        async def work() -> None:
            if await self.host.source.call("proof-policy.run", request, list[Entry]):
                self.say(f"{'a control' if control else 'a proof'} of each workload of {name} is queued", Tone.GOOD)
            else:
                self.say(f"nothing is queued: no workload has the labels that {name} names", Tone.WARN)

        self.run_worker(self.told(work(), "control now" if control else "prove now"), group="ask")


class PoliciesScreen(Queueing, Deeds):
    mode = "policies"
    shown_mode = "proofs"
    trail = ("policies",)
    topic_name = "policies"
    base_sheet = policies.SHEET

    def __init__(self) -> None:
        super().__init__()
        self._gathered = policies.Gathered()

    def compose_body(self) -> Iterable[Widget]:
        yield LineTable(self.base_sheet, id="body")
        yield LineBlock([], id="card")

    def topics(self) -> set[str]:
        return {"policies", "queue"}

    def main_topic(self) -> TopicState:
        return self._gathered(self.host.topic("policies"), self.host.topic("queue"))

    @property
    def busy(self) -> bool:
        return queue.ticks(self.host.topic("queue"), self.host.now())

    def renew_body(self) -> None:
        super().renew_body()
        shown = self.table.counts[0]
        room = self.size.height - 4 - min(shown, max(3, self.size.height // 4)) - len(self.banner())
        found, now, width = self.table.record, self.host.now(), self.size.width
        lines = queue.card(found, now, width, room - 1, sandbox=self.sandbox) if shown else []
        self.query_one("#card", LineBlock).show([BLANK, *lines] if lines else [])

    def moved(self) -> None:
        self.renew()

    def name_of(self, key: str) -> str:
        """The policy; its workload stands behind it in the key."""
        return key.partition(" ")[0]

    @property
    def empty(self) -> str:
        return policies.NOTHING_IN_SANDBOX if self.sandbox else super().empty

    def do_open(self) -> None:
        from screens.policy import PolicyScreen

        self.app.push_screen(PolicyScreen(self.table.key or ""))
