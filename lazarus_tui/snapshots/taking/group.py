"""The cut of a whole group at one instant, where the driver can (groupsnapshot.storage.k8s.io)."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.sets import ABOUT, ROLE_LABEL, SET_LABEL
from lazarus_tui.model.snapshots import SNAPSHOTS, GroupSnapshot, Snapshot, group_snapshots
from lazarus_tui.model.stepping import OPERATION_LABEL, carry_out
from lazarus_tui.model.steps import Observation, Seen, StepContext, StepStopped, Write
from lazarus_tui.snapshots.hooks.freezing import freeze, let_go
from lazarus_tui.snapshots.members import labels_of, reason
from lazarus_tui.snapshots.names import OP
from lazarus_tui.snapshots.taking.steps import CUT_WITHIN, SetStep, cut_facts, cut_words


class CutGroup(SetStep):
    """One VolumeGroupSnapshot: the driver cuts every volume at one instant. Its members are then marked as the set."""

    name, title, mutates = "cut", "Cut the volumes together", True
    poll, limit = 0.5, CUT_WITHIN

    @property
    def kind(self) -> Any:
        return group_snapshots(str(self.params["group"]["version"]))

    async def _group(self, context: StepContext) -> GroupSnapshot | None:
        return await context.reader.get(self.kind, self.set_name, self.namespace, type=GroupSnapshot)

    async def _owned(self, context: StepContext, group: GroupSnapshot) -> list[Snapshot]:
        every = await context.reader.list(SNAPSHOTS, self.namespace, type=Snapshot)
        return [one for one in every if _of(one, group)]

    async def observe(self, context: StepContext) -> Observation:
        group = await self._group(context)
        if group is None:
            return Observation(Seen.ABSENT)
        if group.metadata.label(OPERATION_LABEL) != context.op[:8]:
            return Observation(
                Seen.DIVERGED, f"a group snapshot {self.set_name} exists that this operation did not make"
            )
        error = group.status.error
        if error and error.message and not group.status.creation_time:
            return Observation(Seen.WAITING, f"not cut yet: {reason(error.message)}", hint="see the group's events")
        members = await self._owned(context, group)
        if not group.status.creation_time or len(members) < len(self.classes):
            return Observation(Seen.WAITING, f"{len(members)} of {len(self.classes)} volumes")
        strange = {one.spec.source.persistent_volume_claim_name for one in members} ^ set(self.classes)
        if strange:
            return Observation(Seen.FAILED, f"the group took other claims than planned: {', '.join(sorted(strange))}")
        if any(one.metadata.label(SET_LABEL) != self.set_name for one in members):
            return Observation(Seen.ABSENT, "to be marked")
        found = await self.read(context)
        return Observation(Seen.DONE, cut_words(found), facts=cut_facts(found))

    async def act(self, context: StepContext) -> None:
        group = await self._group(context)
        if group is None:
            await freeze(context)  # what an earlier run held, it did not hold until here
            await self._make(context)
            return
        await let_go(context, cut=True)  # marking may take a while, and the cut is there
        labels = labels_of(
            self.set_name, self.about(), str(self.params["role"]), str(self.params.get("schedule") or "")
        )  # fmt: skip
        for one in await self._owned(context, group):
            if one.metadata.label(SET_LABEL) == self.set_name:
                continue
            marks = {"labels": {**labels, OP: context.op[:8]}, "annotations": {ABOUT: self.about().text()}}
            write = Write(
                "merge-patch", SNAPSHOTS, self.namespace, one.metadata.name, {"metadata": marks},
                uid=one.metadata.uid, resource_version=one.metadata.resource_version, expect="marked as the set",
            )  # fmt: skip
            await carry_out(context, write)

    async def _make(self, context: StepContext) -> None:
        group = self.params["group"]
        meta = {"name": self.set_name, "namespace": self.namespace, "labels": {ROLE_LABEL: str(self.params["role"])}}
        spec = {"source": {"selector": group["selector"]}, "volumeGroupSnapshotClassName": group["class"]}
        body = {"apiVersion": self.kind.api_version, "kind": self.kind.kind, "metadata": meta, "spec": spec}
        await carry_out(context, Write("create", self.kind, self.namespace, self.set_name, body, expect="cut at once"))

    async def undo(self, context: StepContext) -> None:
        began = context.clock.monotonic()
        while (group := await self._group(context)) is not None:
            if not group.metadata.deletion_timestamp:
                write = Write("delete", self.kind, self.namespace, self.set_name, uid=group.metadata.uid)
                await carry_out(context, write)
            if context.clock.monotonic() - began > CUT_WITHIN:
                raise StepStopped(f"group snapshot {self.set_name} does not go away", park=True)
            await context.clock.sleep(1.0)


def _of(snapshot: Snapshot, group: GroupSnapshot) -> bool:
    return any(owner.uid == group.metadata.uid for owner in snapshot.metadata.owner_references or ())
