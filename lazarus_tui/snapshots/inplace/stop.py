"""Stop the workload, and wait until nobody can write to its volumes any more (reference: data §2.1, §2.4 S4–S5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.resources import PODS, STATEFULSETS
from lazarus_tui.model.steps import Observation, Seen, StepContext, StepStopped, Write
from lazarus_tui.snapshots.inplace.events import warn
from lazarus_tui.snapshots.inplace.part import RestoreStep, last_writer, preconditions, wanted_replicas

UNDOING = "the restore is being taken back: the old volumes are bound again"
# Seconds without a pod less, beyond the grace period, after which a stalled scale-down is helped along.
STALLED = 60.0


async def scale(step: RestoreStep, context: StepContext, count: int, among: Collection[int] = ()) -> None:
    """Ask for ``count`` replicas, as of the read just made; ``among``: the numbers that are no choice of somebody else.

    Empty for those the restore itself asks for. Raises ``StepStopped`` for any other: it is not taken back by force.
    """
    found = await step.read(context)
    if wanted_replicas(found) == count:
        return
    meddled(step, found, among)
    write = Write(
        "merge-patch", STATEFULSETS, step.namespace, step.workload, {"spec": {"replicas": count}}, subresource="scale",
        expect=_wanted(count), undo={"replicas": wanted_replicas(found)}, **preconditions(found),
    )  # fmt: skip
    await step.change(context, write)


def meddled(step: RestoreStep, found: Mapping[str, Any], among: Collection[int] = (), *, park: bool = True) -> None:
    """Raise ``StepStopped`` when somebody else chose the number of replicas; an autoscaler may."""
    wanted = wanted_replicas(found)
    if step.autoscaled or wanted in (among or (0, 1, step.replicas)):
        return
    raise StepStopped(
        f"somebody{last_writer(found)} scaled {step.namespace}/{step.workload} to {wanted}; the plan knows"
        f" {how_many(step.replicas, 'replica')}",
        hint=f"scale it to {step.replicas} or 0, then go on", park=park,
    )  # fmt: skip


async def empty(step: RestoreStep, context: StepContext) -> str:
    """What keeps the workload from being at rest at 0, in words; "" when it is."""
    found = await step.read(context)
    if wanted_replicas(found) != 0:
        return _wanted(wanted_replicas(found))
    status, meta = found.get("status") or {}, found["metadata"]
    if int(status.get("observedGeneration") or 0) < int(meta.get("generation") or 0):
        return "the controller has not seen the change yet"
    return await step.busy(context)


def _wanted(count: int) -> str:
    return how_many(count, "replica is wanted", "replicas are wanted")


async def stop_again(step: RestoreStep, context: StepContext) -> None:
    """For undo: back to 0 and drained, however far the start came."""

    async def look() -> str:
        return await empty(step, context)

    async def act() -> None:
        await scale(step, context, 0)

    await step.until(context, look, act, limit=float(step.params.get("grace") or 30) + 600.0)


class Stop(RestoreStep):
    """Scale to 0. From here until the start the workload is down, and says so."""

    name, title, mutates = "stop", "Scale to 0", True
    limit = 60.0

    async def observe(self, context: StepContext) -> Observation:
        wanted = wanted_replicas(await self.read(context))
        if wanted == 0:
            at = context.facts.get("stop.at") or rfc3339(context.clock.now(), micro=True)
            return Observation(Seen.DONE, f"from {self.replicas}", facts={"stop.at": at})
        if await self.replaced(context):
            return Observation(Seen.DONE, "the volumes are replaced already")
        if wanted != self.replicas:
            return Observation(
                Seen.DIVERGED,
                f"the plan knows {how_many(self.replicas, 'replica')}, now {_wanted(wanted)}",
                hint="undo, and make a new plan",
            )
        return Observation(Seen.ABSENT)

    async def act(self, context: StepContext) -> None:
        what = f"scaled from {self.replicas} to 0 replicas, to be restored from set {self.params['set']}"
        await warn(self, context, "RestoreStops", what)
        await scale(self, context, 0, (self.replicas,))

    async def undo(self, context: StepContext) -> None:
        """Back to the old number, but only when every claim is there: a missing one would be made anew, and empty."""
        if self._running(wanted_replicas(await self.read(context))):
            return
        await warn(self, context, "RestoreUndone", UNDOING)
        for part in self.parts:
            claim = await self.claim(context, part.claim)
            if claim is None or claim["metadata"].get("deletionTimestamp"):
                raise StepStopped(f"not scaled up: claim {part.claim} is missing, and would be made empty", park=True)
            if (claim.get("spec") or {}).get("volumeName") != part.volume:
                raise StepStopped(f"not scaled up: claim {part.claim} is not on its old volume", park=True)

        async def look() -> str:
            wanted = wanted_replicas(await self.read(context))
            return "" if self._running(wanted) else f"{_wanted(wanted)} instead of {self.replicas}"

        async def act() -> None:
            await scale(self, context, self.replicas)

        await self.until(context, look, act, limit=120.0)

    def _running(self, wanted: int) -> bool:
        return wanted == self.replicas or (self.autoscaled and wanted > 0)


class Drain(RestoreStep):
    """0 pods, those that end included, nobody else on the claims, no volume attached.

    A scale-down in order stalls on a replica that is not healthy, which is how a corrupted database looks. Then the
    remaining pods are deleted one by one, the highest first, with their normal grace period; never by force.
    """

    name, title, mutates = "drain", "Wait until nobody can write to the volumes", True
    poll = 1.0

    def __init__(self, params: object) -> None:
        super().__init__(params)  # type: ignore[arg-type]
        self.grace = float(self.params.get("grace") or 30)
        self.limit = self.grace + 600.0
        self._seen: tuple[float, int] | None = None

    async def observe(self, context: StepContext) -> Observation:
        if await self.replaced(context):
            return Observation(Seen.DONE, "the volumes are replaced already")
        if (fight := await self.stopped(context)) is not None:
            return fight
        left = await empty(self, context)
        if not left:
            return Observation(Seen.DONE, "no pod, no other user, nothing attached", (self.present(0),))
        own, others = await self.pods(context)
        hint = f"end {', '.join(sorted(pod.metadata.name for pod in others))}, then resume" if others else ""
        there = (self.present(len(own)),)
        now = context.clock.monotonic()
        if self._seen is None or self._seen[1] != len(own):
            self._seen = (now, len(own))
        stalled = now - self._seen[0] > self.grace + STALLED
        if own and stalled and not any(pod.metadata.deletion_timestamp for pod in own):
            return Observation(Seen.ABSENT, f"stalled: {left}", there)
        return Observation(Seen.WAITING, left, there, hint=hint)

    async def act(self, context: StepContext) -> None:
        if self._seen is None or wanted_replicas(await self.read(context)) != 0:
            return
        own, _ = await self.pods(context)
        ends = [pod for pod in own if not pod.metadata.deletion_timestamp]
        if not ends or context.clock.monotonic() - self._seen[0] <= self.grace + STALLED:
            return
        last = max(ends, key=lambda pod: _ordinal(pod.metadata.name))
        await context.say(f"the scale-down stalls; deleting pod {last.metadata.name} with its normal grace period")
        await self.change(context, Write("delete", PODS, self.namespace, last.metadata.name, uid=last.metadata.uid))
        self._seen = (context.clock.monotonic(), len(own))


def _ordinal(pod: str) -> int:
    end = pod.rpartition("-")[2]
    return int(end) if end.isdigit() else -1
