"""What the journal's last words mean for an operation that was open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.resume import MAX_RECOVERIES, decide, mismatch, written
from lazarus_tui.journal import Event
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Danger, Plan, PlannedStep
from tests.engine.world import Change, Make, Wait

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STEPS = [Make(), Wait(), Change()]
PLAN = Plan(
    kind="k", context="c", cluster_uid="u", target="t", title="T", danger=Danger.SAFE, params={},
    steps=tuple(PlannedStep(s.name, s.version, s.title, s.mutates) for s in STEPS),
)  # fmt: skip


def operation(state: OpState) -> Operation:
    return Operation(
        id="1", kind="k", context="c", target="t", title="T", state=state, plan_digest=PLAN.digest(), started="",
        message="as it was",
    )  # fmt: skip


def event(seq: int, kind: str, at: datetime = NOW, **body: Any) -> Event:
    return Event(seq, "1", rfc3339(at), 0, "engine", kind, body)


def recoveries(*minutes: float) -> list[Event]:
    return [event(n, "op.recovered", NOW - timedelta(minutes=m)) for n, m in enumerate(minutes)]


@pytest.mark.parametrize("state", [OpState.RUNNING, OpState.UNDOING])
def test_it_goes_on_in_its_direction(state: OpState) -> None:
    assert decide(operation(state), PLAN, STEPS, recoveries(1, 2, 3, 4), NOW).state is state


def test_a_parked_operation_stays_parked_with_its_reason() -> None:
    found = decide(operation(OpState.PARKED), PLAN, STEPS, [], NOW)
    assert (found.state, found.why) == (OpState.PARKED, "as it was")


@pytest.mark.parametrize(
    ("minutes", "parks"), [((1, 2, 3, 4, 9.9), True), ((1, 2, 3, 4, 10.1), False), ((11,) * 9, False)]
)
def test_crash_loops_stop(minutes: tuple[float, ...], parks: bool) -> None:
    found = decide(operation(OpState.RUNNING), PLAN, STEPS, recoveries(*minutes), NOW)
    assert (found.state is OpState.PARKED) is parks
    assert MAX_RECOVERIES == 5


def test_without_plan_or_steps_a_person_decides() -> None:
    running = operation(OpState.RUNNING)
    edited = msgspec.structs.replace(PLAN, target="other")
    for plan, steps in ((None, STEPS), (edited, STEPS), (PLAN, None), (PLAN, STEPS[:2]), (PLAN, STEPS[::-1])):
        found = decide(running, plan, steps, [], NOW)
        assert found.state is OpState.PARKED
        assert found.why


def test_a_mismatch_names_the_step() -> None:
    class Newer(Wait):
        version = 3

    assert mismatch(PLAN, STEPS) == ""
    assert (
        mismatch(PLAN, [Make(), Newer(), Change()]) == "step 'wait' (version 1) is 'wait' (version 3) in this Lazarus"
    )
    assert mismatch(PLAN, STEPS[:1]) == "the plan has 3 steps, this Lazarus makes 1"


@pytest.mark.parametrize(
    ("outcome", "changed"),
    [("applied", True), ("ambiguous", True), ("unknown", True)]
    + [
        (word, False)
        for word in ("not sent", "pushback", "conflict", "auth", "forbidden", "gone", "expired", "permanent")
    ],
)
def test_what_may_have_changed_the_cluster_counts(outcome: str, changed: bool) -> None:
    events = [event(1, "gate.intent", step="a"), event(2, "gate.result", intent=1, outcome=outcome)]
    assert written(events) == ({"a"} if changed else set())


def test_an_intent_without_a_result_counts_until_it_is_undone() -> None:
    events = [event(1, "gate.intent", step="a"), event(2, "gate.intent", step="b")]
    assert written(events) == {"a", "b"}
    undoing = [*events, event(3, "gate.intent", step="b", undoing=True), event(4, "step.undone", step="b")]
    assert written(undoing) == {"a"}
