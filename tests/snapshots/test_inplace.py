"""A StatefulSet goes back to a set in place, and back again: judged by the bytes in its volumes."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.operation import Operation, OpState, StepState
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, STATEFULSETS, VOLUMES
from lazarus_tui.model.snapshots import SNAPSHOTS
from lazarus_tui.snapshots.names import BEACON
from tests.engine.world import Engine
from tests.snapshots.stage import NAME, SPACE, Stage, staged


def volumes(stage: Stage) -> dict[str, str]:
    return {claim: stage.claim(claim)["spec"]["volumeName"] for claim in stage.data()}


def all_say(stage: Stage, word: str) -> bool:
    return stage.data() == {claim: f"{word} {claim}" for claim in stage.data()}


def clean(stage: Stage) -> bool:
    """No beacon, and the wanted replicas are back."""
    marks = stage.workload()["metadata"].get("annotations") or {}
    return not set(BEACON) & set(marks)


async def undo(engine: Engine, operation: Operation) -> Operation:
    await engine.passing(engine.runner.undo(operation.id, operation.target))
    return await engine.finish(operation.id)


async def prepared(stage: Stage) -> dict[str, str]:
    """Data in set s1 says "before", what runs says "after"; returns the volumes by claim."""
    stage.write("before")
    await stage.cut("s1")
    stage.write("after")
    return volumes(stage)


@pytest.mark.parametrize("storage", ["standard", "immediate"])
async def test_it_goes_back_to_the_set_and_undo_brings_the_old_volumes_again(storage: str) -> None:
    async with staged(replicas=3, templates=("data", "wal"), storage=storage) as (stage, engine):
        old = await prepared(stage)
        done = await stage.restore(engine)
        assert (done.state, done.message, done.exit_code, done.can_undo) == (OpState.DONE, "", 0, True)
        assert all_say(stage, "before")
        assert stage.ready() == 3
        assert clean(stage)
        assert set(old.values()).isdisjoint(volumes(stage).values())
        kept = [stage.get(VOLUMES, name) for name in old.values()]
        assert all(volume and volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain" for volume in kept)
        undone = await undo(engine, done)
        assert undone.state is OpState.UNDONE, undone.message
        assert all_say(stage, "after")
        assert volumes(stage) == old
        assert clean(stage)
        await stage.until(lambda: stage.ready() == 3, "all replicas are back")
        policies = {stage.get(VOLUMES, name)["spec"]["persistentVolumeReclaimPolicy"] for name in old.values()}  # type: ignore[index]
        assert policies == {"Delete"}
        marks = {key for name in old.values() for key in stage.get(VOLUMES, name)["metadata"].get("annotations") or {}}  # type: ignore[index]
        assert not [key for key in marks if key.startswith("lazarus.io/")], (
            "an undone restore leaves no mark on a volume"
        )
        assert stage.get(CONFIGMAPS, f"lazarus-capsule-{done.id[:8]}") is None


async def test_labels_and_annotations_of_the_claims_live_on() -> None:
    async with staged(replicas=1) as (stage, engine):
        await prepared(stage)
        stage.api.patch(
            CLAIMS, "data-db-0", {"metadata": {"annotations": {"team": "shop"}, "labels": {"x": "y"}}}, SPACE
        )
        before = stage.claim("data-db-0")["metadata"]
        await stage.restore(engine)
        after = stage.claim("data-db-0")["metadata"]
        assert after["uid"] != before["uid"]
        assert after["labels"] == before["labels"]
        assert after["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        assert after["annotations"]["team"] == "shop"
        assert after["annotations"]["lazarus.io/restored-from"] == "s1/s1-data-db-0"


async def test_one_replica_alone_leaves_the_others_untouched() -> None:
    async with staged(replicas=3) as (stage, engine):
        old = await prepared(stage)
        done = await stage.restore(engine, ordinal=1)
        assert done.state is OpState.DONE, done.message
        assert stage.data() == {
            "data-db-0": "after data-db-0", "data-db-1": "before data-db-1", "data-db-2": "after data-db-2",
        }  # fmt: skip
        now = volumes(stage)
        assert [claim for claim in old if now[claim] != old[claim]] == ["data-db-1"]


async def test_a_policy_that_deletes_with_the_pods_is_made_safe_and_given_back() -> None:
    policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    async with staged(replicas=2, persistentVolumeClaimRetentionPolicy=policy) as (stage, engine):
        old = await prepared(stage)
        done = await stage.restore(engine)
        assert done.state is OpState.DONE, done.message
        assert all_say(stage, "before")
        assert stage.workload()["spec"]["persistentVolumeClaimRetentionPolicy"] == policy
        undone = await undo(engine, done)
        assert undone.state is OpState.UNDONE, undone.message
        assert volumes(stage) == old
        assert stage.workload()["spec"]["persistentVolumeClaimRetentionPolicy"] == policy


async def test_a_safety_snapshot_that_fails_ends_it_before_any_harm() -> None:
    async with staged(replicas=2) as (stage, engine):
        old = await prepared(stage)
        plan = await stage.plan(engine)
        stage.cluster.driver.faults.fails = "no space left on the array"
        failed = await engine.run(plan, plan.target)
        assert failed.state is OpState.UNDONE
        assert "no space left on the array" in failed.message
        assert volumes(stage) == old
        assert all_say(stage, "after")
        assert clean(stage)
        await stage.until(lambda: stage.ready() == 2, "all replicas are back")


async def test_who_scales_it_up_in_the_middle_is_seen_and_nothing_goes_on() -> None:
    async with staged(replicas=2) as (stage, engine):
        await prepared(stage)
        plan = await stage.plan(engine)
        meddled = []

        async def meddle(request: Any) -> None:
            if request.method == "DELETE" and "/persistentvolumeclaims/" in request.path and not meddled:
                meddled.append(request.path)
                stage.api.patch(STATEFULSETS, NAME, {"spec": {"replicas": 2}}, SPACE)

        engine.wire.before = meddle  # type: ignore[attr-defined]
        parked = await engine.run(plan, plan.target)
        assert meddled
        assert parked.state is OpState.PARKED
        assert "scaled prod/db to 2" in parked.message
        assert parked.can_undo
        stage.api.patch(STATEFULSETS, NAME, {"spec": {"replicas": 0}}, SPACE)
        await stage.until(lambda: not stage.pods(), "the pods are gone")


async def test_a_start_that_stays_unhealthy_asks_and_undo_brings_the_old_data() -> None:
    async with staged(replicas=2) as (stage, engine):
        old = await prepared(stage)
        plan = await stage.plan(engine)
        good = stage.workload()["spec"]["template"]["spec"]["containers"]
        broken = [{**good[0], "image": "registry.invalid/none:1"}]

        async def spoil(request: Any) -> None:
            if request.method == "POST" and request.path.endswith("/persistentvolumeclaims"):
                template = {"template": {"spec": {"containers": broken}}}
                stage.api.patch(STATEFULSETS, NAME, {"spec": template}, SPACE)

        engine.wire.before = spoil
        parked = await engine.run(plan, plan.target)
        assert parked.state is OpState.PARKED
        assert "0 of 1 ready" in parked.message
        assert set(old.values()) <= stage.handles()
        engine.wire.before = None
        stage.api.patch(STATEFULSETS, NAME, {"spec": {"template": {"spec": {"containers": good}}}}, SPACE)
        undone = await undo(engine, parked)
        assert undone.state is OpState.UNDONE, undone.message
        assert volumes(stage) == old
        await stage.until(lambda: stage.ready() == 2, "all replicas are back")
        assert all_say(stage, "after")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"statefulset": "nothing"}, "there is no StatefulSet prod/nothing"),
        ({"set": "nothing"}, "there is no snapshot set nothing"),
        ({"ordinal": 7}, "replica 7 does not belong"),
        ({"replicas": 5}, "has 2 replicas, not 5"),
        ({"class": "nothing"}, "there is no snapshot class nothing"),
    ],
)
async def test_what_cannot_be_done_is_refused_before_anything_is_touched(change: dict[str, Any], words: str) -> None:
    async with staged(replicas=2) as (stage, engine):
        await prepared(stage)
        before = stage.workload()
        with pytest.raises(PlanRefused, match=words):
            await stage.plan(engine, **change)
        assert stage.workload() == before


async def test_an_incomplete_set_is_no_point_to_go_back_to() -> None:
    async with staged(replicas=2) as (stage, engine):
        await prepared(stage)
        stage.api.delete(SNAPSHOTS, "s1-data-db-1", SPACE)
        await stage.until(lambda: stage.get(SNAPSHOTS, "s1-data-db-1") is None, "the member is gone")
        with pytest.raises(PlanRefused, match="data-db-1 has no snapshot"):
            await stage.plan(engine, set="s1")
        with pytest.raises(PlanRefused, match="no snapshot set of it can be used"):
            await stage.plan(engine)


async def test_two_operations_never_work_on_one_set() -> None:
    async with staged(replicas=1) as (stage, engine):
        await prepared(stage)
        beacon = {
            "metadata": {"annotations": {"lazarus.io/op": "deadbeef", "lazarus.io/since": "2026-01-01T00:00:00Z"}}
        }
        plan = await stage.plan(engine)
        stage.api.patch(STATEFULSETS, NAME, beacon, SPACE)
        with pytest.raises(PlanRefused, match="operation deadbeef works on prod/db since 2026-01-01"):
            await stage.plan(engine)
        parked = await engine.run(plan, plan.target)
        assert parked.state is OpState.PARKED
        assert "deadbeef" in parked.message
        assert {step.state for step in parked.steps[2:]} == {StepState.PLANNED}
