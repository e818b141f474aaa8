"""When the restore begins, and when the copy may run. Facts: ``restore.t4``, ``prove.released``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Seen, StepContext
from lazarus_tui.prove.proof import stillness
from lazarus_tui.prove.proof.compare import WORKLOADS

RELEASED, T4 = "prove.released", "restore.t4"


class Begin(BaseStep):
    """T4 where nobody's own object says when the restore was asked for: right before its first step."""

    name, title = "prove.begin", "Begin the restore"
    limit = 30.0

    async def observe(self, context: StepContext) -> Observation:
        at = context.facts.get(T4) or rfc3339(context.clock.now(), micro=True)
        return Observation(Seen.DONE, str(at), facts={T4: at})


class Release(BaseStep):
    """Only now may the copy run. One that is not there any more was missing before: the comparison has said so.

    ``all_of_them``: also what was not held, and was stopped meanwhile.
    """

    name, title, mutates = "prove.release", "Start the held workloads", True
    poll, limit = 0.5, 120.0

    def __init__(self, params: Mapping[str, Any], *, all_of_them: bool = False) -> None:
        self.quarantine, self.all_of_them = str(params["quarantine"]), all_of_them
        self.held = {(str(o["kind"]), str(o["name"])): int(o["replicas"]) for o in params.get("held") or ()}

    async def observe(self, context: StepContext) -> Observation:
        waiting = await self._waiting(context)
        if waiting:
            return Observation(Seen.ABSENT, f"{len(waiting)} at zero")
        at = context.facts.get(RELEASED) or rfc3339(context.clock.now(), micro=True)
        return Observation(Seen.DONE, how_many(len(self.held), "workload"), facts={RELEASED: at})

    async def act(self, context: StepContext) -> None:
        if not context.facts.get(RELEASED):
            await context.remember(**{RELEASED: rfc3339(context.clock.now(), micro=True)})
        for kind, found, wanted in await self._waiting(context):
            await stillness.scale(context, kind, found, wanted)

    async def _waiting(self, context: StepContext) -> list[tuple[Resource, dict[str, Any], int]]:
        found = []
        held = self.held
        if self.all_of_them:
            known = context.facts.get(WORKLOADS) or ()
            held = {(str(one["kind"]), str(one["name"])): int(one["replicas"]) for one in known}
        for kind, workload in await stillness.workloads(context.reader, self.quarantine):
            wanted = held.get((kind.kind, str(workload["metadata"]["name"])))
            if wanted is not None and stillness.replicas(kind, workload) != wanted:
                found.append((kind, workload, wanted))
        return found
