"""The steps around the cut: hold the application still, let go of it, and write down how consistent each volume is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.freezes import HELD
from lazarus_tui.model.sets import ABOUT, SnapshotSet, about_of
from lazarus_tui.model.snapshots import SNAPSHOTS
from lazarus_tui.model.stepping import BaseStep, carry_out
from lazarus_tui.model.steps import Observation, Seen, StepContext, Write
from lazarus_tui.snapshots.hooks.freezing import WORDS, freeze, hold_of, let_go
from lazarus_tui.snapshots.hooks.spec import Hooks, hooks_of
from lazarus_tui.snapshots.reading import sets_of

# Seconds between the first cut and the last above which volumes that were not held still are called skewed: stamps of
# cuts have whole seconds, and no database recovers from files that are of two moments.
SKEW = 5.0


class HookStep(BaseStep):
    """A step of a plan with hooks."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        self.namespace, self.set_name = str(params["namespace"]), str(params["set"])
        self.workload = f"StatefulSet/{params['statefulset']}"
        self.hooks: Hooks | None = hooks_of(params)

    async def found(self, context: StepContext) -> SnapshotSet | None:
        every = await sets_of(context.reader, self.namespace, self.workload)
        return next((one for one in every if one.id == self.set_name), None)


class Freeze(HookStep):
    """The pre hook in every pod at once; all of them must succeed within their time, or the plan says to go on."""

    name, title, mutates = "freeze", "Run the pre hooks", True

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.limit = (self.hooks.timeout if self.hooks else 0.0) + 120.0

    async def observe(self, context: StepContext) -> Observation:
        if hold_of(context).frozen:
            held, words = context.facts.get(HELD) or {}, context.facts.get(WORDS) or {}
            bad = sorted(pod for pod, word in words.items() if word == "unknown")
            holds = self.hooks and self.hooks.holds
            state = f"{how_many(len(held), 'pod')} held still" if holds else "done, nothing is held"
            return Observation(Seen.DONE, state + (f"; failed in {', '.join(bad)}" if bad else ""))
        if await self.found(context) is not None:
            return Observation(Seen.DONE, "the volumes are cut already, or nearly")
        return Observation(Seen.ABSENT)

    async def act(self, context: StepContext) -> None:
        await freeze(context)

    async def undo(self, context: StepContext) -> None:
        await let_go(context)


class Thaw(HookStep):
    """The post hook wherever a pre hook was attempted, as soon as every volume is cut; uploads go on without it."""

    name, title, mutates = "thaw", "Run the post hooks", True

    async def observe(self, context: StepContext) -> Observation:
        if context.facts.get(HELD):
            return Observation(Seen.ABSENT)
        words = context.facts.get(WORDS) or {}
        return Observation(Seen.DONE, "; ".join(f"{pod}: {word}" for pod, word in sorted(words.items())))

    async def act(self, context: StepContext) -> None:
        await let_go(context, cut=True)


class Mark(HookStep):
    """Every member carries how consistent each volume of the set is; never more than was seen."""

    name, title, mutates = "consistency", "Write down how consistent the volumes are", True

    def wanted(self, context: StepContext) -> dict[str, str]:
        """The word by claim: application, crash, unknown, skewed."""
        group, skew = bool(self.params.get("group")), float(context.facts.get("set.skew") or 0.0)
        rest = "skewed" if skew > SKEW and not group else "crash"
        words = context.facts.get(WORDS) or {}
        by_claim = {
            claim: str(words.get(pod) or "unknown")
            for pod, hook in (self.hooks.pods if self.hooks else {}).items()
            for claim in hook.claims
        }
        found = {claim: by_claim.get(claim, "crash") for claim in sorted(self.params["claims"])}
        return {claim: rest if word == "crash" else word for claim, word in found.items()}

    async def observe(self, context: StepContext) -> Observation:
        found, wanted = await self.found(context), self.wanted(context)
        if found is None or found.missing:
            return Observation(Seen.FAILED, f"gone meanwhile: {', '.join(found.missing if found else wanted)}")
        left = [claim for claim, one in found.members.items() if _told(one.snapshot) != wanted]
        if left:
            return Observation(Seen.ABSENT, f"{len(left)} to be marked")
        facts = {"set.consistency": found.consistency}
        return Observation(Seen.DONE, found.consistency, facts=facts)

    async def act(self, context: StepContext) -> None:
        found, wanted = await self.found(context), self.wanted(context)
        for one in found.members.values() if found else ():
            about = about_of(one.snapshot)
            if about is None or about.consistency == wanted:
                continue
            text = msgspec.structs.replace(about, consistency=wanted).text()
            meta = one.snapshot.metadata
            write = Write(
                "merge-patch", SNAPSHOTS, self.namespace, meta.name, {"metadata": {"annotations": {ABOUT: text}}},
                uid=meta.uid, resource_version=meta.resource_version, expect="it says how consistent the set is",
            )  # fmt: skip
            await carry_out(context, write)


def _told(snapshot: Any) -> dict[str, str]:
    about = about_of(snapshot)
    return about.consistency if about else {}
