"""Safety snapshots of the volumes as they are, taken cold: after the drain, so they need no recovery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.sets import SAFETY_ROLE, SetAbout
from lazarus_tui.model.snapshots import RETAIN, SNAPSHOTS
from lazarus_tui.model.steps import Observation, Seen, StepContext, Write
from lazarus_tui.snapshots.inplace.part import RestoreStep
from lazarus_tui.snapshots.members import keeping, member, read_member, sound
from lazarus_tui.snapshots.names import member_name, safety_id

# Seconds a cut may take, its controller's retries included (reference: data §1.2); the upload after it may take long.
CUT_WITHIN = 300.0


class Safety(RestoreStep):
    """One more way back, beside the kept volumes. A snapshot that fails ends the restore before any harm."""

    name, title, mutates = "safety", "Take safety snapshots of what is there now", True
    poll, limit = 2.0, 3600.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self._began: float | None = None

    async def observe(self, context: StepContext) -> Observation:
        if not self.params.get("safety", True):
            return Observation(Seen.DONE, "left out on request; the old volumes themselves are kept")
        if not await self.untouched(context):
            return Observation(Seen.DONE, "the volumes are being replaced already")
        if (fight := await self.stopped(context)) is not None:
            return fight
        troubles: dict[str, str] = {}
        missing, late = False, False
        now = context.clock.monotonic()
        self._began = now if self._began is None else self._began
        for part in self.parts:
            snapshot, content = await read_member(context, self.namespace, self._name(context, part.claim))
            missing |= snapshot is None
            why = sound(snapshot, content)
            if not why and content is not None and content.spec.deletion_policy != RETAIN:
                missing = True
            late |= snapshot is not None and not snapshot.status.creation_time and now - self._began > CUT_WITHIN
            if why:
                troubles[part.claim] = why
        words, progress = (
            "; ".join(f"{claim} {why}" for claim, why in troubles.items()),
            self.by_volume(troubles, "kept"),
        )
        if late:
            what = f"no snapshot within {CUT_WITHIN:.0f} s: {words}"
            return Observation(Seen.FAILED, what, hint="see the snapshot's events, or restore without safety snapshots")
        if missing:
            return Observation(Seen.ABSENT, words, progress)
        if troubles:
            hint = "see the snapshot's events, or choose no safety"
            return Observation(Seen.WAITING, words, progress, hint=hint)
        name = safety_id(context.op)
        return Observation(Seen.DONE, f"set {name}", progress, facts={"safety.set": name})

    async def act(self, context: StepContext) -> None:
        claims = tuple(part.claim for part in self.parts)
        about = SetAbout(
            workload=f"StatefulSet/{self.workload}", replicas=self.replicas, claims=claims,
            consistency=dict.fromkeys(claims, "application"),
        )  # fmt: skip
        for part in self.parts:
            name = self._name(context, part.claim)
            snapshot, content = await read_member(context, self.namespace, name)
            if snapshot is None:
                body = member(
                    safety_id(context.op), self.namespace, part.claim, about, class_name=part.snapshot_class,
                    role=SAFETY_ROLE,
                )  # fmt: skip
                await self.change(context, Write("create", SNAPSHOTS, self.namespace, name, body, expect="it is cut"))
            elif content is not None and content.spec.deletion_policy != RETAIN:
                await self.change(context, keeping(content))

    async def undo(self, context: StepContext) -> str:
        """The snapshots stay: nobody deletes a copy of the data in the middle of getting it back."""
        return f"its snapshots stay as set {safety_id(context.op)}, until they are pruned"

    def _name(self, context: StepContext, claim: str) -> str:
        return member_name(safety_id(context.op), claim)
