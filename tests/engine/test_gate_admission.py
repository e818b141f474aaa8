"""What admission refuses with 403 is no matter of rights: what passes is waited for with a bound, the rest says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lazarus_tui.engine.errors import RightMissing
from lazarus_tui.engine.gate import CATCHING_UP
from lazarus_tui.engine.resume import written
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.stepping import carry_out
from lazarus_tui.model.steps import Outcome, StepStopped
from tests.engine.test_gate import MAKE, OP, Fault, answer, gated
from tests.engine.world import Make, laboratory, plan_for

EVER = 1_000_000
MINE = 'configmaps "thing" is forbidden: '
FULL = f"{MINE}exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1"
UNCOUNTED = f"{MINE}status unknown for quota: q, resources: configmaps"
PASSING = [
    UNCOUNTED,
    FULL,
    f'{MINE}error looking up service account shop/default: serviceaccount "default" not found',
    f"{MINE}not yet ready to handle request",
]
STAYING = [
    (f"{MINE}unable to create new content in namespace shop because it is being terminated", "until the namespace"),
    (f'{MINE}violates PodSecurity "restricted:latest": runAsNonRoot != true', "the rule of its namespace"),
    (f"{MINE}maximum memory usage per Container is 1Gi, but limit is 2Gi", "the rule of its namespace"),
    (f"{MINE}failed quota: q: must specify limits.cpu for: check", "the rule of its namespace"),
    (f"{MINE}no PriorityClass with name copies was found", "the rule of its namespace"),
]


def times(count: int, fault: Fault) -> Fault:
    """The first ``count`` writes meet the fault."""
    left = [count]

    async def first(request: HttpRequest) -> HttpResponse | None:
        if request.method == "GET" or not left[0]:
            return None
        left[0] -= 1
        return await fault(request)

    return first


@pytest.mark.parametrize("words", PASSING)
async def test_a_refusal_that_passes_is_waited_for(words: str) -> None:
    told: list[str] = []
    async with gated(on_wait=told.append) as (world, engine, gate):
        world.faults.append(times(4, answer(403, words)))
        assert (await engine.passing(gate.write(MAKE))).outcome is Outcome.APPLIED
        assert world.clock.monotonic() == 0.5 + 1 + 2 + 4
        assert told == [f"waiting for API: {words}"] * 4
        assert len(world.sent) == 5


async def test_what_lags_behind_after_an_outage_gets_its_minute_from_then_on() -> None:
    async with gated() as (world, engine, gate):
        world.faults += [times(20, answer(429, "busy", retry_after="5")), times(5, answer(403, PASSING[3]))]
        assert (await engine.passing(gate.write(MAKE))).outcome is Outcome.APPLIED
        assert world.clock.monotonic() > 2 * CATCHING_UP
        assert len(world.sent) == 26


@pytest.mark.parametrize("words", PASSING[:1] + PASSING[2:])
async def test_what_does_not_pass_after_all_waits_for_a_person_and_names_no_right(words: str) -> None:
    async with gated() as (world, engine, gate):
        world.faults.append(times(EVER, answer(403, words)))
        with pytest.raises(StepStopped) as stopped:
            await engine.passing(gate.write(MAKE))
        assert CATCHING_UP - 10 < world.clock.monotonic() <= CATCHING_UP
        assert not isinstance(stopped.value, RightMissing)
        assert stopped.value.park
        assert stopped.value.what == f"create configmaps/thing in namespace shop was refused: {words}"
        assert stopped.value.hint.startswith("no right is missing: see why")
        assert written(await engine.journal.events(OP)) == set()


@pytest.mark.parametrize(("words", "next_step"), STAYING)
async def test_what_admission_refuses_names_the_rule_and_no_right(words: str, next_step: str) -> None:
    async with gated() as (world, engine, gate):
        world.faults.append(times(EVER, answer(403, words)))
        with pytest.raises(StepStopped) as stopped:
            await engine.passing(gate.write(MAKE))
        assert len(world.sent) == 3
        assert not isinstance(stopped.value, RightMissing)
        assert stopped.value.park
        assert words in stopped.value.what
        assert "right" not in stopped.value.what
        assert next_step in stopped.value.hint


async def test_a_quota_that_stays_full_says_so_and_not_that_a_right_is_to_be_granted() -> None:
    async with gated() as (world, engine, gate):
        world.faults.append(times(EVER, answer(403, FULL)))
        context: Any = SimpleNamespace(gate=gate)
        with pytest.raises(StepStopped) as stopped:
            await engine.passing(carry_out(context, MAKE))
        assert CATCHING_UP - 10 < world.clock.monotonic() <= CATCHING_UP
        assert stopped.value.what == f"create configmaps/thing was refused: {FULL}"
        assert stopped.value.hint == "raise the namespace's ResourceQuota or free some of it"
        assert stopped.value.park


async def test_what_a_write_waits_for_is_not_the_time_of_its_step() -> None:
    """What was made after all is not taken back because the server was busy for longer than the step may take."""
    busy = times(20, answer(429, "busy", retry_after="5"))

    async def of_things(request: HttpRequest) -> HttpResponse | None:
        return await busy(request) if "/configmaps" in request.path else None

    async with laboratory() as (world, engine):
        world.faults.append(of_things)
        ended = await engine.run(plan_for(world))
        assert world.clock.monotonic() > Make.limit + 30
        assert (ended.state, ended.message) == (OpState.DONE, "")
