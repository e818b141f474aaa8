"""Sets go whole and by a rule; what is left on storage is counted."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.operation import OpState
from lazarus_tui.model.plan import Plan, PlanRefused
from lazarus_tui.model.resources import CONFIGMAPS, STATEFULSETS
from lazarus_tui.model.sets import HOLD
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from lazarus_tui.snapshots.names import CLOSED
from tests.engine.world import Engine
from tests.snapshots.stage import NAME, SPACE, Stage, staged
from tests.snapshots.test_taking import take


async def plan(stage: Stage, engine: Engine, **params: Any) -> Plan:
    wanted = {"namespace": SPACE, "statefulset": NAME, **params}
    return await engine.passing(engine.registry.plan("snapshots.prune", engine.cluster, wanted, stage.clock))


async def five(stage: Stage, engine: Engine) -> None:
    for number in range(1, 6):
        done = await take(stage, engine, name=f"s{number}", together="each")
        assert done.state is OpState.DONE
        await stage.clock.advance(60)


async def test_two_stay_three_go_and_storage_has_no_more_than_theirs() -> None:
    async with staged(replicas=2) as (stage, engine):
        await five(stage, engine)
        wanted = await plan(stage, engine, keep_last=2)
        verbs = {effect.what: effect.verb for effect in wanted.effects}
        assert verbs == {"set s5": "skip", "set s4": "skip", "set s3": "delete", "set s2": "delete", "set s1": "delete"}
        done = await engine.run(wanted, wanted.target)
        assert (done.state, done.message) == (OpState.DONE, "")
        assert [found.id for found in stage.sets()] == ["s5", "s4"]
        assert all(found.usable for found in stage.sets())
        assert len(stage.api.list(CONTENTS)) == 4
        assert len(list(stage.cluster.driver.storage.handles())) == 4


async def test_a_hold_and_an_incomplete_newest_one_protect_what_is_good() -> None:
    async with staged(replicas=2) as (stage, engine):
        await five(stage, engine)
        stage.api.patch(SNAPSHOTS, "s1-data-db-0", {"metadata": {"annotations": {HOLD: "audit 2026"}}}, SPACE)
        stage.api.delete(SNAPSHOTS, "s5-data-db-1", SPACE)
        await stage.until(lambda: stage.get(SNAPSHOTS, "s5-data-db-1") is None, "the member is gone")
        wanted = await plan(stage, engine, keep_last=1)
        reasons = {effect.what: effect.detail for effect in wanted.effects if effect.verb == "skip"}
        assert sorted(reasons) == ["set s1", "set s4", "set s5"]
        assert "legal hold: audit 2026" in reasons["set s1"]
        assert "newest good point" in reasons["set s4"]


async def test_while_an_operation_works_on_it_nothing_goes() -> None:
    async with staged(replicas=1) as (stage, engine):
        await five(stage, engine)
        stage.api.patch(STATEFULSETS, NAME, {"metadata": {"annotations": {"lazarus.io/op": "deadbeef"}}}, SPACE)
        with pytest.raises(PlanRefused, match="operation deadbeef works on it") as refused:
            await plan(stage, engine, keep_last=1)
        assert [line.split(":")[0] for line in refused.value.details] == [f"set s{n}" for n in (5, 4, 3, 2, 1)]
        assert all("operation deadbeef works on it" in line for line in refused.value.details)


async def test_when_nothing_goes_each_set_says_why_it_stays() -> None:
    async with staged(replicas=1) as (stage, engine):
        with pytest.raises(PlanRefused, match="there are no sets of it"):
            await plan(stage, engine, keep_last=1)
        await stage.cut("good")
        stage.api.patch(SNAPSHOTS, "good-data-db-0", {"metadata": {"annotations": {HOLD: "audit 2026"}}}, SPACE)
        await stage.clock.advance(60)
        await stage.cut("newer")
        with pytest.raises(PlanRefused, match="every set is kept by a rule") as refused:
            await plan(stage, engine, keep_last=1)
        newer, good = refused.value.details
        assert newer.startswith("set newer: taken 20")
        assert "newest good point" in newer
        assert good.startswith("set good: taken 20")
        assert good.endswith("legal hold: audit 2026")


@pytest.mark.parametrize(
    ("params", "words"),
    [({}, "nothing says what to keep"), ({"keep_last": -1}, "cannot be -1"), ({"keep_within": "soon"}, "soon")],
)
async def test_numbers_that_say_nothing_are_refused(params: dict[str, Any], words: str) -> None:
    async with staged(replicas=1) as (stage, engine):
        with pytest.raises(PlanRefused, match=words):
            await plan(stage, engine, **params)


async def test_safety_sets_stay_as_long_as_their_restore_can_be_undone() -> None:
    async with staged(replicas=1) as (stage, engine):
        await five(stage, engine)
        restored = await stage.restore(engine)
        wanted = await plan(stage, engine, keep_last=1)
        kept = {effect.what: effect.detail for effect in wanted.effects if effect.verb == "skip"}
        assert "can be undone for 7 days" in kept[f"set before-{restored.id[:8]}"]
        capsule = f"lazarus-capsule-{restored.id[:8]}"
        long_ago = {"metadata": {"annotations": {CLOSED: "2025-12-20T00:00:00Z"}}}
        stage.api.patch(CONFIGMAPS, capsule, long_ago, SPACE)
        wanted = await plan(stage, engine, keep_last=1)
        assert f"set before-{restored.id[:8]}" in {e.what for e in wanted.effects if e.verb == "delete"}
