"""The second look at the isolation, taken while something else is waited for, so that it costs a proof no time.

It begins when all objects are back, and with them every policy that could open the quarantine, and is judged before a
check counts. What was started meanwhile is taken to zero again when the quarantine is not shown closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lazarus_tui.model.stepping import Around
from lazarus_tui.model.steps import Observation, Seen, Step, StepContext
from lazarus_tui.prove.proof import halting
from lazarus_tui.prove.quarantine.isolation import Isolation

_HELD = "prove.look"


class Look:
    """A look under way: the run that began it closes it at its end."""

    def __init__(self, task: asyncio.Task[dict[str, Any]]) -> None:
        self.task = task

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)  # its end is not ours: who cancels us is heard


class StillClosed(Isolation):
    """Its result, if it was begun; else the look itself. The fact is that of ``Isolation`` with ``again``."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params, again=True)
        self.mutates = True
        self._stopping = halting.Stopping(self.wanted.name)

    def begin(self, context: StepContext) -> Look:
        """Begun once in a run; without it having been done in an earlier one."""
        found = context.held.get(_HELD)
        if not isinstance(found, Look):
            found = Look(asyncio.get_running_loop().create_task(self.look(context)))
            context.held[_HELD] = found
        return found

    async def forget(self, context: StepContext) -> None:
        """What was restored is taken out again: another look has to begin when it is back."""
        found = context.held.pop(_HELD, None)
        if found is not None:
            await found.close()

    def settled(self, context: StepContext) -> bool:
        """Whether it is over and did not show it closed: nothing is worth waiting for then."""
        if (known := context.facts.get(self.key)) is not None:
            return not known["closed"]
        task = self.begin(context).task
        if not task.done():
            return False
        return task.cancelled() or task.exception() is not None or not task.result()["closed"]

    async def observe(self, context: StepContext) -> Observation:
        found = context.facts.get(self.key)
        if not found or found["closed"]:
            return await super().observe(context)
        if (seen := await self._stopping.look(context)) is not None:
            return replace(seen, detail=f"not shown closed: {seen.detail}")
        said = await super().observe(context)
        return replace(said, detail=said.detail + self._stopping.left)

    async def act(self, context: StepContext) -> None:
        found = context.facts.get(self.key)
        if found is None:
            look = self.begin(context)
            try:
                found = await look.task
            finally:
                context.held.pop(_HELD, None)
                await look.close()
            await context.remember(**{self.key: found})
        if not found["closed"]:
            await halting.stop(context, self.wanted.name)


class Meanwhile(Around):
    """``inner``, with the look beside it. ``waits_for_life``: it is not waited for once the look came out badly."""

    def __init__(self, inner: Step, look: StillClosed, *, waits_for_life: bool = False) -> None:
        super().__init__(inner)
        self.beside, self._life = look, waits_for_life

    async def observe(self, context: StepContext) -> Observation:
        if self.beside.settled(context) and self._life:
            return Observation(Seen.DONE, "not waited for: the quarantine is not shown closed")
        return await self.inner.observe(context)
