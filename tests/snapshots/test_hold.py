"""A set on legal hold outlives every rule until somebody gives a reason to let it go."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Danger, PlanRefused
from lazarus_tui.model.sets import HOLD
from lazarus_tui.model.snapshots import SNAPSHOTS
from tests.engine.world import Engine
from tests.snapshots.stage import NAME, SPACE, Stage, merged, staged
from tests.snapshots.test_prune import plan as prune
from tests.snapshots.test_taking import take


async def change(stage: Stage, engine: Engine, kind: str, **params: Any) -> Operation:
    plan = await engine.passing(engine.registry.plan(kind, engine.cluster, params, stage.clock))
    assert plan.danger is (Danger.SAFE if kind == "snapshots.hold" else Danger.CHANGES)
    return await engine.run(plan, plan.target)


async def test_a_hold_is_on_every_member_and_beats_every_rule() -> None:
    async with staged(replicas=2) as (stage, engine):
        for name in ("s1", "s2", "s3"):
            await take(stage, engine, name=name, together="each")
            await stage.clock.advance(60)
        done = await change(stage, engine, "snapshots.hold", set="s1", reason="case  4711")
        assert (done.state, done.message) == (OpState.DONE, "")
        marks = [merged(one, "metadata", "annotations", HOLD) for one in stage.api.list(SNAPSHOTS, SPACE)]
        assert sorted(map(str, marks)) == ["None"] * 4 + ["case 4711"] * 2
        with pytest.raises(PlanRefused, match="on hold already: case 4711"):
            await change(stage, engine, "snapshots.hold", set="s1", reason="another")
        wanted = await prune(stage, engine, keep_last=1)
        assert [e.what for e in wanted.effects if e.verb == "delete"] == ["set s2"]
        with pytest.raises(PlanRefused, match="for a reason"):
            await change(stage, engine, "snapshots.unhold", set="s1", reason=" ")
        await change(stage, engine, "snapshots.unhold", set="s1", namespace=SPACE, reason="case closed")
        wanted = await prune(stage, engine, keep_last=1)
        assert [e.what for e in wanted.effects if e.verb == "delete"] == ["set s2", "set s1"]


async def test_a_hold_between_plan_and_prune_stops_the_prune() -> None:
    async with staged(replicas=1) as (stage, engine):
        for name in ("s1", "s2"):
            await take(stage, engine, name=name)
            await stage.clock.advance(60)
        wanted = await prune(stage, engine, keep_last=1)
        await change(stage, engine, "snapshots.hold", set="s1", reason="case 4711")
        done = await engine.run(wanted, wanted.target)
        assert done.state is not OpState.DONE
        assert "legal hold" in done.message
        assert [found.id for found in stage.sets()] == ["s2", "s1"]


async def test_only_the_sets_of_one_policy_are_pruned_by_it() -> None:
    async with staged(replicas=1) as (stage, engine):
        for name in ("s1", "s2", "s3"):
            await take(stage, engine, name=name, schedule="hourly" if name != "s2" else "daily")
            await stage.clock.advance(60)
        wanted = await prune(stage, engine, keep_last=1, schedule="hourly")
        assert [(e.verb, e.what) for e in wanted.effects] == [("skip", "set s3"), ("delete", "set s1")]
        assert wanted.target == f"{SPACE}/{NAME}"
