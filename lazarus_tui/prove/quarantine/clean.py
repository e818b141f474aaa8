"""The last steps of a proof: its quarantine is removed, or kept for a while as asked, and looked for everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lazarus_tui.kube.errors import Forbidden, KubeError, NotSent, Pushback
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import NAMESPACES
from lazarus_tui.model.stepping import BaseStep, carry_out
from lazarus_tui.model.steps import Observation, Seen, StepContext, Write
from lazarus_tui.prove.proof.compare import COMPARED, compared
from lazarus_tui.prove.quarantine import census, names
from lazarus_tui.prove.quarantine.isolation import AFTER, BEFORE, Isolation
from lazarus_tui.prove.quarantine.leftovers import Left, leftovers
from lazarus_tui.prove.quarantine.sweep import sweep

# Seconds for what is on its way out to be gone, before it counts as left behind.
STRAGGLERS = 30.0
_NOT_PLANNED = "what came back is not what the plan allows"


class Clean(BaseStep):
    """Facts: ``prove.clean`` {kept_until (RFC 3339 or ""), notes: [sentence]}, ``prove.points``: the snapshots of the
    proof's point that were listed before, ``prove.storage``: what no object will tell of any more. It never fails for
    what does not go: the next step says what is left."""

    name, title, mutates = "clean", "Remove the quarantine", True
    poll, limit = 2.0, 1800.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params, self.wanted = params, names.quarantine(params)

    async def observe(self, context: StepContext) -> Observation:
        done = context.facts.get("prove.clean")
        if done is None:
            return Observation(Seen.ABSENT)
        if done["kept_until"]:
            return Observation(Seen.DONE, f"{self.wanted.name} is kept until {done['kept_until']}")
        return Observation(Seen.DONE, "; ".join(done["notes"]) or f"{self.wanted.name} is removed")

    async def act(self, context: StepContext) -> None:
        if "prove.points" not in context.facts:
            await context.remember(**{"prove.points": await _points(context, self.wanted)})
        harm = await self._harm(context) if self.wanted.keep_minutes else ""
        until = await self._kept(context) if self.wanted.keep_minutes and not harm else ""
        notes = [] if until else [*([f"not kept: {harm}"] if harm else []), *await sweep(context, self.wanted)]
        await context.remember(**{"prove.clean": {"kept_until": until, "notes": notes}})

    async def _harm(self, context: StepContext) -> str:
        """Why it is not kept. Where the restore began and the proof ended before it was looked at, that is done now."""
        if not context.facts.get("restore.t4"):
            return unsafe(context.facts)
        try:
            if not unsafe(context.facts) and context.facts.get(AFTER) is None:
                await context.remember(**{AFTER: await Isolation(self.params, again=True).look(context)})
            if not unsafe(context.facts) and context.facts.get(COMPARED) is None:
                seen = await compared(self.params, context)
                return _NOT_PLANNED if seen["violated"] or seen["unexpected"] else ""
        except (NotSent, Pushback):
            raise  # the API is away: nothing can be removed either
        except KubeError as error:
            return f"it could not be looked at: {error}"
        return unsafe(context.facts)

    async def _kept(self, context: StepContext) -> str:
        """Until when it stays; "" when there is nothing to keep."""
        found = await census.namespace(context.reader, self.wanted)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return ""
        until = context.clock.now() + timedelta(minutes=self.wanted.keep_minutes)
        body = {"metadata": {"labels": {names.EXPIRES: names.stamp(until)}}}
        uid = found["metadata"]["uid"]
        await carry_out(context, Write("merge-patch", NAMESPACES, None, self.wanted.name, body, uid=uid, expect="kept"))
        return rfc3339(until)


async def _points(context: StepContext, wanted: names.Quarantine) -> list[str]:
    """Snapshots of the point that are listed; who may not list them now may not at the end, which is told then."""
    try:
        return await census.handles(context.reader, wanted)
    except Forbidden:
        return []


def unsafe(facts: Mapping[str, Any]) -> str:
    """Why a quarantine must not be left standing for anybody to look at; "" when it may be."""
    looks = [facts.get(BEFORE), facts.get(AFTER)]
    if any(one is not None and one.get("closed") is not True for one in looks):
        return "it is not shown to be closed"
    seen = facts.get(COMPARED) or {}
    if seen.get("violated") or seen.get("unexpected"):
        return _NOT_PLANNED
    if (facts.get("prove.identity") or {}).get("same") or facts.get("prove.again"):
        return "a volume of it is a live one"
    return ""


class ShownClean(BaseStep):
    """Facts: ``prove.cleaned`` {clean: true | false | null (kept on purpose, or not known), kept_until, words,
    leftovers: [{kind, name, namespace, owner, age (seconds), going, why}], lost: [snapshots of the point that were
    listed before and are not now], unseen: [{kind, resource, why} of what nobody could look for]}.

    Clean is what was looked for everywhere and not found: with something unseen it is never true."""

    name, title = "shown-clean", "Show that nothing is left"
    poll, limit = 2.0, 180.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.wanted = names.quarantine(params)
        self._began: float | None = None

    async def observe(self, context: StepContext) -> Observation:
        kept = str((context.facts.get("prove.clean") or {}).get("kept_until") or "")
        if kept:
            words = f"{self.wanted.name} is kept until {kept}"
            return _shown(None, words, kept_until=kept)
        now = context.clock.monotonic()
        self._began = now if self._began is None else self._began
        left = await leftovers(context, self.wanted)
        if any(one["going"] for one in left.found) and now - self._began < STRAGGLERS:
            return Observation(Seen.WAITING, f"{len(left.found)} are still being deleted")
        before = context.facts.get("prove.points") or ()
        lost = sorted(set(before) - set(left.handles)) if left.handles is not None else []
        clean = False if left.found or lost else None if left.unseen else True
        words = _words(left, lost, len(before))
        return _shown(clean, words, leftovers=left.found, lost=lost, unseen=left.unseen)


def _shown(clean: bool | None, words: str, **more: Any) -> Observation:
    nothing = {"kept_until": "", "leftovers": [], "lost": [], "unseen": []}
    return Observation(Seen.DONE, words, facts={"prove.cleaned": {"clean": clean, "words": words, **nothing, **more}})


def _words(left: Left, lost: list[str], points: int) -> str:
    parts = []
    if left.found:
        told = ", ".join(f"{one['kind']} {one['name']}" for one in left.found[:4])
        more = f" and {len(left.found) - 4} more" if len(left.found) > 4 else ""
        parts.append(f"left behind: {told}{more}")
    if lost:
        parts.append(f"snapshots of the point are gone: {', '.join(lost)}")
    if left.unseen:
        kinds = ", ".join(one["kind"] for one in left.unseen)
        why = "; ".join(one["why"] for one in left.unseen)
        parts.append(f"whether anything is left is not known of {kinds}: {why}")
    still = f"; all {points} snapshots of the point are still listed" if points else ""
    return "; ".join(parts) or f"nothing is left{still}"
