"""The pivot: claims go, claims come back from the set. The old volumes stay where they are, kept.

Undo binds the old volumes again. They were not written since the drain, so it is exact.
"""

from __future__ import annotations

from collections.abc import Mapping

from lazarus_tui.kube.errors import AuthError, Forbidden
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.resources import CLAIMS, EVENTS, VOLUMES
from lazarus_tui.model.steps import Observation, Outcome, Seen, StepContext, StepStopped, Write
from lazarus_tui.snapshots.claimspec import difference, rebound, restored, snapshot_of
from lazarus_tui.snapshots.inplace.events import warn
from lazarus_tui.snapshots.inplace.part import Object, Part, RestoreStep, preconditions, safe
from lazarus_tui.snapshots.inplace.stop import UNDOING, empty
from lazarus_tui.snapshots.members import read_member, sound
from lazarus_tui.snapshots.names import member_name, safety_id


class PivotStep(RestoreStep):
    """From here on a refused write waits for a person, because the way back is theirs to choose."""

    after_harm = True

    def foreign(self, part: Part, claim: Object) -> Observation:
        source = snapshot_of(claim)
        what = f"made from snapshot {source}" if source else "empty or of unknown content"
        return Observation(
            Seen.DIVERGED,
            f"a claim {part.claim} appeared that this operation did not make ({what})",
            hint="somebody or a controller made it: delete it while the workload is at 0, then resume; or undo",
        )


_KEEP = "have it kept again (persistentVolumeReclaimPolicy: Retain), then resume; or undo"
_CHANGED = "the new claim would not have it: change it back, then resume; or undo, and make a new plan"


class Remove(PivotStep):
    """Delete the claims, each by its uid; wait until they are gone and their volumes are released, and kept."""

    name, title, mutates = "remove", "Remove the claims", True
    limit = 300.0

    async def observe(self, context: StepContext) -> Observation:
        if await self.replaced(context):
            return Observation(Seen.DONE, "they are replaced already")
        if (fight := await self.stopped(context)) is not None:
            return fight
        waiting: dict[str, str] = {}
        left = False
        for part in self.parts:  # all of them are looked at before the first one goes
            if not safe(await self.volume(context, part)):
                return Observation(Seen.DIVERGED, f"volume {part.volume} is not kept any more", hint=_KEEP)
            claim = await self.claim(context, part.claim)
            if claim is None or self.made(part, claim, context):
                continue
            meta = claim["metadata"]
            if meta["uid"] != part.uid:
                return self.foreign(part, claim)
            if meta.get("deletionTimestamp"):
                waiting[part.claim] = f"({', '.join(meta.get('finalizers') or ()) or 'ending'})"
            elif changed := difference(part.body, claim):
                return Observation(Seen.DIVERGED, f"claim {part.claim} was changed: {changed}", hint=_CHANGED)
            else:
                left = True
        if left:
            return Observation(Seen.ABSENT)
        progress = self.by_volume(waiting, "removed")
        if waiting:
            hint = "a pod or an unfinished snapshot uses it: end that; finalizers are never removed by Lazarus"
            words = ", ".join(f"{claim} {why}" for claim, why in waiting.items())
            return Observation(Seen.WAITING, f"being deleted: {words}", progress, hint=hint)
        return Observation(Seen.DONE, f"{how_many(len(self.parts), 'claim')}, and what was bound is kept", progress)

    async def act(self, context: StepContext) -> None:
        what = f"its claims are being replaced by those of set {self.params['set']}; the old volumes are kept"
        await warn(self, context, "RestoreReplaces", what)
        await self._last_look(context)
        for part in self.parts:
            claim = await self.claim(context, part.claim)
            if claim is None or claim["metadata"]["uid"] != part.uid or claim["metadata"].get("deletionTimestamp"):
                continue
            if changed := difference(part.body, claim):
                raise StepStopped(f"claim {part.claim} was changed: {changed}", hint=_CHANGED, park=True)
            if not safe(await self.volume(context, part)):
                raise StepStopped(f"volume {part.volume} is not kept any more", hint=_KEEP, park=True)
            write = Write(
                "delete", CLAIMS, self.namespace, part.claim, uid=part.uid, expect="gone; its volume is kept",
                undo={"volume": part.volume},
            )  # fmt: skip
            await self.change(context, write)

    async def _last_look(self, context: StepContext) -> None:
        """Everything harm depends on, read once more right before it."""
        if left := await empty(self, context):
            raise StepStopped(f"the workload is not at rest: {left}", hint="resume when it is, or undo", park=True)
        for part in self.parts:
            names = [part.snapshot]
            if self.params.get("safety", True):
                names.append(member_name(safety_id(context.op), part.claim))
            for name in names:
                if why := sound(*await read_member(context, self.namespace, name)):
                    raise StepStopped(f"snapshot {name} {why}", hint="undo, or resume when it is ready", park=True)

    async def undo(self, context: StepContext) -> None:
        await warn(self, context, "RestoreUndone", UNDOING)
        for part in self.parts:
            await self._rebind(context, part)

    async def _rebind(self, context: StepContext, part: Part) -> None:
        async def look() -> str:
            claim = await self.claim(context, part.claim)
            if claim is None:
                return f"claim {part.claim} is missing"
            if claim["metadata"].get("deletionTimestamp"):
                return f"claim {part.claim} is still being deleted"
            if (claim.get("spec") or {}).get("volumeName") != part.volume:
                raise StepStopped(
                    f"claim {part.claim} exists and is not on its old volume {part.volume}",
                    hint="delete it while the workload is at 0, then: undo", park=True,
                )  # fmt: skip
            if (claim.get("status") or {}).get("phase") != "Bound":
                return f"claim {part.claim} is not bound yet"
            return ""

        async def act() -> None:
            claim = await self.claim(context, part.claim)
            if not await self._free(context, part, claim) or claim is not None:
                return
            body = rebound(part.claim, self.namespace, part.body, volume=part.volume, op=context.op[:8])
            write = Write(
                "create", CLAIMS, self.namespace, part.claim, body, expect=f"on volume {part.volume}", users=True
            )
            await self.change(context, write)

        await self.until(context, look, act, limit=self.limit)

    async def _free(self, context: StepContext, part: Part, claim: Object | None) -> bool:
        """Let the old volume be bound again: it stays reserved for this claim's name, and forgets the old uid.

        True when it is free, or bound to ``claim``; a claim that is made before that would wait for ever.
        """
        found = await self.volume(context, part)
        ref = (found.get("spec") or {}).get("claimRef") or {}
        if not ref.get("uid") or (claim is not None and ref["uid"] == claim["metadata"]["uid"]):
            return True
        if (ref.get("namespace"), ref.get("name")) != (self.namespace, part.claim):
            who = f"{ref.get('namespace')}/{ref.get('name')}"
            raise StepStopped(f"volume {part.volume} belongs to {who} by now", park=True)
        body = {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}}
        write = Write("merge-patch", VOLUMES, None, part.volume, body, expect="may be bound", **preconditions(found))
        return await self.change(context, write)


class Create(PivotStep):
    """Claims of the old names, from the set. What the server answers is compared with what was asked for."""

    name, title, mutates = "create", "Create the claims from the set", True
    limit = 300.0

    async def observe(self, context: StepContext) -> Observation:
        uids: dict[str, str] = {}
        for part in self.parts:
            claim = await self.claim(context, part.claim)
            if claim is None:
                return await self.stopped(context) or Observation(Seen.ABSENT)
            if not self.made(part, claim, context):
                return self.foreign(part, claim)
            uids[part.claim] = claim["metadata"]["uid"]
        return Observation(Seen.DONE, how_many(len(uids), "claim"), facts={"create.uids": uids})

    async def act(self, context: StepContext) -> None:
        for part in self.parts:
            if await self.claim(context, part.claim) is not None:
                continue
            body = restored(
                part.claim, self.namespace, part.body, snapshot=part.snapshot,
                set_name=str(self.params["set"]), size=part.size, op=context.op[:8],
            )  # fmt: skip
            expect = f"data of snapshot {part.snapshot}"
            result = await context.gate.write(
                Write("create", CLAIMS, self.namespace, part.claim, body, expect=expect, users=True)
            )
            if result.outcome is Outcome.APPLIED and snapshot_of(result.object) != part.snapshot:
                raise StepStopped(
                    f"the server dropped the source of claim {part.claim}: it would be empty",
                    hint="undo; see whether the server and the driver can restore snapshots", park=True,
                )  # fmt: skip
            if result.outcome in (Outcome.PERMANENT, Outcome.FORBIDDEN, Outcome.AUTH, Outcome.UNKNOWN):
                hint = "mend the cause (quota, admission, rights) and resume, or undo"
                raise StepStopped(f"claim {part.claim} was refused: {result.reason}", hint=hint, park=True)

    async def undo(self, context: StepContext) -> None:
        """Delete what this operation made, by uid, once the old volumes are seen to be there."""

        async def present() -> list[Object]:
            found = [await self.claim(context, part.claim) for part in self.parts]
            return [c for p, c in zip(self.parts, found, strict=True) if c is not None and self.made(p, c, context)]

        async def look() -> str:
            return ", ".join(claim["metadata"]["name"] for claim in await present())

        async def act() -> None:
            if left := await empty(self, context):
                raise StepStopped(f"the workload is not at rest: {left}", park=True)
            for claim in await present():
                meta = claim["metadata"]
                if not meta.get("deletionTimestamp"):
                    await self.change(
                        context, Write("delete", CLAIMS, self.namespace, meta["name"], uid=meta["uid"])
                    )  # fmt: skip

        if await present():
            await self.way_back(context)
        await self.until(context, look, act, limit=self.limit)


class Bind(PivotStep):
    """Wait for the volumes, but never for one that waits for its pod: that would be for ever."""

    name, title = "bind", "Wait for the volumes"
    poll, limit = 2.0, 1800.0

    async def observe(self, context: StepContext) -> Observation:
        waiting: dict[str, str] = {}
        for part in self.parts:
            claim = await self.claim(context, part.claim)
            if claim is None:
                return Observation(Seen.DIVERGED, f"claim {part.claim} was deleted by somebody", hint="undo")
            if not self.made(part, claim, context):
                return self.foreign(part, claim)
            phase = (claim.get("status") or {}).get("phase")
            if phase != "Bound" and not part.waits:
                waiting[part.claim] = f"is {phase or 'new'}{await self._why(context, claim)}"
        progress = self.by_volume(waiting, "made")
        if waiting:
            words = "; ".join(f"{claim} {why}" for claim, why in waiting.items())
            return Observation(Seen.WAITING, words, progress, hint="see the claim's events; or undo")
        late = sum(part.waits for part in self.parts)
        return Observation(Seen.DONE, f"{late} bind when their pods start" if late else "all bound", progress)

    async def _why(self, context: StepContext, claim: Mapping[str, object]) -> str:
        return await newest_warning(self, context, claim)


async def newest_warning(step: RestoreStep, context: StepContext, claim: Mapping[str, object]) -> str:
    """``: message`` of the newest warning about a claim; "" without one, or where events may not be read."""
    uid = claim["metadata"]["uid"]  # type: ignore[index]
    try:
        events = await context.reader.list(
            EVENTS, step.namespace, type=dict, field_selector=f"involvedObject.uid={uid},type=Warning"
        )
    except (AuthError, Forbidden):
        return ""
    newest = max(events, key=lambda event: str(event.get("lastTimestamp") or ""), default=None)
    return f": {newest.get('message')}" if newest else ""


class Gate(PivotStep):
    """Nobody starts before every claim of the whole set is the right one: a missing one would be made empty."""

    name, title = "gate", "Check that every claim is the right one"
    limit = 60.0

    async def observe(self, context: StepContext) -> Observation:
        return await self.check(context) or Observation(Seen.DONE, f"{len(self.params['expected'])} of them")

    async def check(self, context: StepContext) -> Observation | None:
        """None when all are right. ``expected``: every claim of the workload with the uid it had in the plan."""
        parts = {part.claim: part for part in self.parts}
        for name, uid in dict(self.params["expected"]).items():
            claim = await self.claim(context, name)
            if claim is None or claim["metadata"].get("deletionTimestamp"):
                return Observation(Seen.DIVERGED, f"claim {name} is missing: it would be made empty", hint="undo")
            part = parts.get(name)
            if part is not None and not self.made(part, claim, context):
                return self.foreign(part, claim)
            if part is None and claim["metadata"]["uid"] != uid:
                return Observation(Seen.DIVERGED, f"claim {name} is another one than when it was planned", hint="undo")
        return None
