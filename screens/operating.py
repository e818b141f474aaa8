"""Making plans, and what can be done with an operation wherever one is shown: take it back, let it go on, stop it."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Plan
from lazarus_tui.view.source import LinkFault, LinkLost
from lazarus_tui.view.text import Tone
from screens.notice import refusal
from screens.place import Place

# The plan of a proof reads the whole of a backup first.
PLANNING_SECONDS = 180.0


class Operating(Place):
    """``situation().operation`` is the one that is meant; the action table has made sure that there is one."""

    async def told(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Run ``work``; what goes wrong is said instead of ending the console."""
        try:
            await work
        except LinkFault as fault:
            self.message = None
            self.app.push_screen(refusal(fault, what, sandbox=self.sandbox))
        except LinkLost as error:
            self.say(f"{what}: {error}", Tone.BAD)

    def ask(self, method: str, params: dict[str, Any], type: type[Any], what: str, said: str) -> None:
        """A call whose answer is only an acknowledgement; ``what`` names it when it is refused."""

        async def work() -> None:
            await self.host.source.call(method, params, type)
            self.say(said, Tone.GOOD)

        self.run_worker(self.told(work(), what), group="ask")

    # Plans

    def plan_each(self, kind: str, wanted: Sequence[dict[str, Any]]) -> None:
        """One plan after the other, each approved by itself; a refusal or Cancel ends the row."""
        self.run_worker(self.told(self._plan_each(kind, wanted), "plan"), exclusive=True, group="plan")

    async def _plan_each(self, kind: str, wanted: Sequence[dict[str, Any]]) -> None:
        from screens.operation import OperationScreen
        from screens.plan import PlanScreen

        started: Operation | None = None
        for number, params in enumerate(wanted, 1):
            self.say("planning …")
            request = {"kind": kind, "context": self.host.context_name, "params": params}
            plan = await self.host.source.call("plan.make", request, Plan, timeout=PLANNING_SECONDS)
            started = await self.app.push_screen_wait(PlanScreen(plan, of=(number, len(wanted))))
            if started is None:
                before = f"the {number - 1} before it were started, the rest were not" if number > 1 else ""
                self.say(f"cancelled: {before or 'nothing was done'}")
                return
        if started is not None:
            self.message = None
            self.app.push_screen(OperationScreen(started.id))

    def do_release(self) -> None:
        operation = self.situation().operation
        if operation is not None:
            self.plan_each("snapshots.release", [{"operation": operation.id}])

    def do_undo(self) -> None:
        from screens.undoing import UndoScreen

        operation = self.situation().operation
        if operation is not None:
            self.app.push_screen(UndoScreen(operation), self._undone)

    def _undone(self, operation: Operation | None) -> None:
        from screens.operation import OperationScreen

        if operation is None:
            self.say("cancelled: nothing was done")
        elif isinstance(self, OperationScreen):
            self.say("being taken back")
        else:
            self.app.push_screen(OperationScreen(operation.id))

    def do_close(self) -> None:
        from screens.undoing import CloseScreen

        operation = self.situation().operation
        if operation is not None:
            self.app.push_screen(CloseScreen(operation), self._ended_by_hand)

    def _ended_by_hand(self, operation: Operation | None) -> None:
        self.say("cancelled: nothing was done" if operation is None else "closed as it stands")

    def do_resume(self) -> None:
        from screens.undoing import TakeOverScreen

        operation = self.situation().operation
        if operation is not None and operation.foreign:
            self.app.push_screen(TakeOverScreen(operation), self._taken_over)
            return
        self._ask_for("operation.resume", "resume", "it goes on")

    def _taken_over(self, operation: Operation | None) -> None:
        self.say("cancelled: nothing was done" if operation is None else "taken over: it goes on")

    def do_park(self) -> None:
        self._ask_for("operation.park", "park", "stops at the next safe step")

    def _ask_for(self, method: str, what: str, said: str) -> None:
        operation = self.situation().operation
        if operation is not None:
            self.ask(method, {"id": operation.id}, Operation, what, said)
