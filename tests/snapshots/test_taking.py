"""Snapshot sets are taken whole, kept when their namespace goes, or leave nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import CLAIMS, NAMESPACES, STATEFULSETS
from lazarus_tui.model.sets import SetState
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from tests.engine.world import Engine
from tests.snapshots.stage import NAME, SPACE, Stage, staged


async def take(stage: Stage, engine: Engine, **params: Any) -> Operation:
    wanted = {"namespace": SPACE, "statefulset": NAME, **params}
    plan = await engine.passing(engine.registry.plan("snapshots.create", engine.cluster, wanted, stage.clock))
    return await engine.run(plan)


@pytest.mark.parametrize("together", ["group", "each"])
async def test_all_claims_of_all_replicas_make_one_usable_set(together: str) -> None:
    async with staged(replicas=3, templates=("data", "wal")) as (stage, engine):
        stage.write("before")
        done = await take(stage, engine, name="nightly", together=together)
        assert (done.state, done.message) == (OpState.DONE, "")
        [found] = stage.sets()
        assert (found.id, found.usable, found.about.method) == ("nightly", True, together)
        assert sorted(found.members) == sorted(stage.data())
        assert all(one.retained and one.handle for one in found.members.values())
        assert done.facts["set.skew"] == found.skew
        assert sorted(done.facts["set.handles"]) == sorted(stage.data())


@pytest.mark.parametrize("together", ["group", "each"])
async def test_the_set_brings_the_data_back(together: str) -> None:
    async with staged(replicas=2) as (stage, engine):
        stage.write("before")
        await take(stage, engine, name="nightly", together=together)
        stage.write("after")
        restored = await stage.restore(engine, set="nightly")
        assert restored.state is OpState.DONE, restored.message
        assert stage.data() == {claim: f"before {claim}" for claim in stage.data()}


async def test_the_namespace_goes_and_the_data_stays_on_storage() -> None:
    async with staged(replicas=2) as (stage, engine):
        done = await take(stage, engine)
        handles = set(done.facts["set.handles"].values())
        stage.api.delete(NAMESPACES, SPACE)
        await stage.until(lambda: stage.api.get(NAMESPACES, SPACE) is None, "the namespace is gone")
        kept = {content["status"]["snapshotHandle"] for content in stage.api.list(CONTENTS)}
        assert handles == kept
        assert handles <= set(stage.cluster.driver.storage.handles())


@pytest.mark.parametrize("together", ["group", "each"])
async def test_a_cut_that_fails_leaves_nothing_behind(together: str) -> None:
    async with staged(replicas=2) as (stage, engine):
        stage.cluster.driver.faults.fails = "array is full"
        failed = await take(stage, engine, together=together)
        assert failed.state is OpState.UNDONE
        assert "array is full" in failed.message
        stage.cluster.driver.faults.fails = ""
        await stage.until(lambda: not stage.api.list(SNAPSHOTS, SPACE), "no snapshot is left")
        await stage.until(lambda: not stage.api.list(CONTENTS), "no content is left")
        assert list(stage.cluster.driver.storage.handles()) == []


async def test_one_that_never_gets_ready_waits_for_a_person_and_is_no_usable_set() -> None:
    async with staged(replicas=2) as (stage, engine):
        stage.cluster.driver.faults.stuck = True
        parked = await take(stage, engine)
        assert parked.state is OpState.PARKED
        assert "is not ready yet" in parked.message
        [found] = stage.sets()
        assert (found.usable, found.state) == (False, SetState.TAKING)
        stage.cluster.driver.faults.stuck = False
        await engine.passing(engine.runner.resume(parked.id))
        done = await engine.finish(parked.id)
        assert done.state is OpState.DONE
        assert stage.sets()[0].usable


async def test_two_volumes_that_a_group_would_not_hit_exactly_are_cut_one_by_one_and_it_is_said() -> None:
    async with staged(replicas=2) as (stage, engine):
        stray = dict(stage.claim("data-db-0"))
        body = {"metadata": {"name": "clone", "labels": stray["metadata"]["labels"]}, "spec": {
            key: stray["spec"][key] for key in ("accessModes", "storageClassName", "resources")}}  # fmt: skip
        stage.api.create(CLAIMS, body, SPACE)
        wanted = {"namespace": SPACE, "statefulset": NAME}
        plan = await engine.passing(engine.registry.plan("snapshots.create", engine.cluster, wanted, stage.clock))
        assert plan.warnings == (
            "cut one by one, so not at one instant: the labels of its claims do not select exactly them (clone)",
        )
        with pytest.raises(PlanRefused, match="cannot be cut together"):
            await take(stage, engine, together="group")


async def test_what_cannot_be_taken_is_refused() -> None:
    async with staged(replicas=1) as (stage, engine):
        await take(stage, engine, name="s1")
        for change, words in (
            ({"statefulset": "none"}, "there is no StatefulSet"),
            ({"name": "s1"}, "there is a snapshot set s1 already"),
            ({"name": "x" * 64}, "too long"),
            ({"class": "none"}, "there is no snapshot class none"),
        ):
            with pytest.raises(PlanRefused, match=words):
                await take(stage, engine, **change)
        stage.api.patch(STATEFULSETS, NAME, {"spec": {"replicas": 0}}, SPACE)
        with pytest.raises(PlanRefused, match="is at 0 replicas"):
            await take(stage, engine)


@pytest.mark.parametrize("name", ["Bad Name!", "a\x1b[31mx", "-a", "a.", "a..b", "ä", "a/b", "a" * 64])
async def test_a_name_that_no_snapshot_can_have_is_refused_before_anything_is_frozen(name: str) -> None:
    async with staged(replicas=1) as (stage, engine):
        wanted = {"namespace": SPACE, "statefulset": NAME, "name": name}
        with pytest.raises(PlanRefused, match=r"cannot be the name of a snapshot|too long"):
            await engine.passing(engine.registry.plan("snapshots.create", engine.cluster, wanted, stage.clock))
