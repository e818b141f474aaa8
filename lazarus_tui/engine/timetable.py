"""What this engine does by itself: stored policies, and the objects of the contexts that the settings name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lazarus_tui.config import PolicySettings
from lazarus_tui.engine.contexts import Contexts
from lazarus_tui.engine.object_status import Telling
from lazarus_tui.engine.policies import Policies
from lazarus_tui.engine.policy_calls import PolicyCalls
from lazarus_tui.engine.policy_objects import Objects
from lazarus_tui.engine.policy_restores import Restores
from lazarus_tui.engine.runner import Runner
from lazarus_tui.engine.scheduler import Scheduler
from lazarus_tui.journal import Journal
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.plan import Plan

Planning = Callable[[str, str, Mapping[str, Any]], Awaitable[Plan]]  # kind, context, params


class Timetable:
    """``calls`` is what the link may ask about it."""

    def __init__(
        self, journal: Journal, runner: Runner, clock: Clock, contexts: Contexts, settings: PolicySettings, *,
        plan: Planning,
    ) -> None:  # fmt: skip
        self._contexts = contexts
        self._policies, telling = Policies(journal, clock), Telling(journal, clock)
        clusters = contexts.cluster_for
        self._scheduler = Scheduler(self._policies, runner, journal, clock, plan=plan, clusters=clusters)
        restores = Restores(runner, journal, clock, telling, plan=plan, in_place=settings.restore_in_place)
        self._objects = Objects(
            self._policies, restores, telling, clock, contexts=settings.run_objects, clusters=clusters,
            wake=self._scheduler.wake,
        )  # fmt: skip
        self.calls = PolicyCalls(
            self._policies, reader=contexts.reader, plan=plan, wake=self._scheduler.wake, why=self._objects.why
        )

    async def start(self) -> list[asyncio.Task[None]]:
        """Read what is stored, then keep it going: the tasks are cancelled to end it."""
        await self._policies.load()
        await self._objects.load()
        work = (self._scheduler.run(self._contexts.use), self._objects.run(self._contexts.use))
        return [asyncio.create_task(one) for one in work]

    def stays_for(self) -> tuple[str, ...]:
        """Schedules and objects of contexts in use: while there are any, the engine does not end by itself."""
        used = self._contexts.in_use
        stored = [f"{h.context}: {h.policy.key}" for h in self._policies.all() if h.runs and h.context in used]
        return (*stored, *(f"{context}: its objects" for context in self._objects.contexts if context in used))
