"""The parachute: nothing that happens later may be able to take the old data along (design.md §5)."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.resources import STATEFULSETS, VOLUMES
from lazarus_tui.model.snapshots import RETAIN
from lazarus_tui.model.steps import Observation, Seen, StepContext, Write
from lazarus_tui.snapshots.inplace.part import Object, Part, RestoreStep, preconditions, safe
from lazarus_tui.snapshots.names import KEPT_UNTIL, OP, ORIGINAL_RECLAIM, annotation

_OWNERS = ("Pod", "StatefulSet")
_SAFE = {"whenDeleted": RETAIN, "whenScaled": RETAIN}


def claim_policy(found: Object) -> dict[str, str]:
    return {**_SAFE, **((found.get("spec") or {}).get("persistentVolumeClaimRetentionPolicy") or {})}


class Policy(RestoreStep):
    """``whenScaled: Delete`` makes every stopped pod the owner of its claims: the collector would delete the data.

    So the policy is made safe first, and no claim may have such an owner left; otherwise nothing goes on.
    """

    name, title, mutates = "policy", "Make scaling down safe for the claims", True
    limit = 120.0

    async def observe(self, context: StepContext) -> Observation:
        found = await self.read(context)
        if claim_policy(found) != _SAFE:
            return Observation(Seen.ABSENT)
        status, meta = found.get("status") or {}, found["metadata"]
        if int(status.get("observedGeneration") or 0) < int(meta.get("generation") or 0):
            return Observation(Seen.WAITING, "the controller has not seen the change yet")
        owned = [part.claim for part in self.parts if _owned(await self.claim(context, part.claim))]
        if owned:
            hint = "a claim whose pod was stopped under the old policy stays owned by it: scale up again, then retry"
            return Observation(Seen.WAITING, f"still owned by a pod or the set: {', '.join(owned)}", hint=hint)
        return Observation(Seen.DONE, "no claim is deleted along with a pod or the set")

    async def act(self, context: StepContext) -> None:
        await self.set(context, _SAFE)

    async def undo(self, context: StepContext) -> None:
        await restore_policy(self, context)

    async def set(self, context: StepContext, policy: dict[str, str]) -> None:
        await set_policy(self, context, policy)


async def set_policy(step: RestoreStep, context: StepContext, policy: dict[str, str]) -> None:
    found = await step.read(context)
    if claim_policy(found) == policy:
        return
    body = {"spec": {"persistentVolumeClaimRetentionPolicy": policy}}
    undo = claim_policy(found)
    write = Write(
        "merge-patch", STATEFULSETS, step.namespace, step.workload, body, expect=f"claims: {policy}", undo=undo,
        **preconditions(found),
    )  # fmt: skip
    await step.change(context, write)


async def restore_policy(step: RestoreStep, context: StepContext) -> None:
    """The policy as it was before the operation."""
    wanted = {**_SAFE, **dict(step.params.get("policy") or {})}

    async def look() -> str:
        return "" if claim_policy(await step.read(context)) == wanted else "the claims' policy is not as it was"

    async def act() -> None:
        await set_policy(step, context, wanted)

    await step.until(context, look, act, limit=120.0)


def _owned(claim: Object | None) -> bool:
    return any(
        owner.get("kind") in _OWNERS for owner in ((claim or {}).get("metadata") or {}).get("ownerReferences", ())
    )


class Retain(RestoreStep):
    """The old volumes are kept whatever happens to their claims."""

    name, title, mutates = "retain", "Keep the old volumes", True
    limit = 60.0

    async def observe(self, context: StepContext) -> Observation:
        for part in self.parts:
            found = await self.volume(context, part)
            if safe(found) and self.ours(found, context):
                continue
            ref = (found.get("spec") or {}).get("claimRef") or {}
            if ref.get("uid") != part.uid:
                return Observation(
                    Seen.DIVERGED, f"volume {part.volume} does not belong to claim {part.claim} any more"
                )
            return Observation(Seen.ABSENT)
        return Observation(Seen.DONE, how_many(len(self.parts), "volume"))

    async def act(self, context: StepContext) -> None:
        for part in self.parts:
            found = await self.volume(context, part)
            if safe(found) and self.ours(found, context):
                continue
            was = annotation(found, ORIGINAL_RECLAIM) or part.reclaim
            marks = {OP: context.op[:8], ORIGINAL_RECLAIM: was}
            body = {"metadata": {"annotations": marks}, "spec": {"persistentVolumeReclaimPolicy": RETAIN}}
            write = Write(
                "merge-patch", VOLUMES, None, part.volume, body, expect="kept when its claim goes",
                undo={"reclaim": was}, **preconditions(found),
            )  # fmt: skip
            await self.change(context, write)

    async def undo(self, context: StepContext) -> None:
        for part in self.parts:
            await release_volume(self, context, part)


async def release_volume(step: RestoreStep, context: StepContext, part: Part) -> None:
    """Give a volume its old policy back while its claim is bound to it: a released one would be deleted at once."""

    def body(found: Object) -> dict[str, Any] | None:
        if annotation(found, OP) != context.op[:8]:
            return None
        marks: dict[str, Any] = {"metadata": {"annotations": {OP: None, ORIGINAL_RECLAIM: None, KEPT_UNTIL: None}}}
        was = annotation(found, ORIGINAL_RECLAIM)
        if was and (found.get("status") or {}).get("phase") == "Bound":
            marks["spec"] = {"persistentVolumeReclaimPolicy": was}
        return marks

    async def look() -> str:
        return "" if body(await step.volume(context, part)) is None else f"volume {part.volume} is still marked"

    async def act() -> None:
        found = await step.volume(context, part)
        if (change := body(found)) is not None:
            write = Write("merge-patch", VOLUMES, None, part.volume, change, expect="as before", **preconditions(found))
            await step.change(context, write)

    await step.until(context, look, act, limit=120.0)
