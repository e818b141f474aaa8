"""Two people, one restore: who holds it is left alone, who parks it hands it over, and the name is typed."""

from __future__ import annotations

import dataclasses

from lazarus_tui import snapshots
from lazarus_tui.engine.adoption import capsules
from lazarus_tui.engine.runner import Runner
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.snapshots.names import FENCE, annotation, capsule_name
from tests.engine.world import Engine
from tests.snapshots.stage import NAME, Stage, StageEngine, staged
from tests.snapshots.test_inplace import all_say, clean, prepared


async def colleague(stage: Stage) -> Engine:
    """An engine of another host, beside the first one."""
    stage.folder = stage.folder / "other"
    stage.folder.mkdir(mode=0o700)
    stage.engine = await StageEngine.start(stage, tuple(snapshots.OPERATIONS))  # type: ignore[arg-type]
    stage.engine.around = dataclasses.replace(stage.engine.around, holder="other-host/1")
    stage.engine.runner = Runner(stage.engine.registry, stage.engine.around)
    return stage.engine


async def adopted(engine: Engine) -> Operation:
    [capsule] = await engine.passing(capsules(engine.cluster))
    found = await engine.passing(engine.runner.adopt(capsule, "lab"))
    assert found is not None
    return found


async def begun(stage: Stage, engine: Engine) -> Operation:
    """A restore that waits at 0 replicas for a safety snapshot."""
    plan = await stage.plan(engine)
    stage.cluster.driver.faults.stuck = True
    operation = await engine.passing(engine.runner.start(plan, plan.digest(), plan.target))
    await stage.until(lambda: stage.workload()["spec"]["replicas"] == 0 and not stage.pods(), "it is at 0")
    return operation


def fences(stage: Stage, op: str) -> tuple[str, str]:
    return annotation(stage.get(CONFIGMAPS, capsule_name(op)), FENCE), annotation(stage.workload(), FENCE)


async def test_a_living_holder_is_left_alone() -> None:
    async with staged(replicas=1) as (stage, first):
        await prepared(stage)
        operation = await begun(stage, first)
        second = await colleague(stage)
        found = await adopted(second)
        assert "begun by another Lazarus" in found.foreign
        await second.passing(second.runner.resume(found.id, found.target))
        refused = await second.finish(found.id)
        assert refused.state is OpState.PARKED
        assert "lab-engine works on the same target" in refused.message
        assert fences(stage, operation.id) == ("0", "0"), "nothing was written"
        stage.engine = first
        stage.cluster.driver.faults.stuck = False
        stage.cluster.driver.faults.fails = "mended: the stuck ones are given up"
        await first.passing(first.runner.park(operation.id))
        await first.finish(operation.id)
        await second.close()


async def test_who_parks_hands_over_and_the_other_goes_on_at_once() -> None:
    async with staged(replicas=1) as (stage, first):
        await prepared(stage)
        operation = await begun(stage, first)
        await first.passing(first.runner.park(operation.id))
        parked = await first.finish(operation.id)
        assert (parked.state, parked.foreign) == (OpState.PARKED, "")
        second = await colleague(stage)
        found = await adopted(second)
        await second.passing(second.runner.undo(found.id, found.target))
        done = await second.finish(found.id)
        assert done.state is OpState.UNDONE, done.message
        assert all_say(stage, "after")
        assert clean(stage)
        assert not [line for line in second.lines if "holds the lease" in line.text], "it was let go: nobody waits"
        events = await second.passing(second.journal.events(found.id, "gate.intent"))
        told = [event.body["name"] for event in events if event.body["expect"] == "fence 1"]
        assert told == [capsule_name(found.id), NAME], "first of all the fence, the capsule before the beacon"
        stage.engine, sent = first, len(stage.sent)
        await first.passing(first.runner.resume(operation.id))
        late = await first.finish(operation.id)
        assert late.state is OpState.PARKED, "it would have stopped the workload again"
        assert "finished or taken back by somebody else" in late.message
        assert stage.sent[sent:] == []
        await second.close()
