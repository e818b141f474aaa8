"""Release: the old volumes of a restore in place are deleted for good, later, by an operation of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.quantities import parse, size
from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, VOLUMES
from lazarus_tui.model.stepping import BaseStep, carry_out, planned
from lazarus_tui.model.steps import Catalog, Observation, Reader, Seen, Step, StepContext, Write
from lazarus_tui.snapshots.inplace.part import Part, preconditions
from lazarus_tui.snapshots.names import CAPSULE, CLOSED, KEPT_UNTIL, OP, annotation

KIND = "snapshots.release"


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """``params``: operation, the id of a restore in place that ended well, or its beginning. Raises ``PlanRefused``."""
    wanted = str(params.get("operation") or "")
    if not wanted:
        raise PlanRefused("which operation?", where="operation", hint="lazarus operation list")
    found = await reader.list(CONFIGMAPS, type=dict, label_selector=f"{CAPSULE}=true")
    fitting = [one for one in found if str((one.get("data") or {}).get("operation", "")).startswith(wanted)]
    if len(fitting) != 1:
        what = "several operations begin with" if fitting else "no capsule tells of an operation"
        raise PlanRefused(f"{what} {wanted}", hint="nothing is kept for it, or it is of another cluster")
    capsule = fitting[0]
    if not annotation(capsule, CLOSED):
        raise PlanRefused(
            f"operation {wanted} is not finished", hint=f"resume or undo it first: lazarus resume {wanted}"
        )
    restored = msgspec.json.decode(capsule["data"]["plan"], type=Plan)
    op = str(capsule["data"]["operation"])
    parts = [msgspec.convert(part, Part) for part in restored.params["parts"]]
    volumes, until = await _old(reader, restored, parts, op)
    namespace = str(capsule["metadata"]["namespace"])
    frozen: dict[str, Any] = {
        "restored": op,
        "namespace": namespace,
        "volumes": volumes,
        "capsule": {"name": capsule["metadata"]["name"], "uid": capsule["metadata"]["uid"]},
        "lease_namespace": namespace,
    }
    warnings = [f"undo is promised until {until}; after the release it is impossible"] if until else []
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=restored.target,
        title=f"Release the old volumes of {restored.target}",
        danger=Danger.DESTROYS,
        params=frozen,
        steps=planned(_steps(frozen)),
        effects=tuple(Effect("delete", f"volume {name}", "with its data") for name in volumes),
        losses=tuple(
            f"{part.claim}: what it held before the restore ({size(int(parse(part.size)))})" for part in parts
        ),
        warnings=tuple(warnings),
        undo="",
        made=rfc3339(clock.now()),
    )


def _steps(params: Mapping[str, Any]) -> list[Step]:
    return [Release(params), Forget(params)]


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    return _steps(plan.params)


async def _old(reader: Reader, restored: Plan, parts: Sequence[Part], op: str) -> tuple[dict[str, str], str]:
    """The old volumes that are still there, by name with their uid, and until when undo is promised."""
    volumes, until = {}, ""
    for part in parts:
        volume = await reader.get(VOLUMES, part.volume, type=dict)
        if volume is None or volume["metadata"].get("uid") != part.volume_uid:
            continue
        claim = await reader.get(CLAIMS, part.claim, str(restored.params["namespace"]), type=dict)
        if claim is not None and (claim.get("spec") or {}).get("volumeName") == part.volume:
            raise PlanRefused(f"volume {part.volume} is in use by claim {part.claim}", hint="it was undone already")
        if annotation(volume, OP) != op[:8]:
            raise PlanRefused(f"volume {part.volume} is not marked as kept by operation {op[:8]}")
        volumes[part.volume] = part.volume_uid
        until = annotation(volume, KEPT_UNTIL) or until
    return volumes, until


class Release(BaseStep):
    """Each old volume, while it is released: its policy becomes Delete, and the driver removes it with its data."""

    name, title, mutates = "release", "Delete the old volumes", True
    poll, limit = 2.0, 600.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.volumes: dict[str, str] = dict(params["volumes"])

    async def _left(self, context: StepContext) -> list[dict[str, Any]]:
        found = [await context.reader.get(VOLUMES, name, type=dict) for name in self.volumes]
        return [
            one for one in found if one is not None and one["metadata"]["uid"] == self.volumes[one["metadata"]["name"]]
        ]

    async def observe(self, context: StepContext) -> Observation:
        left = await self._left(context)
        for one in left:
            name, phase = one["metadata"]["name"], (one.get("status") or {}).get("phase")
            if phase not in ("Released", "Available", "Failed"):
                return Observation(
                    Seen.DIVERGED, f"volume {name} is {phase}: somebody uses it", hint="look, then resume"
                )
            if one["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
                return Observation(Seen.ABSENT)
        if left:
            return Observation(Seen.WAITING, f"being deleted: {', '.join(one['metadata']['name'] for one in left)}")
        return Observation(Seen.DONE, how_many(len(self.volumes), "volume"))

    async def act(self, context: StepContext) -> None:
        for one in await self._left(context):
            if one["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
                continue
            body = {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
            name = one["metadata"]["name"]
            write = Write("merge-patch", VOLUMES, None, name, body, expect="deleted", **preconditions(one))
            await carry_out(context, write)


class Forget(BaseStep):
    """The capsule goes: there is nothing left that it could help with."""

    name, title, mutates = "forget", "Remove the capsule", True
    limit = 60.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.namespace, self.capsule = str(params["namespace"]), dict(params["capsule"])

    async def observe(self, context: StepContext) -> Observation:
        found = await context.reader.get(CONFIGMAPS, self.capsule["name"], self.namespace, type=dict)
        gone = found is None or found["metadata"]["uid"] != self.capsule["uid"]
        return Observation(Seen.DONE) if gone else Observation(Seen.ABSENT)

    async def act(self, context: StepContext) -> None:
        write = Write("delete", CONFIGMAPS, self.namespace, self.capsule["name"], uid=self.capsule["uid"])
        await carry_out(context, write)
