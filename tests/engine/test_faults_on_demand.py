"""A whole operation through every fault of the sandbox's API: exactly one effect, honest ends, no hot loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from lazarus_tui.engine.hub import Hub
from lazarus_tui.engine.mirror import Mirror
from lazarus_tui.kube.retry import READ
from lazarus_tui.kube.watch import follow
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.resources import BACKUPS, CONFIGMAPS, CRDS, NAMESPACES
from lazarus_tui.sandbox.faults.faults import Faults
from lazarus_tui.sandbox.faults.model import Match, Wanted
from lazarus_tui.sandbox.faults.requests import Interference
from tests.engine.fakes import look
from tests.engine.world import Engine, World, laboratory, plan_for

MAPS, LEASES = "configmaps", "leases.coordination.k8s.io"


class Trial:
    """The world with faults in it, and what was asked of it."""

    def __init__(self, world: World, engine: Engine) -> None:
        self.world, self.engine = world, engine
        self.faults = Faults(world.clock)
        world.server.around = Interference(self.faults, world.server)
        engine.cluster.policy = READ
        self.requests: list[tuple[float, str]] = []
        world.faults.append(self._count)

    async def _count(self, request: HttpRequest) -> HttpResponse | None:
        self.requests.append((self.world.clock.monotonic(), f"{request.method} {request.path.rpartition('/v1/')[2]}"))
        return None

    async def add(self, kind: str, verbs: str = "", resources: str = MAPS, **more: Any) -> None:
        known = {name: more.pop(name) for name in ("times", "probability", "seed", "lasts") if name in more}
        if "lasts" in known:
            known["seconds"] = known.pop("lasts")
        match = Match(verbs=tuple(verbs.split()), resources=tuple(resources.split()))
        await self.faults.add(
            Wanted(kind, {key.replace("_", "-"): value for key, value in more.items()}, match, **known)
        )

    async def run(self) -> Operation:
        return await self.engine.run(plan_for(self.world))

    def sent(self, method: str) -> int:
        """Writes of that method that arrived, leases left out."""
        return sum(1 for one in self.world.sent if one.method == method)

    def check_one_effect(self) -> None:
        (made,) = [
            one for one in self.world.api.list(CONFIGMAPS, "shop") if one["metadata"]["name"].startswith("thing-")
        ]
        assert made["data"] == {"n": "1"}

    def check_no_hot_loop(self) -> None:
        most = Counter(int(at) for at, _ in self.requests).most_common(1)[0]
        assert most[1] <= 20, f"{most[1]} requests in second {most[0]}"


ONE_WRITE: list[tuple[str, str, dict[str, Any], int]] = [
    # fault, verb it is done to once, parameters, how often that write is sent in all
    ("reset", "create", {}, 2),
    ("reset", "patch", {}, 2),
    ("reset-after", "create", {}, 1),
    ("reset-after", "patch", {}, 1),
    ("stall", "create", {"lasts": 60.0}, 2),
    ("stall", "create", {"lasts": 60.0, "after": True}, 1),
    ("stall", "patch", {"lasts": 60.0, "after": True}, 1),
    ("error", "create", {"status": 500}, 2),
    ("error", "create", {"status": 502, "body": "html", "after": True}, 1),
    ("error", "patch", {"status": 504, "after": True}, 1),
    ("error", "create", {"status": 503, "retry_after": 2}, 2),
    ("etcd", "create", {"text": "leader-changed", "after": True}, 1),
    ("etcd", "patch", {"text": "timeout"}, 2),
    ("throttle", "create", {"retry_after": 3}, 2),
    ("webhook-failing", "create", {}, 2),
    ("latency", "create", {"seconds": 60, "after": True}, 1),
    ("forbidden", "create", {}, 2),
]


@pytest.mark.parametrize(("kind", "verb", "parameters", "sent"), ONE_WRITE)
async def test_a_write_that_goes_wrong_once_takes_effect_once(
    kind: str, verb: str, parameters: dict[str, Any], sent: int
) -> None:
    async with laboratory() as (world, engine):
        trial = Trial(world, engine)
        await trial.add(kind, verb, times=1, **parameters)
        done = await trial.run()
        assert (done.state, done.exit_code, done.message) == (OpState.DONE, 0, "")
        assert len(trial.faults.log) == 1
        assert trial.sent("POST" if verb == "create" else "PATCH") == sent
        trial.check_one_effect()
        trial.check_no_hot_loop()
        await trial.faults.close()


async def test_a_fault_of_every_read_is_waited_out() -> None:
    async with laboratory() as (world, engine):
        trial = Trial(world, engine)
        await trial.add("error", "get", status=503, lasts=45.0)
        done = await trial.run()
        assert (done.state, done.exit_code) == (OpState.DONE, 0)
        assert done.seconds >= 45
        trial.check_one_effect()
        trial.check_no_hot_loop()
        await trial.faults.close()


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
async def test_a_storm_costs_time_and_nothing_else(seed: int) -> None:
    """A fifth of all requests fails, a tenth is pushed back, a tenth loses its answer."""
    async with laboratory() as (world, engine):
        trial = Trial(world, engine)
        await trial.add("error", resources="", status=502, probability=0.2, seed=seed)
        await trial.add("throttle", resources="", probability=0.1, seed=seed)
        await trial.add("reset-after", "create update patch delete", "", probability=0.1, seed=seed)
        await trial.add("reset", resources="", probability=0.05, seed=seed)
        done = await trial.run()
        assert (done.state, done.exit_code) == (OpState.DONE, 0)
        trial.check_one_effect()
        trial.check_no_hot_loop()
        await trial.faults.close()


@pytest.mark.parametrize("kind", ["etcd", "reset", "stall"])
async def test_writes_that_end_in_the_dark_for_minutes_are_sent_again_ever_more_slowly(kind: str) -> None:
    async with laboratory() as (world, engine):
        trial = Trial(world, engine)
        await trial.add(kind, "create patch", lasts=180.0)
        done = await trial.run()
        assert (done.state, done.exit_code) == (OpState.DONE, 0)
        assert 180 <= done.seconds <= 240
        assert trial.sent("POST") <= 20
        trial.check_one_effect()
        trial.check_no_hot_loop()
        await trial.faults.close()


async def test_writes_that_end_in_the_dark_for_too_long_park_and_resume_goes_on() -> None:
    async with laboratory() as (world, engine):
        trial = Trial(world, engine)
        await trial.add("etcd", "create", text="no-space")
        parked = await trial.run()
        assert parked.state is OpState.PARKED
        assert "nobody knows whether writes are carried out: etcdserver: mvcc: database space" in parked.message
        assert 600 <= parked.seconds <= 700
        await trial.faults.clear()
        await engine.passing(engine.runner.resume(parked.id))
        done = await engine.finish(parked.id)
        assert (done.state, done.exit_code) == (OpState.DONE, 0)
        trial.check_one_effect()
        await trial.faults.close()


async def test_a_denied_write_stops_for_good() -> None:
    async with laboratory() as (world, engine):
        trial = Trial(world, engine)
        await trial.add("webhook-denied", "patch", message="not on Fridays", status=403)
        done = await trial.run()
        assert done.state is not OpState.DONE
        assert "not on Fridays" in done.message
        assert trial.sent("PATCH") == 1
        assert world.api.list(CONFIGMAPS, "shop") == []  # what was made was taken back
        await trial.faults.close()


@pytest.mark.parametrize(("kind", "parameters"), [("forbidden", {}), ("error", {"status": 401})])
async def test_a_right_that_is_withdrawn_parks_and_resume_goes_on(kind: str, parameters: dict[str, Any]) -> None:
    async with laboratory() as (world, engine):
        trial = Trial(world, engine)
        await trial.add(kind, "patch", **parameters)
        parked = await trial.run()
        assert parked.state is OpState.PARKED
        assert "missing right: patch configmaps in namespace shop" in parked.message
        assert trial.sent("PATCH") <= 3
        await trial.faults.clear()
        await engine.passing(engine.runner.resume(parked.id))
        done = await engine.finish(parked.id)
        assert (done.state, done.exit_code) == (OpState.DONE, 0)
        assert trial.sent("POST") == 1
        trial.check_one_effect()
        await trial.faults.close()


async def test_somebody_elses_change_is_never_forced() -> None:
    async with laboratory() as (world, engine):
        trial = Trial(world, engine)
        await trial.add("conflict", "patch", times=2)
        done = await trial.run()
        assert (done.state, done.exit_code) == (OpState.DONE, 0)
        assert trial.sent("PATCH") == 3
        trial.check_one_effect()
        await trial.faults.close()


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("reset-after", {"probability": 0.5}),
        ("reset", {"probability": 0.5}),
        ("throttle", {"lasts": 12.0}),
        ("error", {"status": 500, "after": True, "probability": 0.5}),
        ("stall", {"lasts": 8.0}),
    ],
)
async def test_renewals_of_the_lease_that_fail_for_less_than_its_freshness_stop_nothing(
    kind: str, parameters: dict[str, Any]
) -> None:
    async with laboratory() as (world, engine):
        trial = Trial(world, engine)
        await trial.add(kind, "patch", LEASES, **parameters)
        done = await trial.run()
        assert (done.state, done.exit_code) == (OpState.DONE, 0)
        assert trial.faults.log
        trial.check_one_effect()
        await trial.faults.close()


async def test_what_is_shown_says_that_it_is_old_and_since_when_and_is_new_again() -> None:
    """A silent API: the topic keeps its data, says so after 70 s without a byte, and recovers by itself."""
    async with laboratory() as (world, engine):
        trial, clock = Trial(world, engine), world.clock
        hub = Hub(clock)

        async def at_once(work: Any) -> Any:
            return work()

        mirror = Mirror(
            hub,
            clock,
            engine.cluster,
            "lab",
            velero="velero",
            follow=follow,
            overview=lambda sight: list,
            aside=at_once,
        )
        world.api.create(NAMESPACES, {"metadata": {"name": "velero"}})
        world.api.create(CRDS, backups_definition())
        world.api.create(BACKUPS, {"metadata": {"name": "kept"}, "spec": {}}, "velero")
        task = asyncio.create_task(mirror.run())
        await clock.advance(2)

        async def shown() -> tuple[str, str, list[str]]:
            update, records = await look(hub, "backups/lab")
            return update.state, update.as_of, sorted(records)

        state, seen, names = await shown()
        assert (state, names) == ("ready", ["kept"])
        await trial.add("stall", resources="", lasts=300.0)
        world.api.create(BACKUPS, {"metadata": {"name": "late"}, "spec": {}}, "velero")
        await clock.advance(60)
        assert (await shown())[0] == "ready"
        await clock.advance(60)
        assert await shown() == ("stale", seen, ["kept"])
        await clock.advance(300)
        state, again, names = await shown()
        assert (state, names) == ("ready", ["kept", "late"])
        assert again > seen
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await hub.stop()
        await trial.faults.close()


def backups_definition() -> dict[str, Any]:
    names = {"plural": "backups", "kind": "Backup", "singular": "backup", "listKind": "BackupList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    spec = {"group": "velero.io", "names": names, "scope": "Namespaced", "versions": [version]}
    return {"metadata": {"name": "backups.velero.io"}, "spec": spec}
