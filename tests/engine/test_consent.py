"""Whose consent an operation runs by is kept with it, and outlives the engine that began it."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.engine.beginning import consent
from lazarus_tui.journal import Event
from lazarus_tui.model.operation import OpState
from tests.engine.test_scheduler import CONTEXT, desk, policy
from tests.snapshots.stage import NAME, SPACE

BEGUN = ("op.begun", {"confirmed": "policy prod/often"})


@pytest.mark.parametrize(
    ("decisions", "by"),
    [
        ((BEGUN,), "policy prod/often"),
        ((BEGUN, ("op.undoing", {"why": "a hook failed"})), "policy prod/often"),
        ((BEGUN, ("op.resumed", {"by": "request"})), ""),
        ((BEGUN, ("op.undoing", {"by": "request"})), ""),
        ((("op.begun", {"confirmed": True}),), ""),
        ((), ""),
    ],
)
def test_the_last_decision_counts(decisions: tuple[tuple[str, dict[str, Any]], ...], by: str) -> None:
    found = [Event(n, "1", "2026-01-01T00:00:00Z", 0, "engine", *one) for n, one in enumerate(decisions)]
    assert consent(found) == by


async def test_a_run_that_is_taken_up_after_a_kill_needs_nobody_to_arm_the_context() -> None:
    async with desk() as it:
        await it.store(policy(run_on_create=True))
        await it.engine.passing(it.scheduler.look())
        while not it.engine.runner.open:
            await it.engine.settle()
        again = await it.reborn()
        again.engine.runner.revoke(CONTEXT)  # a person armed it in between, and took that back
        held = await again.look()
        assert (held.outcome, len(it.ids())) == ("taken", 1)


async def test_what_a_person_began_stops_when_the_context_is_read_only_again() -> None:
    async with desk() as it:
        it.stage.armed = True
        wanted = {"namespace": SPACE, "statefulset": NAME, "name": "mine"}
        plan = await it.engine.passing(
            it.engine.registry.plan("snapshots.create", it.engine.cluster, wanted, it.stage.clock)
        )
        mine = await it.engine.passing(it.engine.runner.start(plan, plan.digest()))
        again = await it.reborn()
        again.engine.runner.revoke(CONTEXT)
        ended = await again.engine.finish(mine.id)
        assert (ended.state, "read-only" in ended.message) == (OpState.PARKED, True)
