"""The plan before it runs: what happens, what is lost, how it is undone. Cancel is the default; loss is typed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.view import plans
from lazarus_tui.view.text import Line, Span, strong
from screens.approval import Approval


class PlanScreen(Approval):
    """Dismissed with the started operation, or None."""

    mode = "plan"
    trail = ("plan",)

    def __init__(self, plan: Plan, *, of: tuple[int, int] = (1, 1)) -> None:
        super().__init__(plan.target if plan.danger is Danger.DESTROYS else "", plan.title)
        self._plan = plan
        self._of = of

    def card(self, width: int) -> Sequence[Line]:
        return plans.card(self._plan, width)

    async def approve(self, confirm: str) -> Operation:
        plan = self._plan
        params = {"plan": msgspec.to_builtins(plan), "digest": plan.digest(), "confirm": confirm}
        return await self.host.source.call("operation.start", params, Operation)

    def info(self) -> Sequence[Span]:
        at, total = self._of
        return [] if total == 1 else [strong(f"plan {at} of {total}")]
