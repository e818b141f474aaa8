"""A copy that no node has room for: its volumes wait for its pods, and where it never gets room its proof ends, for
nothing that runs was seen, and nothing is known of the point."""

from __future__ import annotations

from dataclasses import replace

from lazarus_tui.model.stepping import Around
from lazarus_tui.model.steps import Observation, Seen, Step, StepContext, StepStopped
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.checks import unplaced

# Seconds between two looks at the pods that volumes wait for.
_LOOK = 15.0


class Placed(Around):
    """``inner`` waits until the workloads are ready. Raises ``StepStopped`` where it could not be told."""

    async def observe(self, context: StepContext) -> Observation:
        seen = await self.inner.observe(context)
        if seen.seen is Seen.DONE and (seen.facts or {}).get("checks.ready") == Verdict.INCONCLUSIVE:
            raise StepStopped(seen.detail, hint="make room, ask for less, or prove fewer at once; then try again")
        return seen


class Filling(Around):
    """``inner`` waits for volumes, which Velero fills by files once their pod is on a node: what keeps pods of
    ``namespace`` off all of them is told beside it."""

    def __init__(self, inner: Step, namespace: str) -> None:
        super().__init__(inner)
        self._namespace = namespace
        self._looked: float | None = None
        self._full = ""

    async def observe(self, context: StepContext) -> Observation:
        seen = await self.inner.observe(context)
        if seen.seen is not Seen.WAITING:
            return seen
        now = context.clock.monotonic()
        if self._looked is None or now - self._looked >= _LOOK:
            self._looked = now
            self._full = await unplaced.look(context.reader, [self._namespace])
        return replace(seen, detail="; ".join(filter(None, (seen.detail, self._full))))
