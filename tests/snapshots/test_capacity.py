"""Room on storage is asked for before a restore where its driver says it, and is unknown where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import STORAGECLASSES
from lazarus_tui.snapshots.capacity import CAPACITIES, DRIVERS, Need, check_capacity
from tests.engine.world import World, laboratory
from tests.snapshots.stage import staged

DRIVER = "local.example.com"
TWO = [Need("data-db-0", "fast", "10Gi"), Need("data-db-1", "fast", "20Gi")]


def publish(world: World, *segments: dict[str, str], mode: str = "WaitForFirstConsumer", says: bool = True) -> None:
    world.api.create(DRIVERS, {"metadata": {"name": DRIVER}, "spec": {"storageCapacity": says}})
    world.api.create(STORAGECLASSES, {"metadata": {"name": "fast"}, "provisioner": DRIVER, "volumeBindingMode": mode})
    for n, segment in enumerate(segments):
        body = {"metadata": {"name": f"c{n}", "namespace": "shop"}, "storageClassName": "fast", **segment}
        world.api.create(CAPACITIES, body, "shop")


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ([{"capacity": "30Gi"}], "fast 30.0 GiB"),
        ([{"capacity": "15Gi"}, {"capacity": "20Gi"}], "fast 35.0 GiB"),
        ([{"capacity": "5Gi", "maximumVolumeSize": "20Gi"}, {"capacity": "25Gi"}], "fast 30.0 GiB"),
        ([{"maximumVolumeSize": "20Gi"}], "fast unknown"),
    ],
)
async def test_what_fits_is_said(segments: list[dict[str, str]], words: str) -> None:
    async with laboratory() as (world, engine):
        publish(world, *segments)
        found = await engine.passing(check_capacity(engine.cluster, TWO))
        assert (found.words, found.warnings) == (words, ())


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ([{"capacity": "15Gi"}, {"capacity": "19Gi"}], "nowhere is room for one volume of 20.0 GiB (data-db-1)"),
        ([{"capacity": "90Gi", "maximumVolumeSize": "19Gi"}], "nowhere is room for one volume"),
        ([{"capacity": "29Gi"}], "30.0 GiB are needed and 29.0 GiB are free"),
        ([], "no room is published for storage class fast"),
    ],
)
async def test_what_could_not_be_placed_refuses_and_is_told_where_volumes_bind_at_once(
    segments: list[dict[str, str]], words: str
) -> None:
    async with laboratory() as (world, engine):
        publish(world, *segments)
        with pytest.raises(PlanRefused) as refused:
            await engine.passing(check_capacity(engine.cluster, TWO))
        assert words in refused.value.what
    async with laboratory() as (world, engine):
        publish(world, *segments, mode="Immediate")
        [warning] = (await engine.passing(check_capacity(engine.cluster, TWO))).warnings
        assert words in warning


async def test_a_driver_that_does_not_say_is_unknown_and_never_full() -> None:
    async with laboratory() as (world, engine):
        publish(world, {"capacity": "1Gi"}, says=False)
        found: Any = await engine.passing(check_capacity(engine.cluster, TWO))
        assert (found.words, found.warnings) == (f"fast unknown ({DRIVER} does not say)", ())


async def test_the_plan_of_a_restore_says_what_is_free() -> None:
    async with staged(replicas=1) as (stage, engine):
        await stage.cut("good")
        details = [effect.detail for effect in (await stage.plan(engine)).effects if effect.what == "1 volume"]
        assert details == [
            "64.0 MiB in all, beside the old ones until their release; "
            "free: standard unknown (directory.lazarus.dev does not say)"
        ]
