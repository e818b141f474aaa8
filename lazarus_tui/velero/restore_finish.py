"""The last steps of a restore: finalizing, settling, and what it says about itself. Health is judged elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.steps import Observation, Seen, StepContext
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.model.volumes import short_of
from lazarus_tui.velero import artefacts, explain, progress
from lazarus_tui.velero.restore_steps import RestoreStep, stamp
from lazarus_tui.velero.settled import Twice


class Finalize(RestoreStep):
    name, title = "restore.finalize", "Let Velero finish"
    poll, limit = 0.5, 2 * 3600.0

    async def observe(self, context: StepContext) -> Observation:
        restore = await self.read(context)
        lost = self.lost(restore, context)
        if lost or restore is None:
            return lost or Observation(Seen.FAILED)
        phase = restore.status.phase
        if phase in progress.TERMINAL:
            facts = {"restore.t8": stamp(context, restore.status.completion_timestamp)}
            return Observation(Seen.DONE, phase, progress.restore_stages(restore), facts)
        known = phase in progress.WAITING | progress.RUNNING
        return Observation(Seen.WAITING, phase if known else f"phase {phase} (not known to this version)")


class Settle(RestoreStep):
    """A terminal phase counts when every volume copy is over too and two looks in a row agree."""

    name, title = "restore.settle", "Let it settle"
    poll, limit = 1.0, 3600.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.twice = Twice(float(params.get("settle", 10.0)))
        self.poll = min(self.poll, max(0.2, self.twice.gap / 2))

    async def observe(self, context: StepContext) -> Observation:
        restore = await self.read(context)
        lost = self.lost(restore, context)
        if lost or restore is None:
            return lost or Observation(Seen.FAILED)
        copies = await self.copies(context, restore)
        moving = progress.unfinished(copies)
        if moving or restore.status.phase not in progress.TERMINAL:
            self.twice.reset()
            what = progress.describe_copies(moving) or f"phase went back to {restore.status.phase}"
            return Observation(Seen.WAITING, f"still moving: {what}")
        seen = (restore.status.phase, tuple(sorted((c.metadata.uid, c.status.phase) for c in copies)))
        if not self.twice.agreed(seen, context.clock.monotonic()):
            return Observation(Seen.WAITING, f"{restore.status.phase}; looking twice")
        bad = [f"{progress.describe_copies([c])}: {c.status.message}" for c in copies if c.status.phase != "Completed"]
        ended = [copy for copy in copies if copy.status.phase == "Completed" and short_of(copy)]
        short = [f"{progress.describe_copies([copy])} after {short_of(copy)}" for copy in ended]
        facts = {
            "restore.phase": restore.status.phase,
            "restore.reason": restore.status.failure_reason,
            "restore.errors": restore.status.errors,
            "restore.warnings": restore.status.warnings,
            "restore.bad_volumes": bad,
            "restore.short_volumes": short,
            "restore.settled": stamp(context),
        }
        return Observation(Seen.DONE, restore.status.phase, facts=facts)


class Results(RestoreStep):
    """Errors and warnings, grouped and explained. Anything but Completed without failed volumes is FAILED.

    A restore that ended in parts goes on to the checks, which show what came back; one that ended Failed stops here.
    """

    name, title = "restore.results", "Read what Velero reports"
    limit = 180.0

    async def observe(self, context: StepContext) -> Observation:
        words = context.facts.get("restore.words")
        if words is None:
            return Observation(Seen.ABSENT)
        advice = str(context.facts.get("restore.advice", ""))
        ended = context.facts.get("restore.phase") in ("Completed", "PartiallyFailed")
        return Observation(Seen.DONE if ended else Seen.FAILED, str(words), hint=advice)

    async def act(self, context: StepContext) -> None:
        began = context.clock.monotonic()
        groups, unread = await self._groups(context)
        phase, reason = str(context.facts.get("restore.phase", "")), str(context.facts.get("restore.reason", ""))
        bad = [str(text) for text in context.facts.get("restore.bad_volumes") or ()]
        bad += [f"volume {claim} came back EMPTY" for claim in context.facts.get("restore.empty") or ()]
        untouched = _untouched(context.facts)
        bad += [f"volume {claim} was there before: NOTHING was restored into it" for claim in untouched]
        live = self._live(context.facts)
        unread = unread or str(context.facts.get("restore.unread") or "")
        unread = unread or "; ".join(context.facts.get("restore.short_volumes") or ()) or _left_out(context.facts, live)
        errors = [group for group in groups if group.severity == "error"]
        failed = phase != "Completed" or bool(bad)
        verdict = Verdict.FAILED if failed else Verdict.INCONCLUSIVE if unread else Verdict.PASSED
        said = [reason, *bad, *(group.words() for group in errors[:3])] if failed else []
        said += [group.words() for group in groups if group.severity == "warning"][:3]
        words = "; ".join(filter(None, [phase, *said, unread]))
        found = explain.explain(reason)
        advice = found.advice if found else next((g.explanation.advice for g in errors if g.explanation), "")
        await context.checked(
            CheckResult("Velero's report", "restore", verdict, context.clock.monotonic() - began, words)
        )
        if verdict is not Verdict.PASSED:
            await context.judged(verdict)
        for group in groups:
            await context.say(f"{group.severity}: {group.words()}")
        if phase == "Failed":
            first = "first take back what it left (undo, or remove the namespace), since what exists is left as it is"
            advice = "; ".join(filter(None, (first, advice)))
        if untouched and not advice:
            advice = "restore into another namespace, or remove the workload and its claims first"
        facts = {"restore.words": words, "restore.verdict": str(verdict), "restore.advice": advice}
        texts = [[group.severity, text] for group in groups for text in group.all_told()]
        await context.remember(**facts, **{"restore.untouched": untouched or live, "restore.messages": texts})

    def _live(self, facts: Mapping[str, Any]) -> list[str]:
        """Volumes that were there before a restore that was asked to bring none: their data is not the backup's."""
        wanted = self.params["spec"].get("restorePVs") is not False
        return [] if wanted or facts.get("restore.copies") else list(facts.get("restore.claims") or ())

    async def _groups(self, context: StepContext) -> tuple[list[explain.Group], str]:
        """The groups, and in words why they could not be read."""
        if not context.facts.get("restore.errors") and not context.facts.get("restore.warnings"):
            return [], ""
        name = self.restore_name(context)
        try:
            data = await artefacts.download(context, self.velero, "RestoreResults", name, owner=context.op)
            return explain.grouped(artefacts.decode(data, "RestoreResults")), ""
        except artefacts.ArtefactError as error:
            return [], f"its list of errors could not be read: {error.what}"


def _left_out(facts: Mapping[str, Any], live: Sequence[str]) -> str:
    """What is said of volumes that nobody wanted back: what runs has nothing of theirs, or what was there before."""
    if facts.get("restore.copies"):
        return ""
    empty = [claim for claim in facts.get("restore.left_out") or () if claim not in live]
    said = (
        f"left out on request, so EMPTY: {', '.join(empty)}" if empty else "",
        f"left out on request, so still with the data from before: {', '.join(live)}" if live else "",
    )
    return "; ".join(filter(None, said))


def _untouched(facts: Mapping[str, Any]) -> list[str]:
    """Volumes the point holds that were there before and got no bytes: Velero leaves an existing claim as it is.

    A pod that is made anew does get its volume filled through an existing claim, so copies for all of them clear it.
    """
    wanted, there = facts.get("restore.volumes") or (), set(facts.get("restore.claims") or ())
    if int(facts.get("restore.copies") or 0) >= len(wanted):
        return []
    return [claim for claim in wanted if claim in there]
