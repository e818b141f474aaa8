"""The first steps of a restore. Facts: ``restore.name``, ``.uid``, ``.before``, times of each stage's end, and
``restore.copies``, how many claims were filled (emptyDirs of pods do not count); read is ``restore.rerun``, the name of
a second run instead of the plan's.

Which backup it is may be known only when it starts: a drill chooses the point after the loss, and journals it as the
fact ``point.name``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.objects import Backup, Claim, Location, Namespace, Restore, VolumeCopy
from lazarus_tui.model.points import location_name
from lazarus_tui.model.resources import (
    BACKUPS,
    CLAIMS,
    DATA_DOWNLOADS,
    LOCATIONS,
    NAMESPACES,
    POD_VOLUME_RESTORES,
    RESTORES,
)
from lazarus_tui.model.stepping import OPERATION_LABEL, BaseStep, carry_out, take_back
from lazarus_tui.model.steps import Observation, Outcome, Seen, StepContext, StepStopped, Write
from lazarus_tui.model.volumes import Held, VolumeInfoError, coverage, fills_claim, parse_volume_infos
from lazarus_tui.velero import artefacts, names, progress, removal
from lazarus_tui.velero.backup_steps import refused
from lazarus_tui.velero.claims import backup_copies, copies_of
from lazarus_tui.velero.leaving_out import WITH_THEIR_DATA, maybe_on_originals, on_originals, stays_empty


class RestoreStep(BaseStep):
    """A step about the one Restore of this operation."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.velero = str(params["velero"])
        self.params = params

    def backup_name(self, context: StepContext) -> str:
        name = str(self.params.get("backup") or context.facts.get("point.name") or "")
        if not name:
            raise StepStopped("no recovery point has been chosen")
        return name

    def restore_name(self, context: StepContext) -> str:
        given = str(context.facts.get("restore.rerun") or self.params.get("name") or "")
        return given or names.restore_name(self.backup_name(context), context.op)

    async def read(self, context: StepContext) -> Restore | None:
        return await context.reader.get(RESTORES, self.restore_name(context), self.velero, type=Restore)

    async def copies(self, context: StepContext, restore: Restore) -> list[VolumeCopy]:
        label, uid = names.RESTORE_UID_LABEL, restore.metadata.uid
        return await copies_of(context.reader, self.velero, label, uid, POD_VOLUME_RESTORES, DATA_DOWNLOADS)

    def lost(self, restore: Restore | None, context: StepContext) -> Observation | None:
        """What to say when the Restore is gone, replaced, or was refused by the server."""
        name = self.restore_name(context)
        if restore is None:
            return Observation(Seen.FAILED, f"restore {name} was deleted while Lazarus waited for it")
        if context.facts.get("restore.uid") and restore.metadata.uid != context.facts["restore.uid"]:
            return Observation(Seen.DIVERGED, f"restore {name} was replaced by another one of the same name")
        if restore.metadata.deletion_timestamp:
            return Observation(Seen.FAILED, f"restore {name} is being deleted; what it restored so far stays")
        if restore.status.phase == "FailedValidation":
            return refused(restore.status.validation_errors or [])
        return None


def stamp(context: StepContext, server: str | None = None) -> str:
    """When a stage ended: our own look, unless it came so late that the server's stamp (whole seconds) is closer."""
    seen = context.clock.now()
    if server:
        said = parse_rfc3339(server)
        if (seen - said).total_seconds() > 2.0:
            return rfc3339(said, micro=True)
    return rfc3339(seen, micro=True)


class Preflight(RestoreStep):
    """Right before the start: the point is still there, its storage answers; note which namespaces exist."""

    name, title = "restore.preflight", "Check the point and its storage"
    poll, limit = 1.0, 60.0

    async def observe(self, context: StepContext) -> Observation:
        name = self.backup_name(context)
        backup = await context.reader.get(BACKUPS, name, self.velero, type=Backup)
        if backup is None:
            return Observation(Seen.FAILED, f"backup {name} is gone", hint="choose another point")
        if backup.status.phase not in ("Completed", "PartiallyFailed"):
            return Observation(Seen.FAILED, f"backup {name} is {backup.status.phase or 'New'} now")
        place = await context.reader.get(LOCATIONS, location_name(backup), self.velero, type=Location)
        if place is None:
            return Observation(Seen.FAILED, f"storage location {location_name(backup)} is gone")
        if place.status.phase == "Unavailable":
            return Observation(Seen.WAITING, f"storage location {place.metadata.name}: {place.status.message}")
        before, claims = {}, []
        for target in self.params.get("targets") or ():
            found = await context.reader.get(NAMESPACES, target, type=Namespace)
            if found is not None and found.metadata.deletion_timestamp:
                return Observation(Seen.WAITING, f"namespace {target} is still being deleted")
            before[target] = found.metadata.uid if found else ""
            if found is not None:
                source = dict(self.params.get("sources") or {}).get(target, target)
                there = await context.reader.list(CLAIMS, target, type=Claim)
                claims += [f"{source}/{claim.metadata.name}" for claim in there]
        sources = sorted(set(dict(self.params.get("sources") or {}).values()))
        facts = {
            "restore.before": before,
            "restore.backup": name,
            "restore.sources": sources,
            "restore.claims": sorted(claims),
        }
        return Observation(Seen.DONE, f"{name} in {place.metadata.name}", facts=facts)


class Contents(RestoreStep):
    """Which volumes the point really holds: one without data comes back empty, and nobody may call that restored."""

    name, title = "restore.contents", "Read which volumes the point holds"
    limit = 180.0

    async def observe(self, context: StepContext) -> Observation:
        found = context.facts.get("restore.volumes")
        if found is None:
            return Observation(Seen.ABSENT)
        empty = context.facts.get("restore.empty") or ()
        unread = str(context.facts.get("restore.unread") or "")
        if left_out := context.facts.get("restore.left_out"):
            words = f"left out on request: {', '.join(left_out)}"
            return Observation(Seen.DONE, "; ".join(filter(None, (unread, words))))
        none = f"{how_many(len(empty), 'volume')} without data: {', '.join(empty)}"
        words = none if empty else f"{how_many(len(found), 'volume')} with data"
        return Observation(Seen.DONE, unread or words)

    async def act(self, context: StepContext) -> None:
        name, infos, unread = self.backup_name(context), None, ""
        try:
            infos = parse_volume_infos(
                await artefacts.download(context, self.velero, "BackupVolumeInfos", name, owner=context.op)
            )
        except artefacts.ArtefactError as error:
            unread = f"which volumes the point holds could not be read: {error.what}"
        except VolumeInfoError as error:
            unread = str(error)
        backup = await context.reader.get(BACKUPS, name, self.velero, type=Backup)
        held = coverage(infos, await backup_copies(context.reader, self.velero, backup.metadata.uid) if backup else ())
        sources = set(dict(self.params.get("sources") or {}).values())
        inside = [v for v in held.volumes.values() if not sources or v.claim.partition("/")[0] in sources]
        if originals := on_originals(self.params["spec"], inside):
            what = f"without the data of volumes Velero would bring {', '.join(originals)} back on the ORIGINAL disks"
            raise StepStopped(what, hint="restore volumes with their data")
        if backup and (maybe := maybe_on_originals(self.params["spec"], held, backup)):
            raise StepStopped(f"{unread}; {maybe}", hint=WITH_THEIR_DATA)
        left_out = {v.claim for v in inside if stays_empty(self.params["spec"], v)}
        facts = {
            "restore.volumes": sorted(v.claim for v in inside if v.held is Held.CAPTURED and v.claim not in left_out),
            "restore.empty": sorted(v.claim for v in inside if v.held is Held.ABSENT and v.claim not in left_out),
            "restore.left_out": sorted(left_out),
            "restore.unread": unread,
        }
        await context.remember(**facts)


class Create(RestoreStep):
    """Create the Restore under a name made from this operation, so that it is found again after a crash."""

    name, title, mutates = "restore.create", "Create the restore", True
    limit = 60.0

    async def observe(self, context: StepContext) -> Observation:
        restore = await self.read(context)
        if restore is None:
            return Observation(Seen.ABSENT)
        name = restore.metadata.name
        if restore.metadata.label(OPERATION_LABEL) != context.op[:8]:
            return Observation(Seen.DIVERGED, f"a restore {name} exists that this operation did not make")
        facts = {
            "restore.name": name,
            "restore.uid": restore.metadata.uid,
            "restore.t4": stamp(context, restore.metadata.creation_timestamp),
        }
        return Observation(Seen.DONE, name, facts=facts)

    async def act(self, context: StepContext) -> None:
        name = self.restore_name(context)
        body = {
            "apiVersion": RESTORES.api_version,
            "kind": RESTORES.kind,
            "metadata": {"name": name, "namespace": self.velero},
            "spec": {**self.params["spec"], "backupName": self.backup_name(context)},
        }
        await carry_out(context, Write("create", RESTORES, self.velero, name, body, expect="the restore exists"))

    async def undo(self, context: StepContext) -> None:
        await take_back(context, self.title, lambda: self._taken_back(context))

    async def _taken_back(self, context: StepContext) -> bool:
        """Velero may begin it between the look and the deletion: the version says so, and the next look."""
        restore = await self.read(context)
        if restore is None:
            return True
        if restore.status.phase in ("", "New"):
            meta = restore.metadata
            write = Write(
                "delete", RESTORES, self.velero, meta.name,
                uid=meta.uid, resource_version=meta.resource_version, expect="the restore is gone",
            )  # fmt: skip
            return (await carry_out(context, write)).outcome in (Outcome.APPLIED, Outcome.GONE)
        if restore.status.phase not in progress.TERMINAL:
            raise StepStopped("Velero cannot stop a running restore", hint="undo when it has ended", park=True)
        await removal.remove_namespaces(context, restore, context.facts.get("restore.before") or {})
        return True


class Queue(RestoreStep):
    """Velero runs one restore at a time: wait until it takes ours."""

    name, title = "restore.queue", "Wait for Velero to begin"
    poll, limit = 0.5, 4 * 3600.0

    async def observe(self, context: StepContext) -> Observation:
        restore = await self.read(context)
        lost = self.lost(restore, context)
        if lost or restore is None:
            return lost or Observation(Seen.FAILED)
        if restore.status.phase not in ("", "New"):
            return Observation(Seen.DONE, "taken", facts={"restore.t5": stamp(context, restore.status.start_timestamp)})
        others = await context.reader.list(RESTORES, self.velero, type=Restore)
        ahead = [r.metadata.name for r in others if r.status.phase == "InProgress"]
        if ahead:
            return Observation(Seen.WAITING, f"queued behind restore {', '.join(ahead[:2])}")
        return Observation(Seen.WAITING, "waiting for Velero", hint=progress.unseen(restore, context.clock.now()))


class Objects(RestoreStep):
    """The objects: all items restored, or the phase has moved on."""

    name, title = "restore.objects", "Restore the objects"
    poll, limit = 0.5, 4 * 3600.0

    async def observe(self, context: StepContext) -> Observation:
        restore = await self.read(context)
        lost = self.lost(restore, context)
        if lost or restore is None:
            return lost or Observation(Seen.FAILED)
        items = restore.status.progress
        all_items = items is not None and 0 < items.total_items <= items.items_restored
        stages = progress.restore_stages(restore)
        if restore.status.phase == "InProgress" and not all_items:
            return Observation(Seen.WAITING, "InProgress", stages)
        server = restore.status.completion_timestamp
        copies = await self.copies(context, restore)
        if copies and server:
            server = min(
                (copy.status.start_timestamp for copy in copies if copy.status.start_timestamp), default=server
            )
        return Observation(Seen.DONE, restore.status.phase, stages, {"restore.t6": stamp(context, server)})


class Volumes(RestoreStep):
    """The bytes: every PodVolumeRestore and DataDownload has ended."""

    name, title = "restore.volumes", "Restore the volumes"
    poll, limit = 0.5, 12 * 3600.0

    async def observe(self, context: StepContext) -> Observation:
        restore = await self.read(context)
        lost = self.lost(restore, context)
        if lost or restore is None:
            return lost or Observation(Seen.FAILED)
        copies = await self.copies(context, restore)
        moving = progress.unfinished(copies)
        stages = progress.restore_stages(restore, copies)
        over = restore.status.phase in progress.TERMINAL
        if (moving or not copies) and not over and not restore.status.phase.startswith("Finalizing"):
            return Observation(Seen.WAITING, progress.describe_copies(moving) or restore.status.phase, stages)
        ended = max((c.status.completion_timestamp for c in copies if c.status.completion_timestamp), default=None)
        size = sum(stage.done for stage in stages if stage.unit == "bytes")
        facts = {"restore.t7": stamp(context, ended), "restore.bytes": size}
        facts["restore.copies"] = sum(map(fills_claim, copies))
        return Observation(Seen.DONE, how_many(len(copies), "volume"), stages, facts)
