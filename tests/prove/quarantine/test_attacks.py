"""What goes wrong while a quarantine is removed: names that come back, APIs that go, two who clean at the same time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.resources import CLAIMS, NAMESPACES, PODS, STATEFULSETS, VOLUMES
from lazarus_tui.model.snapshots import SNAPSHOTS
from lazarus_tui.prove.quarantine import names
from lazarus_tui.prove.quarantine.janitor import State, standing
from lazarus_tui.prove.quarantine.sweep import held_by, sweep
from tests.prove.quarantine.grounds import OP, QUARANTINE, grounds
from tests.prove.quarantine.test_janitor import House, kept, over
from tests.prove.quarantine.test_strange_volumes import strange
from tests.velero.lab import Lab, World

WANTED = names.quarantine({"op": OP})
OURS = {"labels": {names.OPERATION: OP, names.QUARANTINE: "true"}}


@pytest.mark.parametrize("labels", [{}, OURS["labels"]])
async def test_a_namespace_of_the_same_name_that_somebody_made_meanwhile_is_not_touched(labels: dict[str, str]) -> None:
    """Ours was deleted by a person while its pods were going; somebody's stands in its place, with the same objects."""
    lab = Lab(World())
    lab.world.put(NAMESPACES, QUARANTINE, "", metadata=OURS)
    lab.world.put(STATEFULSETS, "db", QUARANTINE)

    def replaced(write: Any) -> None:
        if write.resource is STATEFULSETS:
            lab.world.put(NAMESPACES, QUARANTINE, "", metadata={"labels": labels})
            for kind, name in ((PODS, "db-0"), (CLAIMS, "data-db-0"), (SNAPSHOTS, "cut")):
                lab.world.put(kind, name, QUARANTINE)

    lab.world.after_write = replaced
    await sweep(lab, WANTED)  # type: ignore[arg-type]
    touched = {one.resource for one in lab.world.writes if one.resource in (PODS, CLAIMS, SNAPSHOTS)}
    assert touched == set()
    assert (("delete", QUARANTINE) in [(one.verb, one.name) for one in lab.world.writes]) is bool(labels)


async def test_two_who_clean_at_the_same_time_do_each_others_work() -> None:
    world = World()
    first, second = Lab(world), Lab(world)
    strange(first, persistentVolumeReclaimPolicy="Delete")["metadata"]["annotations"] = {
        "pv.kubernetes.io/provisioned-by": "d"
    }
    world.put(STATEFULSETS, "db", QUARANTINE)
    ended = world.after_write

    def driver(write: Any) -> None:
        ended(write)
        if write.resource is CLAIMS and ("persistentvolumes", "", "static") in world.objects:
            world.drop(VOLUMES, "static")

    world.after_write = driver
    assert await asyncio.gather(sweep(first, WANTED), sweep(second, WANTED)) == [[], []]  # type: ignore[arg-type]
    assert {
        key for key in world.objects if key[1] == QUARANTINE or key[0] in ("namespaces", "persistentvolumes")
    } == set()


async def test_two_janitors_begin_one_removal() -> None:
    async with grounds() as ground:
        before = ground.everything()
        house = await kept(ground)
        other = House(ground)
        over(ground)
        looks = (one.sweeping.look(house.engine.cluster, "lab") for one in (house, other))
        await house.engine.passing(asyncio.gather(*looks))
        for operation in house.engine.runner.open:
            await house.engine.finish(operation.id)
        assert {one.state for one in await house.removals()} == {OpState.DONE}
        assert ground.everything() == before
        assert await house.look() == []


@pytest.mark.parametrize("gone", [{"volumesnapshots", "volumesnapshotcontents"}, {"cronjobs", "jobs"}])
async def test_a_kind_whose_definition_went_away_keeps_nothing(gone: set[str]) -> None:
    lab = Lab(World())
    lab.world.put(NAMESPACES, QUARANTINE, "", metadata=OURS)
    lab.world.not_served = gone
    assert await sweep(lab, WANTED) == []  # type: ignore[arg-type]
    assert [(one.verb, one.name) for one in lab.world.writes] == [("delete", QUARANTINE)]


def condition(kind: str, message: str, status: str = "True") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": "x", "message": message}


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([condition("NamespaceDeletionDiscoveryFailure", "metrics.k8s.io/v1beta1: stale GroupVersion discovery")],
         "metrics.k8s.io/v1beta1: stale GroupVersion discovery"),
        ([condition("NamespaceDeletionContentFailure", "forbidden"), condition("NamespaceFinalizersRemaining", "kept")],
         "kept; forbidden"),
        ([condition("NamespaceFinalizersRemaining", "was", "False")], "being deleted, held by kubernetes"),
    ],
)  # fmt: skip
def test_a_namespace_that_does_not_go_says_what_the_api_server_cannot_do(conditions: Any, words: str) -> None:
    meta = {"name": QUARANTINE, "deletionTimestamp": "2026-06-01T12:00:00Z"}
    found = {"metadata": meta, "spec": {"finalizers": ["kubernetes"]}, "status": {"conditions": conditions}}
    assert held_by(found) == words


async def test_who_may_not_list_volumes_still_finds_what_is_due() -> None:
    class Guarded(World):
        async def list(self, resource: Any, *args: Any, label_selector: str = "", **more: Any) -> Any:
            if resource is VOLUMES:
                raise Forbidden("no", status=403)
            return await super().list(resource, *args, label_selector=label_selector, **more)

    world = Guarded()
    world.put(NAMESPACES, QUARANTINE, "", metadata=OURS)

    async def nobody(prefix: str) -> list[Any]:
        return []

    (one,) = await standing(world, datetime(2030, 1, 1, tzinfo=UTC), nobody)
    assert (one.name, one.state) == (QUARANTINE, State.ORPHAN)
