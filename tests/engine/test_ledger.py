"""The living record: when a person is told that something changed, something did."""

from __future__ import annotations

from typing import Any, cast

from lazarus_tui.engine.ledger import Ledger
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.operation import Operation, OpState, StageProgress, StepState, StepView
from lazarus_tui.sandbox.clock import VirtualClock


async def test_progress_is_a_change_and_the_mere_passing_of_time_is_none():
    clock = VirtualClock()
    steps = (StepView(name="wait", title="Wait", state=StepState.RUNNING),)
    begun = rfc3339(clock.now(), micro=True)
    operation = Operation(
        id="op", kind="rehearse", context="lazarus-sandbox", target="shop", title="Rehearse", state=OpState.RUNNING,
        plan_digest="d", started=begun, changed=begun, steps=steps,
    )  # fmt: skip
    ledger = Ledger(operation, cast(Any, None), clock, lambda _: None, lambda _, __: None)
    await clock.advance(5)
    ledger.step(0, seconds=5.0)
    assert ledger.operation.changed == begun
    ledger.step(0, progress=(StageProgress("orders", 1, 20, "orders"),))
    assert ledger.operation.changed == rfc3339(clock.now(), micro=True) != begun
