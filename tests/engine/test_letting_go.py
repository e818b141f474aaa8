"""What a parked operation holds still is let go of, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from lazarus_tui.engine.letting_go import keep_trying
from lazarus_tui.model.freezes import HELD
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.steps import StepStopped
from lazarus_tui.sandbox.clock import VirtualClock


class Frozen:
    """An execution whose pod is thawed at the end of ``troubles``."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.ledger: Any = SimpleNamespace(operation=_operation(), change=self._change)

    def _change(self, **fields: Any) -> None:
        self.ledger.operation = replace(self.ledger.operation, **fields)

    async def free(self) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self._change(facts={})


def _operation() -> Operation:
    return Operation(
        id="a", kind="k", context="c", target="t", title="T", state=OpState.PARKED, plan_digest="",
        started="2026-01-01T00:00:00Z", message="as it was", facts={HELD: {"db-0": {"uid": "u"}}},
    )  # fmt: skip


async def test_a_defect_of_ours_leaves_nothing_frozen_that_the_next_try_can_thaw() -> None:
    clock, frozen = VirtualClock(), Frozen(StepStopped("the pod does not answer"), KeyError("container"), OSError())
    trying = asyncio.create_task(keep_trying(frozen, clock))  # type: ignore[arg-type]
    for left in (2, 1, 0):
        await clock.advance(0)
        assert len(frozen.troubles) == left
        assert not trying.done()
        await clock.advance(15)
    await trying
    assert (frozen.ledger.operation.facts, frozen.ledger.operation.message) == ({}, "as it was")
