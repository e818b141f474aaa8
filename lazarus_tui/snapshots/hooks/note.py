"""A note of a freeze that outlives its client: a capsule beside the workload, from before it begins until it has ended.

With the journal lost, or seen from another machine, nothing else says that a pod may be held still, nor how to end it.
A lock that belongs to a session needs no note: the server frees it when the session ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.stepping import carry_out
from lazarus_tui.model.steps import Observation, Seen, StepContext, Write
from lazarus_tui.snapshots import capsule
from lazarus_tui.snapshots.hooks.byhand import thaw_commands
from lazarus_tui.snapshots.hooks.spec import EXEC, Hooks
from lazarus_tui.snapshots.hooks.steps import HookStep
from lazarus_tui.snapshots.names import FROZEN_UNTIL, capsule_name

# Seconds after which an engine that is still at it would have ended the freeze, its attempts included.
_LATE = 60.0
_REFUSED = "hooks.note"


def noted(hooks: Hooks | None) -> bool:
    """Whether a freeze of these hooks would outlive the engine."""
    return hooks is not None and hooks.how == EXEC


class Note(HookStep):
    """Written before the first pre hook; without the right to, the set is taken all the same, and that is said."""

    name, title, mutates = "note", "Leave a note of the freeze beside the workload", True
    limit = 60.0

    async def _read(self, context: StepContext) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = await context.reader.get(
            CONFIGMAPS, capsule_name(context.op), self.namespace, type=dict
        )
        return found

    async def observe(self, context: StepContext) -> Observation:
        if refused := context.facts.get(_REFUSED):
            return Observation(Seen.DONE, f"not written: {refused}")
        if await self._read(context) is None:
            return Observation(Seen.ABSENT)
        return Observation(Seen.DONE, f"{self.namespace}/{capsule_name(context.op)}")

    async def act(self, context: StepContext) -> None:
        assert self.hooks is not None
        for verb in ("create", "delete"):
            if await context.reader.can_i(verb, CONFIGMAPS, self.namespace) is False:
                why = f"no right to {verb} configmaps in {self.namespace}"
                await context.say(f"{why}: only this journal knows of the freeze")
                await context.remember(**{_REFUSED: why})
                return
        due = context.clock.now() + timedelta(seconds=self.hooks.timeout + self.hooks.budget + _LATE)
        instruction = f"lazarus undo {context.op[:8]} --confirm {context.plan.target}"
        thaw = thaw_commands(self.namespace, self.hooks, sorted(self.hooks.pods))
        marks = {FROZEN_UNTIL: rfc3339(due)}
        write = capsule.writing(context, self.namespace, instruction, marks, {"thaw": thaw})
        await carry_out(context, write)

    async def undo(self, context: StepContext) -> None:
        while (found := await self._read(context)) is not None:
            meta = found["metadata"]
            await carry_out(
                context, Write("delete", CONFIGMAPS, self.namespace, meta["name"], uid=meta["uid"], expect="it is gone")
            )


class NoteGone(Note):
    """Taken away once nothing is held any more."""

    name, title = "note-gone", "Take the note of the freeze away"

    async def observe(self, context: StepContext) -> Observation:
        return Observation(Seen.DONE if await self._read(context) is None else Seen.ABSENT)

    async def act(self, context: StepContext) -> None:
        await super().undo(context)

    async def undo(self, context: StepContext) -> None:
        """It told of a freeze that is over."""
