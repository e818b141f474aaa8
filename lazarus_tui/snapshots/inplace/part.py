"""What every step of a restore in place knows: the workload and its parts, from the plan alone.

The plan holds all that is needed to finish or to undo, so another host goes on with the plan of the capsule and what
it sees; journalled facts only make it quicker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypedDict

import msgspec

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.objects import Pod
from lazarus_tui.model.operation import StageProgress
from lazarus_tui.model.resources import CLAIMS, PODS, STATEFULSETS, VOLUMES
from lazarus_tui.model.snapshots import RETAIN
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Outcome, Seen, StepContext, StepStopped, Write
from lazarus_tui.model.storage import ATTACHMENTS, Attachment
from lazarus_tui.snapshots.claimspec import snapshot_of
from lazarus_tui.snapshots.names import OP, annotation, safety_id

Object = dict[str, Any]
# The stage and the unit of the number of replicas in a step's progress.
REPLICAS = "replicas"
_AGAIN = (Outcome.CONFLICT, Outcome.AMBIGUOUS, Outcome.EXPIRED)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One claim to be replaced. ``body`` as from ``claimspec.kept``; ``size`` is what the new claim asks for."""

    ordinal: int
    claim: str
    uid: str
    body: dict[str, Any]
    volume: str
    volume_uid: str
    reclaim: str
    snapshot: str
    size: str
    waits: bool = False  # its class binds only when a pod uses it
    snapshot_class: str = ""


class RestoreStep(BaseStep):
    """A step about one StatefulSet; everything comes from the plan's parameters."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        self.namespace = str(params["namespace"])
        self.workload = str(params["statefulset"])
        self.uid = str(params["uid"])
        self.replicas = int(params["replicas"])
        self.autoscaled = bool(params.get("autoscaled"))  # above 0 somebody else chooses the number
        self.parts = tuple(msgspec.convert(part, Part) for part in params["parts"])

    # --- reading

    async def read(self, context: StepContext) -> Object:
        """The StatefulSet; raises ``StepStopped`` when it is gone or another one by now."""
        found = await context.reader.get(STATEFULSETS, self.workload, self.namespace, type=dict)
        if found is None or found["metadata"].get("uid") != self.uid:
            what = "is gone" if found is None else "was replaced by another one of the same name"
            hint = "the old volumes are kept: see the volumes with annotation lazarus.io/op"
            raise StepStopped(f"StatefulSet {self.namespace}/{self.workload} {what}", hint=hint, park=True)
        return dict(found)

    async def claim(self, context: StepContext, name: str) -> Object | None:
        return await context.reader.get(CLAIMS, name, self.namespace, type=dict)

    async def volume(self, context: StepContext, part: Part) -> Object:
        """The old volume; raises ``StepStopped`` when it is not there, which must never be."""
        found = await context.reader.get(VOLUMES, part.volume, type=dict)
        if found is None or found["metadata"].get("uid") != part.volume_uid:
            raise StepStopped(
                f"volume {part.volume} of claim {part.claim} does not exist any more",
                hint=f"look for its data on storage, and among the snapshots of set {safety_id(context.op)}",
                park=True,
            )
        return found

    async def way_back(self, context: StepContext) -> None:
        """Every old volume is there and kept; raises ``StepStopped`` before anything is taken back if one is not.

        Under the beacon the undo waits for a person; before it, nothing has happened, and the restore stays done.
        """
        for part in self.parts:
            found = await context.reader.get(VOLUMES, part.volume, type=dict)
            there = found is not None and found["metadata"].get("uid") == part.volume_uid
            if not there or found is None or not safe(found):
                what = "is gone" if not there else "is not kept any more"
                raise StepStopped(
                    f"the old volume {part.volume} of claim {part.claim} {what}: there is nothing to go back to",
                    hint=f"the safety snapshots are set {safety_id(context.op)}: restore from that; or have the volume,"
                    " if it is there, kept again (Retain)",
                    park=self.ours(await self.read(context), context),
                )

    async def pods(self, context: StepContext) -> tuple[list[Pod], list[Pod]]:
        """The pods of the workload, and other pods that use one of its claims; those that end are still there."""
        own: list[Pod] = []
        others: list[Pod] = []
        wanted = {part.claim for part in self.parts}
        for pod in await context.reader.list(PODS, self.namespace, type=Pod):
            if any(owner.uid == self.uid for owner in pod.metadata.owner_references or ()):
                own.append(pod)
            elif pod.status.phase not in ("Succeeded", "Failed") and wanted & used_claims(pod):
                others.append(pod)
        return own, others

    async def busy(self, context: StepContext) -> str:
        """Who may still write to the volumes, in words; "" when nobody can."""
        own, others = await self.pods(context)
        if own:
            names = ", ".join(sorted(pod.metadata.name for pod in own))
            return f"{how_many(len(own), 'pod is', 'pods are')} still there: {names}"
        if others:
            names = ", ".join(sorted(pod.metadata.name for pod in others))
            return f"other pods use the claims: {names}"
        volumes = {part.volume for part in self.parts}
        attached = [
            found
            for found in await context.reader.list(ATTACHMENTS, type=Attachment)
            if found.spec.source.persistent_volume_name in volumes
        ]
        if attached:
            names = ", ".join(sorted(found.spec.source.persistent_volume_name for found in attached))
            return f"still attached to a node: {names}"
        return ""

    # --- judging

    def made(self, part: Part, claim: Mapping[str, Any] | None, context: StepContext) -> bool:
        """Whether the claim is the one this operation made from the set."""
        return claim is not None and self.ours(claim, context) and snapshot_of(claim) == part.snapshot

    async def replaced(self, context: StepContext) -> bool:
        """Whether every claim is already the one from the set: then nothing before the start is to be done again.

        Whoever goes on without the journal sees it by this alone.
        """
        return all([self.made(part, await self.claim(context, part.claim), context) for part in self.parts])

    async def untouched(self, context: StepContext) -> bool:
        """Whether every claim is on its old volume: then nothing has to be stopped to undo."""
        for part in self.parts:
            claim = await self.claim(context, part.claim)
            if claim is None or claim["metadata"].get("deletionTimestamp"):
                return False
            if (claim.get("spec") or {}).get("volumeName") != part.volume:
                return False
        return True

    def ours(self, found: Mapping[str, Any] | None, context: StepContext) -> bool:
        """Whether this operation made the object (or put its mark on it)."""
        return annotation(found, OP) == context.op[:8]

    async def stopped(self, context: StepContext) -> Observation | None:
        """None while the workload is at 0 as it must be; else somebody fights, and nothing may go on."""
        found = await self.read(context)
        wanted = wanted_replicas(found)
        if wanted == 0:
            return None
        who = last_writer(found)
        return Observation(
            Seen.DIVERGED,
            f"somebody{who} scaled {self.namespace}/{self.workload} to {wanted} while its volumes are being replaced",
            hint=f"keep it from doing so, scale {self.workload} to 0, then resume; or undo",
        )

    # --- telling

    def present(self, ready: int) -> StageProgress:
        """How many replicas there are now, of those there were."""
        return StageProgress(REPLICAS, ready, self.replicas, REPLICAS)

    def by_volume(self, left: Mapping[str, str], done: str) -> tuple[StageProgress, ...]:
        """A line per claim: ``done`` (a word), unless ``left`` says what it still waits for."""
        return tuple(
            StageProgress(part.claim, int(part.claim not in left), 1, left.get(part.claim) or done)
            for part in self.parts
        )

    # --- writing

    async def change(self, context: StepContext, write: Write) -> bool:
        """Send a write; True when it was applied, False when the next look must decide. Raises ``StepStopped``."""
        result = await context.gate.write(write)
        if result.outcome is Outcome.APPLIED:
            return True
        where = f"{write.verb} {write.resource.plural}/{write.name}"
        if result.outcome in _AGAIN or (result.outcome is Outcome.GONE and write.verb == "delete"):
            return False
        hint = "look at the cluster, then resume or undo"
        raise StepStopped(f"{where} was not done: {result.reason or result.outcome}", hint=hint, park=self.after_harm)

    # A step after the pivot waits for a person when a write is refused; one before it lets the undo begin.
    after_harm = False

    async def until(
        self,
        context: StepContext,
        look: Callable[[], Awaitable[str]],
        act: Callable[[], Awaitable[None]],
        *,
        limit: float = 300.0,
    ) -> None:
        """For undo: act until ``look`` finds nothing left ("" is done); raises ``StepStopped`` after ``limit``."""
        began, left = context.clock.monotonic(), await look()
        while left:
            if context.clock.monotonic() - began > limit:
                raise StepStopped(f"{self.title}: not taken back within {limit:.0f} s: {left}", park=True)
            try:
                await act()
            except StepStopped as stop:  # half taken back is no end: a person mends the cause, and the undo goes on
                raise StepStopped(stop.what, hint=stop.hint or "mend the cause, then resume", park=True) from stop
            left = await look()
            if left:
                await context.clock.sleep(self.poll)
                left = await look()


def safe(volume: Mapping[str, Any]) -> bool:
    """Whether a volume outlives its claim."""
    return (volume.get("spec") or {}).get("persistentVolumeReclaimPolicy") == RETAIN


def used_claims(pod: Pod) -> set[str]:
    return {
        volume.persistent_volume_claim.claim_name
        for volume in pod.spec.volumes or ()
        if volume.persistent_volume_claim is not None
    }


def wanted_replicas(found: Mapping[str, Any]) -> int:
    value = (found.get("spec") or {}).get("replicas")
    return 1 if value is None else int(value)


def last_writer(found: Mapping[str, Any]) -> str:
    """`` (kube-controller-manager)``: who owns spec.replicas by managedFields; "" when that is not told."""
    owners = [
        entry
        for entry in (found.get("metadata") or {}).get("managedFields") or ()
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]
    newest = max(owners, key=lambda entry: str(entry.get("time") or ""), default=None)
    return f" ({newest['manager']})" if newest and newest.get("manager") else ""


class Preconditions(TypedDict):
    """Fields of a ``Write``."""

    uid: str
    resource_version: str


def preconditions(found: Mapping[str, Any]) -> Preconditions:
    """uid and resourceVersion of what was read, for a write that means exactly that."""
    meta = found["metadata"]
    return {"uid": str(meta["uid"]), "resource_version": str(meta.get("resourceVersion") or "")}
