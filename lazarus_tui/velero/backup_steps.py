"""The steps of a backup. Facts: ``backup.name``, ``.uid``, ``.claims``, ``.phase``, ``.start``, ``.volumes``, …"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.objects import Backup, BackupSpec, Location, record
from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.resources import BACKUPS, LOCATIONS
from lazarus_tui.model.stepping import OPERATION_LABEL, BaseStep, carry_out, take_back
from lazarus_tui.model.steps import Observation, Outcome, Seen, StepContext, StepStopped, Write
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.model.volumes import VolumeInfoError, coverage, parse_volume_infos
from lazarus_tui.velero import artefacts, explain, progress
from lazarus_tui.velero.claims import backup_copies, coverage_json, expected_claims, verify
from lazarus_tui.velero.settled import Twice


class BackupStep(BaseStep):
    """A step about the one Backup named in the plan."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.velero = str(params["velero"])
        self.backup = str(params["name"])
        self.params = params

    @property
    def spec(self) -> BackupSpec:
        return record(self.params["spec"], BackupSpec)

    async def read(self, context: StepContext) -> Backup | None:
        return await context.reader.get(BACKUPS, self.backup, self.velero, type=Backup)

    def lost(self, backup: Backup | None, context: StepContext) -> Observation | None:
        """What to say when the Backup is gone or is no longer ours."""
        uid = str(context.facts.get("backup.uid", ""))
        if backup is None:
            hint = "its data may still be in the bucket: Velero re-creates the record when it syncs"
            return Observation(Seen.FAILED, f"backup {self.backup} was deleted while Lazarus waited for it", hint=hint)
        if uid and backup.metadata.uid != uid:
            return Observation(Seen.DIVERGED, f"backup {self.backup} was replaced by another one of the same name")
        if backup.metadata.deletion_timestamp or backup.status.phase == "Deleting":
            return Observation(Seen.FAILED, f"backup {self.backup} is being deleted by somebody else")
        return None


class Preflight(BackupStep):
    """Look once more right before the start: storage, and which volumes are to be found in the backup."""

    name, title = "backup.preflight", "Check storage and volumes"
    poll, limit = 2.0, 60.0

    async def observe(self, context: StepContext) -> Observation:
        name = self.spec.storage_location
        if name:
            place = await context.reader.get(LOCATIONS, name, self.velero, type=Location)
            if place is None:
                return Observation(Seen.FAILED, f"storage location {name} is gone")
            if place.status.phase == "Unavailable":
                return Observation(Seen.WAITING, f"storage location {name}: {place.status.message or 'unavailable'}")
        claims = await expected_claims(context.reader, self.spec)
        return Observation(Seen.DONE, f"{how_many(len(claims), 'volume')} expected", facts={"backup.claims": claims})


class Create(BackupStep):
    """Create the Backup under the name in the plan; found again by that name and our label."""

    name, title, mutates = "backup.create", "Create the backup", True
    limit = 60.0

    async def observe(self, context: StepContext) -> Observation:
        backup = await self.read(context)
        if backup is None:
            return Observation(Seen.ABSENT)
        if backup.metadata.label(OPERATION_LABEL) != context.op[:8]:
            return Observation(Seen.DIVERGED, f"a backup {self.backup} exists that this operation did not make")
        facts = {
            "backup.name": self.backup,
            "backup.uid": backup.metadata.uid,
            "backup.created": backup.metadata.creation_timestamp or "",
        }
        return Observation(Seen.DONE, self.backup, facts=facts)

    async def act(self, context: StepContext) -> None:
        metadata: dict[str, Any] = {"name": self.backup, "namespace": self.velero}
        if self.params.get("labels"):
            metadata["labels"] = dict(self.params["labels"])
        if self.params.get("annotations"):
            metadata["annotations"] = dict(self.params["annotations"])
        if self.params.get("owner"):
            metadata["ownerReferences"] = [dict(self.params["owner"])]
        body = {
            "apiVersion": BACKUPS.api_version,
            "kind": BACKUPS.kind,
            "metadata": metadata,
            "spec": dict(self.params["spec"]),
        }
        await carry_out(context, Write("create", BACKUPS, self.velero, self.backup, body, expect="the backup exists"))

    async def undo(self, context: StepContext) -> None:
        await take_back(context, self.title, lambda: self._taken_back(context))

    async def _taken_back(self, context: StepContext) -> bool:
        """Velero may begin it between the look and the deletion: the version says so, and the next look."""
        backup = await self.read(context)
        if backup is None or backup.metadata.uid != context.facts.get("backup.uid"):
            return True
        if backup.status.phase not in ("", "New", "Queued", "FailedValidation"):
            raise StepStopped("a backup that has begun cannot be taken back", hint="delete it when it has finished")
        meta = backup.metadata
        write = Write(
            "delete", BACKUPS, self.velero, self.backup,
            uid=meta.uid, resource_version=meta.resource_version, expect="the backup is gone",
        )  # fmt: skip
        return (await carry_out(context, write)).outcome in (Outcome.APPLIED, Outcome.GONE)


class Wait(BackupStep):
    """Wait until Velero says that it is finished; whether it is right is judged later."""

    name, title = "backup.wait", "Wait for Velero"
    poll, limit = 1.0, 8 * 3600.0

    async def observe(self, context: StepContext) -> Observation:
        backup = await self.read(context)
        lost = self.lost(backup, context)
        if lost or backup is None:
            return lost or Observation(Seen.FAILED)
        phase = backup.status.phase
        if phase == "FailedValidation":
            return refused(backup.status.validation_errors or [])
        copies = await backup_copies(context.reader, self.velero, backup.metadata.uid) if phase == "InProgress" else []
        stages = progress.backup_stages(backup, copies)
        if phase in progress.TERMINAL:
            return Observation(Seen.DONE, phase, stages)
        return Observation(
            Seen.WAITING, _waiting(backup, copies), stages, hint=progress.unseen(backup, context.clock.now())
        )


def _waiting(backup: Backup, copies: list[Any]) -> str:
    phase = backup.status.phase or "New"
    if phase == "Queued":
        return f"Queued at position {backup.status.queue_position}"
    if phase not in progress.WAITING | progress.RUNNING:
        return f"phase {phase} (not known to this version)"
    moving = progress.unfinished(copies)
    return f"{phase}; {progress.describe_copies(moving)}" if moving else phase


def refused(errors: list[str]) -> Observation:
    """A FailedValidation: nothing was done; what it means and what to do."""
    found = explain.explain(errors[0]) if errors else None
    meaning = found.meaning if found else "Velero refused it"
    return Observation(
        Seen.FAILED, f"FailedValidation: {meaning}: {'; '.join(errors)}", hint=found.advice if found else ""
    )


class Settle(BackupStep):
    """A terminal phase counts when every volume copy is over too and two looks in a row agree."""

    name, title = "backup.settle", "Let it settle"
    poll, limit = 1.0, 3600.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.twice = Twice(float(params.get("settle", 10.0)))
        self.poll = min(self.poll, max(0.2, self.twice.gap / 2))

    async def observe(self, context: StepContext) -> Observation:
        backup = await self.read(context)
        lost = self.lost(backup, context)
        if lost or backup is None:
            return lost or Observation(Seen.FAILED)
        copies = await backup_copies(context.reader, self.velero, backup.metadata.uid)
        moving = progress.unfinished(copies)
        stages = progress.backup_stages(backup, copies)
        if moving or backup.status.phase not in progress.TERMINAL:
            self.twice.reset()
            what = progress.describe_copies(moving) or f"phase went back to {backup.status.phase}"
            return Observation(Seen.WAITING, f"still moving: {what}", stages)
        seen = (backup.status.phase, tuple(sorted((c.metadata.uid, c.status.phase) for c in copies)))
        if not self.twice.agreed(seen, context.clock.monotonic()):
            return Observation(Seen.WAITING, f"{backup.status.phase}; looking twice", stages)
        facts = {
            "backup.phase": backup.status.phase,
            "backup.start": backup.status.start_timestamp or "",
            "backup.completed": backup.status.completion_timestamp or "",
            "backup.reason": backup.status.failure_reason,
            "backup.errors": backup.status.errors,
            "backup.warnings": backup.status.warnings,
        }
        return Observation(Seen.DONE, backup.status.phase, stages, facts)


class Verify(BackupStep):
    """Completed is a word; here the volumes are counted. A backup without them is FAILED, whatever its phase says.

    The verdict, not the step, says so: the backup exists, and the operation did all that it was to do.
    """

    name, title = "backup.verify", "Verify the volumes"
    limit = 240.0

    async def observe(self, context: StepContext) -> Observation:
        verdict = context.facts.get("backup.verdict")
        if verdict is None:
            return Observation(Seen.ABSENT)
        words, advice = str(context.facts.get("backup.words", "")), str(context.facts.get("backup.advice", ""))
        ended = context.facts.get("backup.phase") in ("Completed", "PartiallyFailed")
        return Observation(Seen.DONE if ended else Seen.FAILED, words, hint=advice if verdict == Verdict.FAILED else "")

    async def act(self, context: StepContext) -> None:
        began = context.clock.monotonic()
        facts = await self._judge(context)
        await context.remember(**facts)
        verdict = Verdict(facts["backup.verdict"])
        result = CheckResult(
            "volumes in the backup", "volumes", verdict, context.clock.monotonic() - began, facts["backup.words"],
            {"volumes": facts.get("backup.coverage", [])},
        )  # fmt: skip
        await context.checked(result)
        await context.judged(verdict)
        await context.say(facts["backup.words"])

    async def _judge(self, context: StepContext) -> dict[str, Any]:
        phase = str(context.facts.get("backup.phase", ""))
        if phase not in ("Completed", "PartiallyFailed"):
            return self._ended(phase, str(context.facts.get("backup.reason", "")))
        infos, trouble = await self._infos(context)
        copies = await backup_copies(context.reader, self.velero, str(context.facts.get("backup.uid", "")))
        held = coverage(infos, copies)
        found = verify(context.facts.get("backup.claims") or (), held)
        facts = {**found.facts(), "backup.coverage": coverage_json(held)}
        if found.missing:
            words, verdict = f"{phase}, but {found.words()}", Verdict.FAILED
        elif phase == "PartiallyFailed":
            return {**facts, **await self._partial(context)}
        elif found.unknown or (trouble and context.facts.get("backup.claims")):
            words, verdict = f"not verified: {trouble or found.words()}", Verdict.INCONCLUSIVE
        else:
            words = found.words()
            verdict = Verdict.PASSED if found.captured else Verdict.NOT_TESTED  # nothing was there to be verified
        return {**facts, "backup.verdict": str(verdict), "backup.words": words, "backup.advice": _ADVICE}

    async def _infos(self, context: StepContext) -> tuple[Any, str]:
        """The volume list and, without it, why there is none."""
        if not context.facts.get("backup.claims"):
            return (), ""
        try:
            data = await artefacts.download(context, self.velero, "BackupVolumeInfos", self.backup, owner=context.op)
            return parse_volume_infos(data), ""
        except artefacts.ArtefactError as error:
            return None, error.what + (f"; {error.hint}" if error.hint else "")
        except VolumeInfoError as error:
            return None, str(error)

    async def _partial(self, context: StepContext) -> dict[str, Any]:
        """PartiallyFailed: what went wrong, grouped."""
        groups: list[explain.Group] = []
        try:
            data = await artefacts.download(context, self.velero, "BackupResults", self.backup, owner=context.op)
            groups = [g for g in explain.grouped(artefacts.decode(data, "BackupResults")) if g.severity == "error"]
        except artefacts.ArtefactError as error:
            await context.say(f"the list of errors could not be read: {error.what}")
        said = "; ".join(group.words() for group in groups[:3]) or how_many(
            int(context.facts.get("backup.errors") or 0), "error"
        )
        return {
            "backup.verdict": str(Verdict.FAILED),
            "backup.words": f"PartiallyFailed: {said}",
            "backup.advice": next((g.explanation.advice for g in groups if g.explanation), ""),
        }

    def _ended(self, phase: str, reason: str) -> dict[str, Any]:
        found = explain.explain(reason)
        return {
            "backup.verdict": str(Verdict.FAILED),
            "backup.words": f"{phase}: {found.meaning}: {reason}"
            if found
            else f"{phase}: {reason or 'no reason given'}",
            "backup.advice": found.advice if found else "read the backup's log",
        }


_ADVICE = "see which method takes volume data: fs-backup, CSI snapshots or a volume policy"
