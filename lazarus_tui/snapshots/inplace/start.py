"""Start again, the first replica alone, then all; then give back everything that was held."""

from __future__ import annotations

from datetime import timedelta

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.operation import Figures
from lazarus_tui.model.resources import VOLUMES
from lazarus_tui.model.steps import Observation, Seen, StepContext, StepStopped
from lazarus_tui.snapshots.inplace.beacon import (
    Hold,
    annotate,
    capsule_closed,
    close_capsule,
    extinguish,
    light,
    open_capsule,
)
from lazarus_tui.snapshots.inplace.events import warn
from lazarus_tui.snapshots.inplace.parachute import claim_policy, restore_policy, set_policy
from lazarus_tui.snapshots.inplace.part import Object, RestoreStep, last_writer, wanted_replicas
from lazarus_tui.snapshots.inplace.replace import Gate, PivotStep, newest_warning
from lazarus_tui.snapshots.inplace.stop import UNDOING, meddled, scale, stop_again
from lazarus_tui.snapshots.names import KEPT_UNTIL, OP, annotation

# How long undo is promised after a restore in place (design.md §10).
UNDO_DAYS = 7


class Start(PivotStep):
    """Scale to ``count`` and wait until that many are ready."""

    mutates = True
    poll, limit = 1.0, 1800.0

    def __init__(self, params: object, count: int) -> None:
        super().__init__(params)  # type: ignore[arg-type]
        self.count = count

    async def observe(self, context: StepContext) -> Observation:
        found = await self.read(context)
        wanted = wanted_replicas(found)
        count = wanted if self.autoscaled and wanted > 0 else self.count
        if wanted not in (0, count) and wanted not in self._before:
            who = last_writer(found)
            return Observation(Seen.DIVERGED, f"somebody{who} scaled it to {wanted}", hint="scale it back, then resume")
        if wanted != count:
            return Observation(Seen.ABSENT)
        status, meta = found.get("status") or {}, found["metadata"]
        if int(status.get("observedGeneration") or 0) < int(meta.get("generation") or 0):
            return Observation(Seen.WAITING, "the controller has not seen the change yet")
        ready = int(status.get("readyReplicas") or 0)
        there = (self.present(ready),)
        if ready < count:
            words = f"{ready} of {count} ready{await self._why(context)}"
            return Observation(Seen.WAITING, words, there, hint=_UNHEALTHY)
        unbound = await self._unbound(context)
        if unbound:
            return Observation(Seen.WAITING, f"not bound: {', '.join(unbound)}", there)
        other = "" if count == self.count else f"; an autoscaler made {count} of {self.count}"
        return Observation(Seen.DONE, f"{ready} ready{other}", there)

    @property
    def _before(self) -> tuple[int, ...]:
        return (1,) if self.count > 1 else ()

    async def _unbound(self, context: StepContext) -> list[str]:
        """Claims that should have a volume by now, of the replicas that run."""
        left = []
        for part in self.parts[: len(self.parts) if self.count == self.replicas else 0]:
            claim = await self.claim(context, part.claim)
            if claim is None or (claim.get("status") or {}).get("phase") != "Bound":
                left.append(part.claim)
        return left

    async def _why(self, context: StepContext) -> str:
        """What a claim of ours says while pods wait for it."""
        for part in self.parts:
            claim = await self.claim(context, part.claim)
            waits = claim is not None and (claim.get("status") or {}).get("phase") != "Bound"
            if claim is not None and waits and (why := await newest_warning(self, context, claim)):
                return f"; {part.claim}{why}"
        return ""

    async def act(self, context: StepContext) -> None:
        if wanted_replicas(await self.read(context)) == 0:
            wrong = await Gate(self.params).check(context)
            if wrong is not None:
                raise StepStopped(wrong.detail, hint=wrong.hint, park=True)
        await scale(self, context, self.count, (0, *self._before))

    async def undo(self, context: StepContext) -> None:
        if not await self.untouched(context):
            await self.way_back(context)
            await warn(self, context, "RestoreUndone", UNDOING)
            await stop_again(self, context)


_UNHEALTHY = "see the pods' logs; undo brings the old volumes back"


class First(Start):
    """The first replica alone: what is wrong with the data shows before all of it is started."""

    name, title = "first", "Start the first replica"

    def __init__(self, params: object) -> None:
        super().__init__(params, 1)

    async def observe(self, context: StepContext) -> Observation:
        if self.replicas <= 1:
            return Observation(Seen.DONE, "there is only one")
        if not self.params.get("first", True):
            return Observation(Seen.DONE, "left out on request")
        if self.autoscaled:
            return Observation(Seen.DONE, "left out: an autoscaler would not leave it at one")
        if wanted_replicas(await self.read(context)) == self.replicas:
            return Observation(Seen.DONE, "all are started already")
        return await super().observe(context)


class StartAll(Start):
    """All of them. When they are ready the recovery is over, and is measured."""

    name, title = "start", "Start all replicas"

    def __init__(self, params: object) -> None:
        super().__init__(params, 0)
        self.count = self.replicas

    async def observe(self, context: StepContext) -> Observation:
        seen = await super().observe(context)
        if seen.seen is Seen.DONE and (stopped := context.facts.get("stop.at")):
            down = (context.clock.now() - parse_rfc3339(str(stopped))).total_seconds()
            cut = str(self.params.get("cut") or "")
            lost = (parse_rfc3339(str(stopped)) - parse_rfc3339(cut)).total_seconds() if cut else None
            figures = Figures(
                rta_seconds=down, rta_definition="from the scale-down until all replicas were ready",
                rpa_seconds=lost, rpa_definition="from the set's oldest cut to the scale-down",
            )  # fmt: skip
            await context.measured(figures)
        return seen


class Close(RestoreStep):
    """Give back what was held, take the beacon off. The old volumes stay until they are released.

    The capsule is closed last: until then whoever finds it looks at every step once more.
    """

    name, title, mutates = "close", "Give back what was held", True
    limit = 300.0
    after_harm = True

    async def observe(self, context: StepContext) -> Observation:
        if self.ours(await self.read(context), context) or not await capsule_closed(self, context):
            return Observation(Seen.ABSENT)
        until = rfc3339(context.clock.now() + timedelta(days=UNDO_DAYS))
        facts = {"undo.until": until, "undo.volumes": [part.volume for part in self.parts]}
        return Observation(
            Seen.DONE, f"the old volumes are kept until {until[:10]}, or until they are released", facts=facts
        )

    async def act(self, context: StepContext) -> None:
        await restore_policy(self, context)
        await Hold(self.params).release(context)
        until = rfc3339(context.clock.now() + timedelta(days=UNDO_DAYS))
        for part in self.parts:
            found = await self.volume(context, part)
            if not annotation(found, KEPT_UNTIL):
                await annotate(
                    self, context, VOLUMES, found, {KEPT_UNTIL: until, OP: context.op[:8]}, "undo is possible"
                )
        await extinguish(self, context)
        await close_capsule(self, context)

    async def undo(self, context: StepContext) -> None:
        """Before the old volumes come back: an open capsule, the beacon, the safe policy, and hands off, as before the
        first harm."""
        if await self.untouched(context):
            return
        await self.way_back(context)
        found = await self.read(context)
        meddled(self, found, park=self.ours(found, context))

        async def look() -> str:
            found = await self.read(context)
            if not self.ours(found, context):
                return _beacon_trouble(found)
            return "" if claim_policy(found) == _SAFE else "the claims' policy is not safe yet"

        async def act() -> None:
            await open_capsule(self, context)
            await light(self, context)
            await set_policy(self, context, _SAFE)

        await self.until(context, look, act, limit=120.0)
        hold = Hold(self.params)
        await self.until(context, lambda: hold.free(context), lambda: hold.act(context), limit=120.0)


_SAFE = {"whenDeleted": "Retain", "whenScaled": "Retain"}


def _beacon_trouble(found: Object) -> str:
    other = annotation(found, OP)
    if other:
        raise StepStopped(f"operation {other} works on it now", hint="finish or undo that one first", park=True)
    return "the beacon is off"
