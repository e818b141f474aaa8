"""Right before anything is made: the point is there and outlives the proof, and the rights that are needed are there.

Facts: ``prove.about`` (``model.proofs.About``), ``prove.point`` {name, start, completed, expiration, phase, errors,
warnings, location, digest, at}, ``prove.reference`` {at, words}, to which the recovery point is measured,
``prove.versions`` {kubernetes, velero}.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.objects import Backup, Location, Schedule
from lazarus_tui.model.points import location_name
from lazarus_tui.model.proofs import ABOUT, REQUIRED, About
from lazarus_tui.model.resources import (
    BACKUPS,
    CONFIGMAPS,
    DEPLOYMENTS,
    LOCATIONS,
    RESTORES,
    SCHEDULES,
)
from lazarus_tui.model.scope import Wanted
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS, Content
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Reader, Seen, StepContext
from lazarus_tui.prove.precedence import CLASSES
from lazarus_tui.prove.proof.reference import worst_moment
from lazarus_tui.prove.quarantine import names, rights

# A point that expires sooner could vanish while it is proven (S22).
OUTLIVES = timedelta(hours=1)
_RESTORABLE = ("Completed", "PartiallyFailed")


class Preflight(BaseStep):
    name, title = "prove.preflight", "Look at the point and at the rights"
    poll, limit = 1.0, 120.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params, self.velero = params, str(params.get("velero") or "")

    async def observe(self, context: StepContext) -> Observation:
        if self.params.get("source") == "snapshots":
            found = await self._set(context)
        else:
            found = await self._backup(context)
        if found.seen is not Seen.DONE:
            return found
        if missing := await self._missing_rights(context.reader):
            await context.say(f"missing rights: {', '.join(missing)}")
            hint = "have it granted; docs/quarantine.md names all that a proof needs"
            return Observation(Seen.DIVERGED, f"missing right: {', '.join(missing)}", hint=hint)
        versions_seen = await versions(context.reader, self.velero)
        facts = {**found.facts, ABOUT: msgspec.to_builtins(self._about()), "prove.versions": versions_seen}
        return Observation(Seen.DONE, found.detail, facts=facts)

    def _about(self) -> About:
        keys = ("namespace", "workload", "source", "point", "control")
        given = {key: str(self.params.get(key) or "") for key in keys}
        return About(**given, require=tuple(self.params.get("require") or REQUIRED))

    async def _backup(self, context: StepContext) -> Observation:
        name, now = str(self.params["point"]), context.clock.now()
        backup = await context.reader.get(BACKUPS, name, self.velero, type=Backup)
        if backup is None or backup.metadata.deletion_timestamp:
            return Observation(Seen.FAILED, f"backup {name} is gone", hint="choose another point")
        status, place = backup.status, location_name(backup)
        if status.phase not in _RESTORABLE:
            return Observation(Seen.FAILED, f"backup {name} is {status.phase or 'New'} now")
        if status.expiration and parse_rfc3339(status.expiration) < now + OUTLIVES:
            what = f"backup {name} expires {status.expiration}: it could vanish while it is proven"
            return Observation(Seen.FAILED, what, hint="choose a newer point")
        location = await context.reader.get(LOCATIONS, place, self.velero, type=Location)
        if location is None:
            return Observation(Seen.FAILED, f"storage location {place} is gone")
        if location.status.phase == "Unavailable":
            return Observation(Seen.WAITING, f"storage location {place} does not answer: {location.status.message}")
        point = {
            "name": name, "start": status.start_timestamp, "completed": status.completion_timestamp,
            "expiration": status.expiration, "phase": status.phase, "errors": status.errors,
            "warnings": status.warnings, "location": place, "digest": self.params.get("contents_digest"),
            "uid": backup.metadata.uid, "at": rfc3339(now, micro=True),
        }  # fmt: skip
        reference = await self._reference(context, backup)
        return Observation(Seen.DONE, f"{name} in {place}", facts={"prove.point": point, "prove.reference": reference})

    async def _reference(self, context: StepContext, backup: Backup) -> dict[str, str] | None:
        claims = tuple(sorted(str(volume["claim"]) for volume in self.params.get("volumes") or ()))
        wanted = Wanted(str(self.params["namespace"]), claims=claims)
        backups = await context.reader.list(BACKUPS, self.velero, type=Backup)
        schedules = await context.reader.list(SCHEDULES, self.velero, type=Schedule)
        return worst_moment(backup, backups, schedules, wanted, context.clock.now())

    async def _set(self, context: StepContext) -> Observation:
        """Every snapshot of storage that the copy is made from is still listed and ready."""
        wanted = {str(v["handle"]) for v in self.params.get("volumes") or () if v.get("handle")}
        listed = await context.reader.list(CONTENTS, type=Content)
        there = {str(content.status.snapshot_handle) for content in listed if content.status.snapshot_handle}
        name = str(self.params["point"])
        if gone := sorted(wanted - there):
            some = how_many(len(gone), f"snapshot of set {name} is gone", f"snapshots of set {name} are gone")
            return Observation(Seen.FAILED, some, hint="choose another set")
        frozen = sorted(str(v["frozen_at"]) for v in self.params.get("volumes") or () if v.get("frozen_at"))
        now = rfc3339(context.clock.now(), micro=True)
        point = {"name": name, "start": frozen[0] if frozen else "", "phase": "ready", "errors": 0, "at": now}
        return Observation(Seen.DONE, f"{name}: {how_many(len(wanted), 'snapshot')}", facts={"prove.point": point})

    async def _missing_rights(self, reader: Reader) -> list[str]:
        """A hint (only a 403 is the truth), but one that comes before anything is made."""
        quarantine = str(self.params["quarantine"])
        wanted = rights.needed(names.quarantine(self.params))
        if self.params.get("source") == "snapshots":
            wanted += [("create", CONTENTS, "", ""), ("create", SNAPSHOTS, quarantine, "")]
        else:
            wanted += [(verb, RESTORES, self.velero, "") for verb in ("create", "delete")]
            wanted += [(verb, CONFIGMAPS, self.velero, "") for verb in ("create", "delete")]
        if (self.params.get("priority") or {}).get("make"):
            wanted.append(("create", CLASSES, "", ""))
        answers = await asyncio.gather(
            *(reader.can_i(verb, kind, where, subresource=sub) for verb, kind, where, sub in wanted)
        )
        return [
            f"{verb} {kind.group_resource}" + (f"/{sub}" if sub else "") + (f" in {where}" if where else "")
            for (verb, kind, where, sub), answer in zip(wanted, answers, strict=True)
            if answer is False
        ]


async def versions(reader: Reader, velero: str) -> dict[str, str]:
    """Of the API server and of Velero's image; "" for what is not known."""
    kubernetes = (await reader.version()).git_version if isinstance(reader, Cluster) else ""
    image = ""
    for deployment in await reader.list(DEPLOYMENTS, velero, type=dict) if velero else ():
        if deployment["metadata"]["name"] == "velero":
            containers = deployment["spec"]["template"]["spec"].get("containers") or [{}]
            image = str(containers[0].get("image") or "")
    return {"kubernetes": kubernetes, "velero": image.rpartition("/")[2]}
