"""The priority class of all copies: made once, where it is missing, and left for the next proof (S18)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.stepping import BaseStep, carry_out
from lazarus_tui.model.steps import Observation, Seen, StepContext, Write
from lazarus_tui.prove.precedence import CLASSES, Class, body


class Priority(BaseStep):
    """Several proofs may make it at once: whoever is late finds it there. It belongs to no operation, and none of
    them takes it away."""

    name, title, mutates = "prove.priority", "See to the priority class of copies", True
    poll, limit = 1.0, 60.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.wanted = params["priority"]

    async def observe(self, context: StepContext) -> Observation:
        name = str(self.wanted["name"])
        found = await context.reader.get(CLASSES, name, type=Class)
        if found is None:
            return Observation(Seen.ABSENT)
        if not found.quiet:
            what = f"PriorityClass {name} may push others off their nodes ({found.value}, {found.preemption_policy})"
            return Observation(Seen.DIVERGED, what, hint="make the plan again: it does without")
        return Observation(Seen.DONE, f"{name} ({found.value})")

    async def act(self, context: StepContext) -> None:
        made, name = body(self.wanted), str(self.wanted["name"])
        await carry_out(context, Write("create", CLASSES, None, name, made, expect="copies have it", users=True))
