"""The lease per target against a real server: taken, renewed, respected, lost and taken over."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from real_world import World

from lazarus_tui.engine.errors import GateClosed
from lazarus_tui.engine.gate import write_lease
from lazarus_tui.engine.lease import DURATION, WRITES_STOP, Lease, LeaseRecord
from lazarus_tui.kube.errors import Conflict
from lazarus_tui.model.resources import LEASES


class Hours:
    """A clock on which every wait passes at once; no two moments are the same."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        self.seconds += 0.001
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


def lease(world: World, holder: str, clock: Hours | None = None) -> tuple[Lease, list[str]]:
    said: list[str] = []
    made = Lease(world.cluster, world.ns, "shop", holder, clock or Hours(), write_lease, said.append)
    return made, said


async def record(world: World, name: str) -> LeaseRecord:
    found = await world.cluster.get(LEASES, name, world.ns, type=LeaseRecord)
    assert found is not None
    return found


async def test_a_lease_is_taken_renewed_and_given_back(world: World) -> None:
    clock = Hours()
    mine, said = lease(world, "one", clock)
    await mine.acquire()
    taken = await record(world, mine.name)
    assert (taken.spec.holder_identity, taken.spec.lease_transitions, mine.fresh) == ("one", 0, True)
    clock.seconds += WRITES_STOP + 1
    assert not mine.fresh
    await mine.renew()
    renewed = await record(world, mine.name)
    assert mine.fresh
    assert renewed.spec.renew_time is not None
    assert renewed.spec.renew_time > (taken.spec.renew_time or "")
    assert renewed.metadata.uid == taken.metadata.uid
    await mine.release()
    other, _ = lease(world, "two")
    await other.acquire()
    found = await record(world, other.name)
    assert (found.spec.holder_identity, found.spec.lease_transitions) == ("two", 1)
    assert said == []


async def test_a_living_holder_is_left_alone(world: World) -> None:
    holder, _ = lease(world, "one")
    await holder.acquire()

    class Beside(Hours):
        """While the second waits, the first renews."""

        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            await holder.renew()

    second, _ = lease(world, "two", Beside())
    with pytest.raises(GateClosed, match="one works on the same target"):
        await second.acquire()
    assert (await record(world, holder.name)).spec.holder_identity == "one"


async def test_a_dead_holder_is_followed_after_its_time_and_learns_that_it_has_lost(world: World) -> None:
    dead, _ = lease(world, "one")
    await dead.acquire()
    clock = Hours()
    heir, said = lease(world, "two", clock)
    await heir.acquire()
    assert clock.seconds > DURATION
    assert "was not renewed" in said[-1]
    assert (await record(world, heir.name)).spec.holder_identity == "two"
    await dead.renew()
    assert "two holds it now" in dead.lost
    assert not dead.fresh
    assert heir.fresh


async def test_of_two_that_write_over_the_same_version_one_is_told(world: World) -> None:
    mine, _ = lease(world, "one")
    await mine.acquire()
    old = await record(world, mine.name)
    await mine.renew()
    with pytest.raises(Conflict):
        await write_lease(world.cluster, world.ns, mine.name, {"holderIdentity": "two"}, old)
    assert (await record(world, mine.name)).spec.holder_identity == "one"


async def test_of_many_that_want_a_free_lease_exactly_one_has_it(world: World) -> None:
    many = [lease(world, f"h{number}")[0] for number in range(8)]
    done = await asyncio.gather(*(one._try() for one in many))
    holder = (await record(world, many[0].name)).spec.holder_identity
    assert [one._holder for one, has in zip(many, done, strict=True) if has] == [holder]


async def test_without_the_right_to_leases_work_goes_on_and_it_is_said(world: World) -> None:
    await world.account("poor")
    cluster = await world.as_user(token=await world.token("poor"))
    said: list[str] = []
    mine = Lease(cluster, world.ns, "shop", "one", Hours(), write_lease, said.append)
    await mine.acquire()
    assert mine.unavailable
    assert mine.fresh
    assert "leases.coordination.k8s.io" in said[0]
