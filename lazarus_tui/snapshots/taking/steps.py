"""The steps of a snapshot set. Facts: ``set.id``, ``set.cuts`` (instant by claim), ``set.skew`` in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.sets import SetAbout, SnapshotSet
from lazarus_tui.model.snapshots import (
    RETAIN,
    SNAPSHOTS,
    GroupContent,
    GroupSnapshot,
    Snapshot,
    cut_at,
    group_contents,
    group_snapshots,
)
from lazarus_tui.model.stepping import OPERATION_LABEL, BaseStep, carry_out, take_back
from lazarus_tui.model.steps import Observation, Seen, StepContext, Write
from lazarus_tui.snapshots.hooks.freezing import freeze
from lazarus_tui.snapshots.members import keeping, member, reason
from lazarus_tui.snapshots.names import member_name
from lazarus_tui.snapshots.reading import sets_of

# Seconds for the cut, its controller's retries included; and for the upload after it (reference: data §1.2).
CUT_WITHIN, READY_WITHIN = 300.0, 4 * 3600.0


class SetStep(BaseStep):
    """A step about the one set of the plan."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        self.namespace, self.workload = str(params["namespace"]), str(params["statefulset"])
        self.set_name = str(params["set"])
        self.classes: dict[str, str] = dict(params["claims"])

    def about(self) -> SetAbout:
        return SetAbout(
            workload=f"StatefulSet/{self.workload}",
            replicas=int(self.params["replicas"]),
            claims=tuple(sorted(self.classes)),
            method="group" if self.params.get("group") else "each",
            consistency=dict.fromkeys(sorted(self.classes), "crash"),
        )

    async def read(self, context: StepContext) -> SnapshotSet:
        """The set as it is; one without members before the first is made."""
        found = await sets_of(context.reader, self.namespace, f"StatefulSet/{self.workload}")
        empty = SnapshotSet(self.set_name, self.namespace, self.about())
        return next((one for one in found if one.id == self.set_name), empty)

    async def remove(self, context: StepContext, snapshots: list[Snapshot]) -> None:
        for snapshot in snapshots:
            meta = snapshot.metadata
            if not meta.deletion_timestamp:
                await carry_out(context, Write("delete", SNAPSHOTS, self.namespace, meta.name, uid=meta.uid))


def uncut(found: SnapshotSet) -> list[str]:
    """Members whose data is not taken yet, each with what its controller says."""
    left = []
    for claim, one in sorted(found.members.items()):
        if cut_at(one.snapshot) is None:
            error = one.snapshot.status.error
            left.append(f"{claim}: {reason(error.message)}" if error and error.message else claim)
    return left


class Cut(SetStep):
    """All members at once, then wait for the instant of each cut. The skew is what it is, and is shown."""

    name, title, mutates = "cut", "Cut the volumes", True
    poll, limit = 0.5, CUT_WITHIN

    async def observe(self, context: StepContext) -> Observation:
        found = await self.read(context)
        for one in found.members.values():
            if one.snapshot.metadata.label(OPERATION_LABEL) != context.op[:8]:
                return Observation(Seen.DIVERGED, f"a set {self.set_name} exists that this operation did not make")
        if found.missing:
            return Observation(Seen.ABSENT, f"{len(found.missing)} to be made")
        if left := uncut(found):
            return Observation(Seen.WAITING, f"not cut yet: {'; '.join(left)}", hint="see the snapshots' events")
        return Observation(Seen.DONE, cut_words(found), facts=cut_facts(found))

    async def act(self, context: StepContext) -> None:
        about, found = self.about(), await self.read(context)
        if not found.members:
            await freeze(context)  # what an earlier run held, it did not hold until here
        for claim in found.missing:
            body = member(
                self.set_name, self.namespace, claim, about, class_name=self.classes[claim],
                role=str(self.params["role"]), schedule=str(self.params.get("schedule") or ""),
            )  # fmt: skip
            name = member_name(self.set_name, claim)
            await carry_out(context, Write("create", SNAPSHOTS, self.namespace, name, body, expect="it is cut"))

    async def undo(self, context: StepContext) -> None:
        """A set that did not come to be is removed whole, what there is of it on storage too."""
        while members := (await self.read(context)).members:
            await self.remove(context, [one.snapshot for one in members.values()])
            await context.clock.sleep(1.0)


def cut_facts(found: SnapshotSet) -> dict[str, Any]:
    cuts = {claim: cut for claim, one in found.members.items() if (cut := cut_at(one.snapshot))}
    return {
        "set.id": found.id,
        "set.cuts": {claim: rfc3339(cut, micro=True) for claim, cut in sorted(cuts.items())},
        "set.skew": found.skew,
    }


def cut_words(found: SnapshotSet) -> str:
    skew = "" if not found.skew else f", {found.skew:.0f} s between the first and the last"
    return f"{how_many(len(found.members), 'volume')}{skew}"


class Ready(SetStep):
    """Wait until storage says that every member can be restored from; a long upload is no failure."""

    name, title = "ready", "Wait until the snapshots can be used"
    poll, limit = 2.0, 30 * 24 * 3600.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self._began: float | None = None

    async def observe(self, context: StepContext) -> Observation:
        now = context.clock.monotonic()
        self._began = now if self._began is None else self._began
        found = await self.read(context)
        if found.missing:
            return Observation(Seen.FAILED, f"gone meanwhile: {', '.join(found.missing)}")
        if found.troubles and now - self._began > READY_WITHIN:
            self._began = None  # whoever resumes grants it the same time again
            what = f"not usable within {READY_WITHIN / 3600:.0f} h: {'; '.join(found.troubles)}"
            return Observation(Seen.DIVERGED, what, hint="resume to wait on, or undo to remove the set")
        if found.troubles:
            self.poll = min(30.0, max(2.0, (now - self._began) / 20))
            return Observation(Seen.WAITING, "; ".join(found.troubles))
        return Observation(Seen.DONE, f"{len(found.members)} of {len(found.members)} ready, bound both ways")


class Keep(SetStep):
    """Retain on every content: deleting the namespace cannot take the set along.

    The content of a group goes before those of its members: with it on Delete, all of them are deleted on storage.
    """

    name, title, mutates = "keep", "Keep the set when its namespace goes", True
    limit = 120.0

    async def _group_content(self, context: StepContext) -> GroupContent | None:
        version = str((self.params.get("group") or {}).get("version") or "")
        if not version:
            return None
        group = await context.reader.get(group_snapshots(version), self.set_name, self.namespace, type=GroupSnapshot)
        bound = group.status.bound_volume_group_snapshot_content_name if group else ""
        return await context.reader.get(group_contents(version), bound, type=GroupContent) if bound else None

    async def _loose(self, context: StepContext, found: SnapshotSet) -> list[str]:
        loose = [claim for claim, one in sorted(found.members.items()) if not one.retained]
        group = await self._group_content(context)
        return [*loose, "the group"] if group is not None and group.spec.deletion_policy != RETAIN else loose

    async def observe(self, context: StepContext) -> Observation:
        found = await self.read(context)
        if loose := await self._loose(context, found):
            return Observation(Seen.ABSENT, f"not kept yet: {', '.join(loose)}")
        if not found.usable:
            return Observation(Seen.FAILED, "; ".join(found.troubles))
        handles = {claim: one.handle for claim, one in sorted(found.members.items())}
        return Observation(Seen.DONE, f"{len(handles)} kept on storage", facts={"set.handles": handles})

    async def act(self, context: StepContext) -> None:
        await self._set(context, RETAIN)

    async def undo(self, context: StepContext) -> None:
        """Let the data go along with its snapshots, which the undo of the cut removes next."""
        await take_back(context, self.title, lambda: self._let_go(context))

    async def _let_go(self, context: StepContext) -> bool:
        """A content that its controller changed in between stays on Retain, and its data would be left on storage."""
        members = (await self.read(context)).members.values()
        group = await self._group_content(context)
        policies = {one.content.spec.deletion_policy for one in members if one.content is not None}
        if policies | ({group.spec.deletion_policy} if group is not None else set()) <= {"Delete"}:
            return True
        await self._set(context, "Delete")
        return False

    async def _set(self, context: StepContext, policy: str) -> None:
        group = await self._group_content(context)
        if group is not None and group.spec.deletion_policy != policy:
            kind, meta = group_contents(str(self.params["group"]["version"])), group.metadata
            write = Write(
                "merge-patch", kind, None, meta.name, {"spec": {"deletionPolicy": policy}}, uid=meta.uid,
                resource_version=meta.resource_version, expect=f"{policy} when its group goes",
                undo={"deletionPolicy": group.spec.deletion_policy},
            )  # fmt: skip
            await carry_out(context, write)
        for one in (await self.read(context)).members.values():
            if one.content is not None and one.content.spec.deletion_policy != policy:
                await carry_out(context, keeping(one.content, policy))
