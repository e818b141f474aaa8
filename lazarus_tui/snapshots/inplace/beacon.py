"""Before harm: a capsule with the whole plan beside the workload, a beacon on it, and hands off for whoever fights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.resources import CONFIGMAPS, STATEFULSETS, Resource
from lazarus_tui.model.steps import Observation, Seen, StepContext, Write
from lazarus_tui.snapshots import capsule
from lazarus_tui.snapshots.inplace.part import Object, RestoreStep, preconditions
from lazarus_tui.snapshots.names import (
    BEACON,
    CLOSED,
    FENCE,
    OP,
    ORIGINAL_REPLICAS,
    OWNER,
    SINCE,
    annotation,
    capsule_name,
)


class Capsule(RestoreStep):
    """The plan in a ConfigMap: any Lazarus that finds it can finish or undo, without the journal."""

    name, title, mutates = "capsule", "Leave a recovery capsule beside the workload", True
    limit = 60.0

    async def _read(self, context: StepContext) -> Object | None:
        return await context.reader.get(CONFIGMAPS, capsule_name(context.op), self.namespace, type=dict)

    async def observe(self, context: StepContext) -> Observation:
        found = await self._read(context)
        if found is None:
            return Observation(Seen.ABSENT)
        if (found.get("data") or {}).get("operation") != context.op:
            return Observation(Seen.DIVERGED, f"ConfigMap {capsule_name(context.op)} is of another operation")
        facts = {"set": str(self.params["set"]), "replicas": self.replicas, "capsule": True}
        return Observation(Seen.DONE, f"{self.namespace}/{capsule_name(context.op)}", facts=facts)

    async def act(self, context: StepContext) -> None:
        op = context.op[:8]
        instruction = f"lazarus resume {op}   or   lazarus undo {op}"
        await self.change(context, capsule.writing(context, self.namespace, instruction, {FENCE: str(context.fence)}))

    async def undo(self, context: StepContext) -> None:
        await remove_capsule(self, context)


async def remove_capsule(step: RestoreStep, context: StepContext) -> None:
    """Take the capsule away, once nothing needs it."""
    name = capsule_name(context.op)

    async def look() -> str:
        found = await context.reader.get(CONFIGMAPS, name, step.namespace, type=dict)
        return f"ConfigMap {name} is still there" if found is not None else ""

    async def act() -> None:
        found = await context.reader.get(CONFIGMAPS, name, step.namespace, type=dict)
        if found is not None:
            await step.change(
                context, Write("delete", CONFIGMAPS, step.namespace, name, uid=found["metadata"]["uid"])
            )  # fmt: skip

    await step.until(context, look, act, limit=120.0)


async def close_capsule(step: RestoreStep, context: StepContext) -> None:
    """Say in the capsule that all went well: from now on it only serves an undo."""
    found = await context.reader.get(CONFIGMAPS, capsule_name(context.op), step.namespace, type=dict)
    if found is not None and not annotation(found, CLOSED):
        await annotate(step, context, CONFIGMAPS, found, {CLOSED: rfc3339(context.clock.now())}, "closed")


async def open_capsule(step: RestoreStep, context: StepContext) -> None:
    """Before an undo changes anything: whoever finds the capsule now sees that its operation is not at its end."""
    found = await context.reader.get(CONFIGMAPS, capsule_name(context.op), step.namespace, type=dict)
    if found is not None and annotation(found, CLOSED):
        await annotate(step, context, CONFIGMAPS, found, {CLOSED: None}, "open again")


async def capsule_closed(step: RestoreStep, context: StepContext) -> bool:
    found = await context.reader.get(CONFIGMAPS, capsule_name(context.op), step.namespace, type=dict)
    return found is None or bool(annotation(found, CLOSED))


class Beacon(RestoreStep):
    """Annotations on the StatefulSet: who works on it, since when, and how many replicas it must get back."""

    name, title, mutates = "beacon", "Mark the workload as being restored", True
    limit = 60.0

    async def observe(self, context: StepContext) -> Observation:
        found = await self.read(context)
        holder = annotation(found, OP)
        if holder == context.op[:8]:
            return Observation(Seen.DONE, f"to get {how_many(self.replicas, 'replica')} back")
        if holder:
            since, who = annotation(found, SINCE), annotation(found, OWNER)
            return Observation(
                Seen.DIVERGED,
                f"operation {holder} of {who or 'somebody'} works on it since {since or 'an unknown time'}",
                hint=f"finish or undo that one first: lazarus resume {holder}, or lazarus undo {holder}",
            )
        return Observation(Seen.ABSENT)

    async def act(self, context: StepContext) -> None:
        await light(self, context)

    async def undo(self, context: StepContext) -> None:
        await extinguish(self, context)


async def light(step: RestoreStep, context: StepContext) -> None:
    """Put the beacon on, unless somebody else's is there."""
    found = await step.read(context)
    if annotation(found, OP):
        return
    marks = {
        OP: context.op[:8],
        ORIGINAL_REPLICAS: str(step.replicas),
        SINCE: rfc3339(context.clock.now()),
        OWNER: str(step.params.get("owner") or ""),
        FENCE: str(context.fence),
    }
    await annotate(step, context, STATEFULSETS, found, marks, "the beacon is on")


async def extinguish(step: RestoreStep, context: StepContext) -> None:
    """Take the beacon off, if it is ours."""

    async def look() -> str:
        return "the beacon is still on" if step.ours(await step.read(context), context) else ""

    async def act() -> None:
        found = await step.read(context)
        if step.ours(found, context):
            await annotate(step, context, STATEFULSETS, found, dict.fromkeys(BEACON), "the beacon is off")

    await step.until(context, look, act, limit=120.0)


async def annotate(
    step: RestoreStep,
    context: StepContext,
    resource: Resource,
    found: Mapping[str, Any],
    marks: Mapping[str, str | None],
    expect: str,
) -> None:
    meta = found["metadata"]
    body = {"metadata": {"annotations": dict(marks)}}
    where = meta.get("namespace") if resource.namespaced else None
    await step.change(
        context, Write("merge-patch", resource, where, meta["name"], body, expect=expect, **preconditions(found))
    )


class Hold(RestoreStep):
    """Keep those who would scale it up again from doing so, as the plan lists them and a person agreed to."""

    name, title, mutates = "hold", "Hold whoever would scale it up again", True
    limit = 120.0

    @property
    def holds(self) -> list[dict[str, Any]]:
        return list(self.params.get("holds") or ())

    async def observe(self, context: StepContext) -> Observation:
        if not self.holds:
            return Observation(Seen.DONE, "nobody is known to")
        if left := await self.free(context):
            return Observation(Seen.ABSENT, left)
        return Observation(Seen.DONE, "; ".join(hold["words"] for hold in self.holds))

    async def free(self, context: StepContext) -> str:
        """Who is not held yet, in words; "" when all are. One that is gone cannot fight."""
        for hold in self.holds:
            found = await _held(context, hold)
            if found is not None and not fits(hold["hold"], found):
                return str(hold["words"])
        return ""

    async def act(self, context: StepContext) -> None:
        for hold in self.holds:
            found = await _held(context, hold)
            if found is not None and not fits(hold["hold"], found):
                await self._patch(context, hold, hold["hold"], found)

    async def undo(self, context: StepContext) -> None:
        await self.release(context)

    async def release(self, context: StepContext) -> None:
        """Let them work again, the last one held first."""
        for hold in reversed(self.holds):

            async def look(hold: dict[str, Any] = hold) -> str:
                found = await _held(context, hold)
                return "" if found is None or fits(hold["release"], found) else f"{hold['words']}: still held"

            async def act(hold: dict[str, Any] = hold) -> None:
                found = await _held(context, hold)
                if found is not None and not fits(hold["release"], found):
                    await self._patch(context, hold, hold["release"], found)

            await self.until(context, look, act, limit=120.0)

    async def _patch(self, context: StepContext, hold: Mapping[str, Any], body: Any, found: Object) -> None:
        where = hold.get("namespace") or None
        write = Write(
            "merge-patch", _resource(hold), where, hold["name"], body, expect=hold["words"], undo=hold["release"],
            **preconditions(found),
        )  # fmt: skip
        await self.change(context, write)


def _resource(hold: Mapping[str, Any]) -> Resource:
    return Resource(hold["group"], hold["version"], hold["plural"], hold["kind"], namespaced=bool(hold["namespace"]))


async def _held(context: StepContext, hold: Mapping[str, Any]) -> Object | None:
    found = await context.reader.get(_resource(hold), hold["name"], hold.get("namespace") or None, type=dict)
    return found if found is not None and found["metadata"].get("uid") == hold["uid"] else None


def fits(patch: Any, found: Any) -> bool:
    """Whether a merge patch would change nothing (RFC 7386); what is absent is as good as empty."""
    if not isinstance(patch, Mapping):
        return bool(patch == found)
    found = found if isinstance(found, Mapping) else {}
    return all(found.get(key) is None if value is None else fits(value, found.get(key)) for key, value in patch.items())
