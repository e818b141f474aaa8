"""An engine does not end in silence while an application is held still."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from types import SimpleNamespace

import msgspec
import pytest

from lazarus_tui.engine import process
from lazarus_tui.engine.house import DRAIN, THAW, House
from lazarus_tui.engine.stopping import refusal
from lazarus_tui.model.operation import Operation, OpState

NOW = datetime(2026, 11, 20, 10, 0, 12, tzinfo=UTC)
HELD = {"db-0": {"uid": "u", "container": "db", "restarts": 0, "since": "2026-11-20T10:00:00Z"}}
RUNNING = Operation(
    id="9f3c12ab00000000", kind="snapshots.create", context="prod", target="prod/db", title="Snapshot prod/db as s",
    state=OpState.RUNNING, plan_digest="ef", started="2026-11-20T10:00:00Z",
)  # fmt: skip
FROZEN = msgspec.structs.replace(RUNNING, id="9f3c12ac00000000", facts={"held": HELD})
STUCK = msgspec.structs.replace(FROZEN, state=OpState.PARKED)


def test_a_frozen_application_is_named_first_and_parking_thaws_it() -> None:
    assert refusal([RUNNING, FROZEN], NOW, park=False, sandbox=False) == (
        "operation 9f3c12ac00000000 (Snapshot prod/db as s) is open: prod/db is frozen for 12 s (db-0); the engine"
        " thaws it, with --park before it ends",
        "lazarus watch 9f3c12ac00000000, or stop with --park",
    )
    assert refusal([RUNNING, FROZEN], NOW, park=True, sandbox=False) is None
    assert refusal([], NOW, park=False, sandbox=False) is None


def test_one_that_cannot_be_thawed_keeps_the_engine_even_from_parking() -> None:
    assert refusal([RUNNING, STUCK], NOW, park=True, sandbox=False) == (
        "prod/db may still be frozen for 12 s (db-0), and nobody else tries to thaw it",
        "thaw it by hand, then: lazarus operation close 9f3c12ac --confirm prod/db",
    )
    assert refusal([STUCK], NOW, park=True, sandbox=True) is None


def test_a_freeze_that_only_a_note_tells_of_is_nothing_this_engine_tries_to_end() -> None:
    found = msgspec.structs.replace(STUCK, facts={"held": {"db-0": {"container": "db"}}}, foreign="begun by another")
    assert refusal([found], NOW, park=True, sandbox=False) is None


@pytest.mark.parametrize(("operation", "seconds"), [(FROZEN, THAW), (RUNNING, DRAIN)])
async def test_the_end_that_nothing_can_hang_up_comes_after_the_time_that_a_thaw_may_take(
    operation: Operation, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ending:
        """A house that is told to end at once."""

        runner, drain = SimpleNamespace(open=(operation,)), House.drain

        async def nothing(self, *_: object) -> None:
            pass

        start = serve_until = close = nothing

    async def opened(*_: object) -> Ending:
        return Ending()

    given: list[float] = []
    monkeypatch.setattr(House, "open", opened)
    monkeypatch.setattr(process, "end_anyway", given.append)
    monkeypatch.setattr("gc.freeze", lambda: None)
    assert await process.run(Namespace()) == process.OK
    assert given == [seconds + process.LET_GO]
    assert given[0] < 90, "before systemd kills (TimeoutStopSec)"
