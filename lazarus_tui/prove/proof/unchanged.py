"""The point still holds what the approved plan was made from. Facts: ``prove.contents`` {digest, same}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Reader, Seen, StepContext, StepStopped
from lazarus_tui.prove.velero_points import VeleroPoints

CONTENTS = "prove.contents"


class Unchanged(BaseStep):
    """Another point under the same name, or one that lost volumes since, is not the one that was approved."""

    name, title = "prove.contents", "See that the point is the plan's"
    poll, limit = 1.0, 300.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params

    async def observe(self, context: StepContext) -> Observation:
        found = context.facts.get(CONTENTS)
        if found is None:
            return Observation(Seen.ABSENT)
        if not found["same"]:
            what = f"{self.params['point']} holds something else than when the plan was made"
            return Observation(Seen.DIVERGED, what, hint="make the plan again, and see who changed the backup")
        return Observation(Seen.DONE, f"sha256 {found['digest'][:16]}")

    async def act(self, context: StepContext) -> None:
        params = self.params
        points = VeleroPoints(cast(Reader, _Reading(context)), str(params["velero"]), context.clock)
        try:
            found = await points.contents(str(params["point"]), str(params["namespace"]), str(params["workload"]))
        except PlanRefused as refused:
            raise StepStopped(refused.what, hint=refused.hint) from refused
        same = found.digest == params["contents_digest"]
        await context.remember(**{CONTENTS: {"digest": found.digest, "same": same}})


class _Reading:
    """The operation's reader, with the artefacts that its context fetches."""

    def __init__(self, context: StepContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context.reader, name)

    async def artefact(self, velero: str, kind: str, name: str) -> bytes:
        return await self._context.artefact(velero, kind, name)
