"""A restore in place tells what it does on the StatefulSet, and counts its replicas while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from lazarus_tui.engine.adoption import Capsule, keep_looking, look
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.resources import CONFIGMAPS, EVENTS, STATEFULSETS
from lazarus_tui.snapshots.names import CLOSED
from tests.engine.world import Engine
from tests.snapshots.stage import NAME, SPACE, Stage, staged
from tests.snapshots.test_adoption import interrupted, other_engine
from tests.snapshots.test_inplace import prepared


def told(stage: Stage) -> dict[str, Any]:
    """Lazarus's warnings about the workload by reason."""
    uid = stage.workload()["metadata"]["uid"]
    found = [one for one in stage.api.list(EVENTS, SPACE) if one["reason"].startswith("Restore")]
    assert all(one["involvedObject"]["uid"] == uid and one["type"] == "Warning" for one in found)
    return {one["reason"]: one for one in found}


async def test_stop_pivot_and_undo_are_told_on_the_workload() -> None:
    async with staged(replicas=2) as (stage, engine):
        await stage.cut("s1")
        done = await stage.restore(engine)
        assert set(told(stage)) == {"RestoreStops", "RestoreReplaces"}
        note = told(stage)["RestoreStops"]["message"]
        assert note.startswith("scaled from 2 to 0 replicas, to be restored from set s1; ")
        assert f"lazarus resume {done.id[:8]}, to go back: lazarus undo {done.id[:8]}" in note
        assert {key: done.facts[key] for key in ("set", "replicas")} == {"set": "s1", "replicas": 2}
        counts = {
            step.name: step.progress for step in done.steps if step.progress and step.progress[0].unit == "replicas"
        }
        assert [(each.done, each.total) for each in counts["drain"]] == [(0, 2)]
        assert [(each.done, each.total) for each in counts["start"]] == [(2, 2)]
        safety = next(step for step in done.steps if step.name == "safety")
        assert [(each.stage, each.done, each.unit) for each in safety.progress] == [
            ("data-db-0", 1, "kept"), ("data-db-1", 1, "kept"),
        ]  # fmt: skip
        await engine.passing(engine.runner.undo(done.id, done.target))
        await engine.finish(done.id)
        assert "RestoreUndone" in told(stage)


async def test_a_restore_that_waits_says_why() -> None:
    async with staged(replicas=2) as (stage, engine):
        await stage.cut("s1")
        plan = await stage.plan(engine)
        stop = stage.api.subscribe(lambda kind, resource, found, old: _fight(stage, kind, found))
        parked = await engine.run(plan, plan.target)
        stop()
        assert parked.state is OpState.PARKED
        assert parked.message in told(stage)["RestoreWaits"]["message"]


async def test_a_restore_that_is_parked_at_zero_says_so_too() -> None:
    async with staged(replicas=1) as (stage, engine):
        await stage.cut("s1")
        plan = await stage.plan(engine)
        asked = stage.api.subscribe(lambda kind, resource, found, old: _park(engine, kind, found))
        parked = await engine.run(plan, plan.target)
        asked()
        assert (parked.state, parked.message) == (OpState.PARKED, "stopped on request")
        assert stage.workload()["spec"]["replicas"] == 0
        assert "stopped on request" in told(stage)["RestoreWaits"]["message"]


def _park(engine: Engine, kind: str, found: dict[str, Any]) -> None:
    """A person parks it as soon as its claims begin to go."""
    if kind == "DELETED" and found.get("kind") == "PersistentVolumeClaim":
        for execution in engine.runner._running.values():
            execution.request("park")


def _fight(stage: Stage, kind: str, found: dict[str, Any]) -> None:
    """Somebody scales it up as soon as its claims begin to go."""
    gone = kind == "DELETED" and found.get("kind") == "PersistentVolumeClaim"
    if gone and stage.workload()["spec"]["replicas"] == 0:
        stage.api.patch(STATEFULSETS, NAME, {"spec": {"replicas": 2}}, SPACE)


async def test_events_that_are_refused_stop_nothing_and_are_tried_once() -> None:
    async with staged(replicas=1) as (stage, engine):
        await stage.cut("s1")
        tried: list[str] = []

        async def refuse(request: HttpRequest) -> HttpResponse | None:
            if request.method == "POST" and request.path.endswith("/events"):
                tried.append(request.path)
                return HttpResponse(403, {}, b'{"kind":"Status","reason":"Forbidden","message":"no events for you"}')
            return None

        stage.server.interceptor = refuse
        done = await stage.restore(engine)
        assert done.state is OpState.DONE, done.message
        assert len(tried) == 3, "one event, with the gate's patience for false refusals; the next is not tried"


class Keeper:
    """Notes what it is told of."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    async def adopt(self, capsule: Capsule, context: str) -> None:
        self.found.append((capsule.operation, context))

    async def ended_elsewhere(self, context: str, capsules: Mapping[str, str]) -> None:
        return None


async def test_what_another_lazarus_begins_is_found_while_connected() -> None:
    async with staged(replicas=1) as (stage, engine):
        await stage.cut("s1")
        keeper = Keeper()
        looking = asyncio.get_running_loop().create_task(keep_looking(engine.cluster, "lab", keeper, stage.clock))
        try:
            done = await stage.restore(engine)
            await stage.until(lambda: keeper.found, "the capsule is found")
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        assert keeper.found[0] == (done.id, "lab")


@pytest.mark.parametrize(
    ("data", "state"), [(None, OpState.UNDONE), ("broken", OpState.PARKED), ("closed", OpState.DONE)]
)
async def test_what_ended_at_another_lazarus_does_not_wait_here_any_more(data: str | None, state: OpState) -> None:
    async with staged(replicas=1) as (stage, engine):
        await prepared(stage)
        op = await interrupted(stage, engine, "DELETE /api/v1/namespaces/prod/persistentvolumeclaims")
        engine = await other_engine(stage)
        await engine.passing(look(engine.cluster, "lab", engine.runner))
        assert (await engine.passing(engine.runner.get(op))).state is OpState.PARKED
        name = f"lazarus-capsule-{op[:8]}"
        if data is None:
            stage.api.delete(CONFIGMAPS, name, SPACE)
        elif data == "broken":
            stage.api.patch(CONFIGMAPS, name, {"data": {"plan": "{}"}}, SPACE)
        else:
            stage.api.patch(CONFIGMAPS, name, {"metadata": {"annotations": {CLOSED: "2026-01-01T00:00:00Z"}}}, SPACE)
        await engine.passing(look(engine.cluster, "lab", engine.runner))
        found = await engine.passing(engine.runner.get(op))
        assert (found.state, bool(found.foreign)) == (state, state is OpState.PARKED)
        assert ("another Lazarus ended it" in found.message) is not bool(found.foreign)
