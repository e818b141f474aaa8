"""The mirror: kinds fail alone, data stays with its age, and the Overview is not computed more than once a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest

from lazarus_tui.engine.hub import Hub
from lazarus_tui.engine.mirror import LOOK_AGAIN, NO_SNAPSHOTS, NO_VELERO, SOURCES, Mirror, Sight
from lazarus_tui.kube.errors import Forbidden, NotFound, Unreachable
from lazarus_tui.kube.watch import Batch
from lazarus_tui.model import resources as r
from lazarus_tui.model.objects import Backup, Claim, VolumeCopy, Workload
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS, Snapshot
from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.fakes import ScriptedFollow, look, meta


async def at_once(work: Callable[[], Any]) -> Any:
    """Instead of a thread, which would not know of virtual time."""
    return work()


class Scene:
    """A mirror on scripted watches, with what it told."""

    def __init__(self, **options: Any) -> None:
        self.clock = VirtualClock()
        self.hub = Hub(self.clock)
        self.follow = ScriptedFollow()
        self.heard: list[str] = []
        self.sights: list[Sight] = []
        self.break_overview = False
        self.mirror = Mirror(
            self.hub,
            self.clock,
            None,  # type: ignore[arg-type]
            "prod",
            **{"velero": "velero", "aside": at_once, **options},
            follow=self.follow,
            overview=lambda sight: lambda: list(self.overview(sight)),
            heard=lambda reason, hint: self.heard.append(reason),
        )
        self.task = asyncio.create_task(self.mirror.run())

    def overview(self, sight: Sight) -> Iterable[WorkloadRow]:
        if self.break_overview:
            raise RuntimeError("a defect")
        self.sights.append(sight)
        for w in sight.workloads:
            yield WorkloadRow(
                namespace=w.metadata.namespace, kind=w.kind, name=w.metadata.name, ready=0, desired=w.desired
            )

    async def settle(self, seconds: float = 0.2) -> None:
        await self.clock.advance(seconds)

    def answer_all(self) -> None:
        for source in SOURCES:
            self.follow.put(source.resource, Batch("snapshot"))

    async def state(self, topic: str) -> tuple[str, str]:
        update, _ = await look(self.hub, f"{topic}/prod")
        return update.state, update.reason

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.hub.stop()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.settle()
    yield scene
    await scene.close()


def backup(name: str) -> Backup:
    return Backup(metadata=meta(name))


async def test_the_first_page_is_shown_while_the_rest_comes(scene: Scene) -> None:
    scene.follow.put(r.BACKUPS, Batch("snapshot", [backup("a")], complete=False))
    await scene.settle()
    update, records = await look(scene.hub, "backups/prod")
    assert (update.state, list(records)) == ("loading", ["a"])
    scene.follow.put(r.BACKUPS, Batch("snapshot", [backup("b")], ["velero/gone"]))
    await scene.settle()
    update, records = await look(scene.hub, "backups/prod")
    assert (update.state, sorted(records)) == ("ready", ["a", "b"])
    assert update.as_of.startswith("2026-01-01T00:00:0")


async def test_changes_and_removals_arrive(scene: Scene) -> None:
    scene.follow.put(r.BACKUPS, Batch("snapshot", [backup("a"), backup("b")]))
    scene.follow.put(r.BACKUPS, Batch("events", [backup("c")], ["velero/a"]))
    await scene.settle()
    _, records = await look(scene.hub, "backups/prod")
    assert sorted(records) == ["b", "c"]


async def test_a_forbidden_kind_fails_alone_and_says_why(scene: Scene) -> None:
    scene.answer_all()
    scene.follow.put(r.SCHEDULES, Batch("stale", reason="no", error=Forbidden("schedules is forbidden", status=403)))
    scene.follow.queues["restores"] = asyncio.Queue()
    await scene.settle()
    scene.follow.put(r.RESTORES, Batch("stale", reason="no", error=Forbidden("restores is forbidden", status=403)))
    await scene.settle(2)
    assert await scene.state("backups") == ("ready", "")
    assert await scene.state("schedules") == ("stale", "schedules is forbidden")
    state, reason = await scene.state("overview")
    assert (state, reason) == ("stale", "schedules is forbidden")
    # Not a matter of the connection: the cluster did answer.
    assert set(scene.heard) == {""}


async def test_a_kind_that_was_never_readable_is_failed_with_a_hint() -> None:
    scene = Scene()
    scene.follow.put(r.BACKUPS, Batch("stale", error=Forbidden("backups is forbidden", status=403)))
    await scene.settle()
    update, records = await look(scene.hub, "backups/prod")
    assert (update.state, update.reason, records) == ("failed", "backups is forbidden", {})
    assert update.hint
    await scene.close()


async def test_a_lost_cluster_leaves_its_data_with_its_age(scene: Scene) -> None:
    scene.follow.put(r.BACKUPS, Batch("snapshot", [backup("a")]))
    await scene.settle()
    before, _ = await look(scene.hub, "backups/prod")
    await scene.settle(300)
    scene.follow.put(r.BACKUPS, Batch("stale", error=Unreachable("connection reset")))
    await scene.settle()
    update, records = await look(scene.hub, "backups/prod")
    assert (update.state, update.reason, list(records)) == ("stale", "connection reset", ["a"])
    assert update.as_of == before.as_of
    assert scene.heard[-1] == "connection reset"
    scene.follow.put(r.BACKUPS, Batch("events"))
    await scene.settle()
    assert await scene.state("backups") == ("ready", "")
    assert scene.heard[-1] == ""


async def test_volume_copies_of_four_kinds_share_a_topic(scene: Scene) -> None:
    scene.follow.put(r.POD_VOLUME_BACKUPS, Batch("snapshot", [VolumeCopy(metadata=meta("x"))]))
    scene.follow.put(r.POD_VOLUME_RESTORES, Batch("snapshot", [VolumeCopy(metadata=meta("x"))]))
    for resource in (r.DATA_UPLOADS, r.DATA_DOWNLOADS):
        scene.follow.put(resource, Batch("stale", error=NotFound("not served", status=404)))
    await scene.settle()
    update, records = await look(scene.hub, "copies/prod")
    assert update.state == "ready"
    assert sorted(records) == ["podvolumebackups/x", "podvolumerestores/x"]


async def test_a_cluster_without_a_snapshot_api_says_so_until_it_has_one(scene: Scene) -> None:
    for resource in (SNAPSHOTS, CONTENTS):
        scene.follow.put(resource, Batch("stale", error=NotFound("not served", status=404)))
    await scene.settle()
    assert await scene.state("snapshots") == ("ready", NO_SNAPSHOTS)
    assert await scene.state("snapshot-contents") == ("ready", NO_SNAPSHOTS)
    scene.follow.put(SNAPSHOTS, Batch("snapshot", [Snapshot(metadata=meta("s1"))]))
    await scene.settle()
    assert await scene.state("snapshots") == ("ready", "")


async def test_a_watcher_that_dies_of_a_defect_comes_back(scene: Scene) -> None:
    scene.follow.put(r.BACKUPS, Batch("snapshot", [backup("a")]), ValueError("defect"))
    await scene.settle()
    assert await scene.state("backups") == ("stale", "unexpected ValueError in the engine")
    scene.follow.put(r.BACKUPS, Batch("snapshot", [backup("b")], ["velero/a"]))
    await scene.settle(1.5)
    _, records = await look(scene.hub, "backups/prod")
    assert list(records) == ["b"]
    assert [plural for plural, _ in scene.follow.opened].count("backups") == 2


async def test_the_overview_waits_for_its_kinds_then_shows_claims(scene: Scene) -> None:
    assert (await scene.state("overview"))[0] == "loading"
    scene.answer_all()
    scene.follow.put(r.STATEFULSETS, Batch("events", [Workload(metadata=meta("orders", "shop"))]))
    scene.follow.put(r.CLAIMS, Batch("events", [Claim(metadata=meta("data-orders-0", "shop"))]))
    await scene.settle(2)
    update, records = await look(scene.hub, "overview/prod")
    assert (update.state, list(records)) == ("ready", ["shop/StatefulSet/orders"])
    assert [claim.metadata.name for claim in scene.sights[-1].claims] == ["data-orders-0"]


async def test_a_new_verdict_brings_a_new_overview(scene: Scene) -> None:
    scene.answer_all()
    await scene.settle(5)
    before = len(scene.sights)
    scene.mirror.touch()
    await scene.settle(0.2)
    assert len(scene.sights) == before + 1


async def test_locations_that_cannot_be_read_are_unknown_not_absent() -> None:
    scene = Scene()
    scene.follow.put(r.LOCATIONS, Batch("stale", error=Forbidden("no", status=403)))
    for source in SOURCES:
        if source.resource is not r.LOCATIONS:
            scene.follow.put(source.resource, Batch("snapshot"))
    await scene.settle(2)
    assert scene.sights[-1].locations is None
    assert scene.sights[-1].backups == []
    await scene.close()


async def test_claims_that_cannot_be_read_are_unlisted_not_absent() -> None:
    scene = Scene()
    scene.follow.put(r.CLAIMS, Batch("stale", error=Forbidden("no", status=403)))
    for source in SOURCES:
        if source.resource is not r.CLAIMS:
            scene.follow.put(source.resource, Batch("snapshot"))
    await scene.settle(2)
    assert scene.sights[-1].unlisted == frozenset({"persistentvolumeclaims"})
    await scene.close()


async def test_a_storm_costs_one_overview_a_second(scene: Scene) -> None:
    scene.answer_all()
    await scene.settle(5)
    before = len(scene.sights)
    for n in range(500):
        scene.follow.put(r.BACKUPS, Batch("events", [backup(f"b{n}")]))
        await scene.clock.advance(0.01)
    assert 4 <= len(scene.sights) - before <= 6


async def test_an_overview_that_costs_two_seconds_rests_for_eighteen() -> None:
    readings = iter(range(0, 10_000, 2))
    scene = Scene(cpu=lambda: float(next(readings)))
    scene.answer_all()
    await scene.settle(1)
    before = len(scene.sights)
    for _ in range(36):
        scene.mirror.touch()
        await scene.settle(1)
    assert len(scene.sights) - before == 2
    await scene.close()


async def test_time_alone_brings_a_new_overview_every_minute(scene: Scene) -> None:
    scene.answer_all()
    await scene.settle(5)
    before = len(scene.sights)
    await scene.settle(180)
    assert 3 <= len(scene.sights) - before <= 4


async def test_a_defect_in_the_overview_is_shown_and_passes(scene: Scene) -> None:
    scene.answer_all()
    scene.break_overview = True
    await scene.settle(2)
    assert await scene.state("overview") == ("failed", "unexpected RuntimeError in the engine")
    scene.break_overview = False
    scene.follow.put(r.BACKUPS, Batch("events", [backup("a")]))
    await scene.settle(2)
    assert await scene.state("overview") == ("ready", "")


async def test_without_velero_workloads_are_shown_and_it_is_looked_for_again() -> None:
    scene = Scene(velero="")
    scene.answer_all()
    scene.follow.put(r.DEPLOYMENTS, Batch("events", [Workload(metadata=meta("web", "shop"))]))
    await scene.settle(2)
    assert await scene.state("backups") == ("failed", NO_VELERO)
    update, records = await look(scene.hub, "overview/prod")
    assert (update.state, update.reason, list(records)) == ("ready", NO_VELERO, ["shop/Deployment/web"])
    assert not any(plural == "backups" for plural, _ in scene.follow.opened)
    await scene.settle(LOOK_AGAIN)
    assert scene.task.done()
    await scene.close()


async def test_several_veleros_ask_for_a_choice() -> None:
    scene = Scene(velero="", several=["a", "b"])
    await scene.settle()
    state, reason = await scene.state("backups")
    assert (state, reason) == ("failed", "several Veleros found: a, b")
    await scene.close()
