"""A copy that no node had room for ends its proof: nothing that runs was seen, and nothing is known of the point."""

from __future__ import annotations

from lazarus_tui.model.steps import Observation, Seen, Step, StepContext, StepStopped
from lazarus_tui.model.verdict import Verdict


class Placed:
    """``inner`` waits until the workloads are ready. Raises ``StepStopped`` where it could not be told."""

    def __init__(self, inner: Step) -> None:
        self.inner = inner
        self.name, self.version, self.title = inner.name, inner.version, inner.title
        self.mutates, self.poll, self.limit = inner.mutates, inner.poll, inner.limit

    async def observe(self, context: StepContext) -> Observation:
        seen = await self.inner.observe(context)
        if seen.seen is Seen.DONE and (seen.facts or {}).get("checks.ready") == Verdict.INCONCLUSIVE:
            raise StepStopped(seen.detail, hint="make room, ask for less, or prove fewer at once; then try again")
        return seen

    async def act(self, context: StepContext) -> None:
        await self.inner.act(context)

    async def undo(self, context: StepContext) -> str | None:
        return await self.inner.undo(context)
