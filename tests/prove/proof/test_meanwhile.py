"""The second look at the isolation: beside what is waited for, before any check counts, and final when it is open."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.operation import StepState
from lazarus_tui.model.resources import POD_VOLUME_RESTORES, RESTORES, STATEFULSETS
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.proof.compose import steps
from lazarus_tui.prove.proof.meanwhile import Look
from tests.prove.proof.trial import Trial, trial
from tests.prove.quarantine.grounds import VELERO, Said
from tests.snapshots.stage import SPACE


def looking_back(ground: Trial, answer: Any) -> list[datetime]:
    """``answer`` is what ways that are tried after the restore was asked for say; returns when that was."""
    tried: list[datetime] = []

    def strange(argv: tuple[str, ...]) -> Said | None:
        if argv[0] != "nc" or not ground.api.list(RESTORES, VELERO):
            return None
        tried.append(ground.clock.now())
        said: Said | None = answer()
        return said

    ground.ways.strange = strange
    return tried


async def test_it_is_taken_while_volumes_move_and_what_holds_the_copy_still_is_let_go_of_after_the_comparison(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trial(monkeypatch, Trial) as ground:
        tried = looking_back(ground, lambda: None)
        done = await ground.proven()
        assert done.verdict is Verdict.PASSED
        assert tried
        assert max(tried) < parse_rfc3339(str(done.facts["restore.settled"])), "nothing waited for it"
        assert done.facts["prove.isolation_after"]["closed"] is True
        names = [step.name for step in done.steps]
        assert names.index("restore.objects") < names.index("prove.compare") < names.index("isolation-again")
        assert names.index("isolation-again") < names.index("checks.run")


async def test_a_way_that_opened_with_the_data_stops_the_copy_and_nothing_is_asked_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trial(monkeypatch, Trial) as ground:
        looking_back(ground, lambda: Said(0, b"open"))
        plan, engine = await ground.planned(), ground.engine
        assert engine is not None
        done = await engine.run(plan, plan.target)
        states = {step.name: step.state for step in done.steps}
        assert (done.verdict, done.exit_code) == (Verdict.INCONCLUSIVE, 4)
        assert done.facts["prove.stopped"]["step"] == "isolation-again"
        assert "isolation not enforced" in done.facts["prove.stopped"]["words"]
        assert done.facts["prove.isolation_after"]["rounds"] == 1
        assert (states["isolation-again"], states["checks.run"]) == (StepState.FAILED, StepState.SKIPPED)
        assert not done.facts.get("checks.verdict")
        assert plan.params["held"] == [], "nothing else patches it"
        stopped = f"/apis/apps/v1/namespaces/{plan.target}/statefulsets/db"
        assert [one.method for one in ground.sent if one.path == stopped] == ["PATCH", "DELETE"]
        assert ground.remains() == []


async def test_a_look_that_shows_nothing_ends_the_waiting_for_a_copy_that_is_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trial(monkeypatch, Trial) as ground:
        looking_back(ground, lambda: Said(127, err=b"nc: not found"))
        done = await ground.proven()
        assert done.verdict is Verdict.INCONCLUSIVE
        assert done.facts["prove.isolation_after"]["closed"] is None
        assert done.facts["prove.stopped"]["step"] == "isolation-again"


async def test_the_look_is_begun_when_all_objects_are_back_for_either_source(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trial(monkeypatch, Trial) as ground:
        plan, engine = await ground.planned(), ground.engine
        assert engine is not None
        beside = [type(one.inner).__name__ for one in steps(plan, engine.registry) if hasattr(one, "inner")]
        assert beside.count("Meanwhile") == 3
        assert beside.index("Release" if plan.params["held"] else "Identity") < beside.index("StillClosed")
        assert ground.there(STATEFULSETS, "db", SPACE)
        assert ground.api.list(POD_VOLUME_RESTORES, VELERO) == []


async def test_an_engine_that_ends_while_a_look_is_closed_ends_the_operation_too() -> None:
    async def look() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    found = Look(asyncio.create_task(look()))
    await asyncio.sleep(0)
    closing = asyncio.create_task(found.close())
    await asyncio.sleep(0)  # it waits for the look to end
    closing.cancel()
    await asyncio.wait({closing})
    assert (closing.cancelled(), found.task.cancelled()) == (True, True)
