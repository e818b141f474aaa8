"""A restore that a restart of Velero ended is run once more (reliability V1).

Velero marks it as Failed in words of its own; it cannot be resumed, and what it made so far would be left as it is by
another one. So that is taken out of the quarantine first, and the restore runs again under a name of its own, which
follows from the first one's. Facts: ``prove.rerun`` {of, uid, name, why, emptied}, ``restore.rerun`` (the name that
counts from then on), ``restore.t5r`` (when it began).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Seen, Step, StepContext, StepStopped
from lazarus_tui.prove.proof.kinds import kinds
from lazarus_tui.prove.proof.meanwhile import StillClosed
from lazarus_tui.prove.quarantine.emptying import emptied
from lazarus_tui.prove.quarantine.names import AGAIN, quarantine

RERUN = "prove.rerun"
# Velero's words for it (velero §2.9).
_RESTARTED = "during the server starting"
# T4 stays when the restore was first asked for; when the second one began is a point of its own.
_RENAMED = {"restore.t4": "", "restore.t5": "restore.t5r"}


class Rerun(BaseStep):
    """``again``: the steps of a restore from its creation to its settling, which find their Restore by its name."""

    name, title, mutates = "prove.rerun", "Begin again if Velero was restarted", True
    poll, limit = 0.5, 20 * 3600.0

    def __init__(self, params: Mapping[str, Any], again: Sequence[Step], look: StillClosed) -> None:
        self.params, self._again, self._look = params, again, look
        self._at = 0

    async def observe(self, context: StepContext) -> Observation:
        run = context.facts.get(RERUN)
        if run is None and not self._restarted(context.facts):
            return Observation(Seen.DONE, "it was not")
        if run is None or not run["emptied"]:
            return Observation(Seen.ABSENT, "Velero was restarted: taking out what it had made")
        return await self._along(context)

    def _restarted(self, facts: Mapping[str, Any]) -> bool:
        return facts.get("restore.phase") == "Failed" and _RESTARTED in str(facts.get("restore.reason") or "")

    async def _along(self, context: StepContext) -> Observation:
        """The steps one after the other; a new engine begins with the first, which sees what is there."""
        while True:
            seen = await self._again[self._at].observe(context)
            if seen.seen is not Seen.DONE:
                return seen
            facts = {_RENAMED.get(key, key): value for key, value in seen.facts.items()}
            await context.remember(**{key: value for key, value in facts.items() if key})
            if self._at + 1 == len(self._again):
                return Observation(Seen.DONE, f"run again as {context.facts[RERUN]['name']}: {seen.detail}")
            self._at += 1

    async def act(self, context: StepContext) -> None:
        run = context.facts.get(RERUN)
        if run is not None and run["emptied"]:
            await self._again[self._at].act(context)
            return
        if run is None:
            run = await self._begun(context)
        await self._look.forget(context)
        wanted = quarantine(self.params)
        notes = await emptied(context, wanted, str(run["of"]), await self._kinds(context))
        if notes:
            what = f"what the first run had made does not go, so there is no second one: {'; '.join(notes[:3])}"
            raise StepStopped(what, hint="look why it stays; prove the point again")
        await context.remember(**{RERUN: {**run, "emptied": True}, "restore.rerun": run["name"]})

    async def _begun(self, context: StepContext) -> dict[str, Any]:
        facts = context.facts
        name, why = str(facts["restore.name"]), str(facts.get("restore.reason") or "")
        run = {"of": name, "uid": facts.get("restore.uid"), "name": f"{name}{AGAIN}", "why": why, "emptied": False}
        await context.remember(**{RERUN: run})
        await context.say(f"restore {name} was ended by a restart of Velero: it is run once more, as {run['name']}")
        return run

    async def _kinds(self, context: StepContext) -> list[Any]:
        """What the point lists, as it is served."""
        served = await kinds(context.reader)
        refs = [str(ref).rpartition("/")[0].rpartition("/") for ref in self.params.get("inventory") or ()]
        found = {served.kind(version, kind) for version, _, kind in refs}
        return sorted((kind for kind in found if kind and kind.namespaced), key=lambda kind: kind.group_resource)


def deviation(facts: Mapping[str, Any]) -> str:
    """What a record says of it; "" when it did not happen."""
    run = facts.get(RERUN)
    return f"restore {run['of']} was ended by a restart of Velero and run again as {run['name']}" if run else ""
