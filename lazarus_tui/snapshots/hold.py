"""Legal hold: a reason on every member of a set; while one member carries it, no rule removes the set (data §9.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.sets import HOLD, SnapshotSet
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS, Content, Snapshot
from lazarus_tui.model.stepping import BaseStep, carry_out, planned
from lazarus_tui.model.steps import Catalog, Observation, Reader, Seen, Step, StepContext, Write
from lazarus_tui.snapshots.members import keeping
from lazarus_tui.snapshots.reading import sets_of

KIND, UNHOLD_KIND = "snapshots.hold", "snapshots.unhold"
MAX_REASON = 500
_KEPT = "Retain"


async def plan_hold(reader: Reader, params: Params, clock: Clock) -> Plan:
    """``params``: set (its id), namespace (where ids are not unique), reason."""
    return await _plan(reader, params, clock, held=True)


async def plan_unhold(reader: Reader, params: Params, clock: Clock) -> Plan:
    return await _plan(reader, params, clock, held=False)


async def _plan(reader: Reader, params: Params, clock: Clock, *, held: bool) -> Plan:
    reason = " ".join(str(params.get("reason") or "").split())
    if not reason or len(reason) > MAX_REASON:
        what = f"the reason has more than {MAX_REASON} characters" if reason else "a hold is put on and taken off for a"
        raise PlanRefused(what if reason else f"{what} reason", where="reason", hint='for example --reason "case 4711"')
    found = await _find(reader, str(params.get("set") or ""), str(params.get("namespace") or ""))
    if not held and not found.hold:
        raise PlanRefused(f"set {found.id} is not on hold", code="nothing")
    if held and found.hold:
        raise PlanRefused(f"set {found.id} is on hold already: {found.hold}", hint="lazarus snapshot unhold first")
    members = {
        one.snapshot.metadata.name: {
            "uid": one.snapshot.metadata.uid, "content": one.content.metadata.name if one.content else "",
        }
        for one in found.members.values()
    }  # fmt: skip
    frozen: dict[str, Any] = {
        "namespace": found.namespace, "set": found.id, "members": members, "hold": reason if held else "",
        "reason": reason, "lease_namespace": found.namespace,
    }  # fmt: skip
    verb, said = ("Hold", f"on hold: {reason}") if held else ("Unhold", f"may be removed again: {reason}")
    return Plan(
        kind=KIND if held else UNHOLD_KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=f"{found.namespace}/{found.id}",
        title=f"{verb} set {found.id}",
        danger=Danger.SAFE if held else Danger.CHANGES,
        params=frozen,
        steps=planned(_steps(frozen)),
        effects=tuple(Effect("change", f"volumesnapshot {name}", said) for name in sorted(members)),
        warnings=tuple(_warnings(found, held=held)),
        undo="take it off again" if held else "put it on again",
        made=rfc3339(clock.now()),
    )


def _warnings(found: SnapshotSet, *, held: bool) -> list[str]:
    if not held:
        return [f"it was on hold: {found.hold}"]
    told = [] if found.usable else [f"the set cannot be used: {'; '.join(found.troubles)}"]
    return [*told, "it binds Lazarus; who may delete snapshots or volumes otherwise is a matter of rights"]


async def _find(reader: Reader, wanted: str, namespace: str) -> SnapshotSet:
    found = [one for one in await sets_of(reader, namespace or None) if one.id == wanted]
    if not found:
        raise PlanRefused(f"there is no snapshot set {wanted or '(which one?)'}", where="set", code="not-found",
                          hint="list them: lazarus snapshot list")  # fmt: skip
    if len(found) > 1:
        spaces = ", ".join(sorted(one.namespace for one in found))
        raise PlanRefused(f"set {wanted} is in several namespaces: {spaces}", where="set", hint="write NAMESPACE/SET")
    return found[0]


def _steps(params: Mapping[str, Any]) -> list[Step]:
    return [Mark(params)]


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    return _steps(plan.params)


class Mark(BaseStep):
    """The reason on every member, or off every member; a member that is held is kept on storage as well."""

    name, title, mutates = "mark", "Mark every member of the set", True
    limit = 60.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.namespace, self.hold = str(params["namespace"]), str(params["hold"])
        self.members: Mapping[str, Mapping[str, str]] = params["members"]

    async def _unlike(self, context: StepContext) -> tuple[list[Snapshot], list[Content], list[str]]:
        """Members without the mark they should have, their contents that are not kept, and members that are gone."""
        wrong, loose, gone = [], [], []
        for name, told in sorted(self.members.items()):
            found = await context.reader.get(SNAPSHOTS, name, self.namespace, type=Snapshot)
            if found is None or found.metadata.uid != told["uid"]:
                gone.append(name)
                continue
            if (found.metadata.annotations or {}).get(HOLD, "") != self.hold:
                wrong.append(found)
            content = await context.reader.get(CONTENTS, told["content"], type=Content) if told["content"] else None
            if self.hold and content is not None and content.spec.deletion_policy != _KEPT:
                loose.append(content)
        return wrong, loose, gone

    async def observe(self, context: StepContext) -> Observation:
        wrong, loose, gone = await self._unlike(context)
        if gone:
            return Observation(Seen.FAILED, f"gone meanwhile: {', '.join(gone)}")
        if wrong or loose:
            return Observation(Seen.ABSENT)
        return Observation(Seen.DONE, how_many(len(self.members), "snapshot"))

    async def act(self, context: StepContext) -> None:
        wrong, loose, _ = await self._unlike(context)
        for content in loose:
            await carry_out(context, keeping(content, _KEPT))
        for found in wrong:
            body = {"metadata": {"annotations": {HOLD: self.hold or None}}}
            meta = found.metadata
            await carry_out(context, Write("merge-patch", SNAPSHOTS, self.namespace, meta.name, body, uid=meta.uid))
