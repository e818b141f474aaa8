"""The fence of a restore in place, in its capsule and its beacon (reference: reliability §4.3)."""

from __future__ import annotations

from lazarus_tui.model.resources import CONFIGMAPS, STATEFULSETS, Resource
from lazarus_tui.model.steps import Outcome, StepContext, StepStopped, Write
from lazarus_tui.snapshots.inplace.part import Object, preconditions
from lazarus_tui.snapshots.names import FENCE, OP, annotation, capsule_name

# Tries to raise it while somebody else changes the same object.
_TRIES = 5


class CapsuleFence:
    """``model.steps.Fence``: an annotation of the capsule decides, the beacon's is for people."""

    async def read(self, context: StepContext) -> int | None:
        found = await self._capsule(context)
        return None if found is None else fence_of(found)

    async def write(self, context: StepContext) -> None:
        """The capsule first: from then on every other engine is shut out."""
        await self._raise(context, CONFIGMAPS, capsule_name(context.op))
        await self._raise(context, STATEFULSETS, str(context.plan.params["statefulset"]))

    async def _raise(self, context: StepContext, resource: Resource, name: str) -> None:
        namespace = str(context.plan.params["namespace"])
        for _ in range(_TRIES):
            found = await context.reader.get(resource, name, namespace, type=dict)
            if found is None or (resource is STATEFULSETS and annotation(found, OP) != context.op[:8]):
                return
            if (there := fence_of(found)) >= context.fence:
                if there > context.fence:
                    raise StepStopped(f"another Lazarus takes it over at this moment (fence {there})", park=True)
                return
            body = {"metadata": {"annotations": {FENCE: str(context.fence)}}}
            write = Write(
                "merge-patch", resource, namespace, name, body, expect=f"fence {context.fence}", **preconditions(found)
            )
            result = await context.gate.write(write)
            if result.outcome not in (Outcome.APPLIED, Outcome.CONFLICT, Outcome.AMBIGUOUS):
                raise StepStopped(f"the fence was not raised: {result.reason or result.outcome}", park=True)
        raise StepStopped("the fence was not raised: somebody keeps changing it", hint="resume later", park=True)

    async def _capsule(self, context: StepContext) -> Object | None:
        namespace = str(context.plan.params["namespace"])
        return await context.reader.get(CONFIGMAPS, capsule_name(context.op), namespace, type=dict)


def fence_of(found: Object) -> int:
    """The fence an object carries; -1 without one, or with one that is no number."""
    value = annotation(found, FENCE)
    return int(value) if value.isdigit() else -1
