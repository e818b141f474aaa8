"""The lease: own arithmetic, judged by change, never by somebody's clock; its loss closes the gate."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.errors import GateClosed
from lazarus_tui.engine.gate import write_lease
from lazarus_tui.engine.lease import (
    DURATION,
    EXPIRED,
    QUARANTINE,
    RENEW,
    WRITES_STOP,
    Lease,
    holder_name,
    lease_name,
)
from lazarus_tui.kube.errors import KubeError, Pushback
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.resources import LEASES
from tests.engine.world import Engine, World, laboratory, plan_for

NAME = lease_name("shop")


def lease(world: World, engine: Engine, holder: str, said: list[str] | None = None) -> Lease:
    say = said.append if said is not None else lambda text: None
    return Lease(engine.cluster, "shop", "shop", holder, world.clock, write_lease, say)


def record(world: World) -> dict[str, Any]:
    found = world.api.get(LEASES, NAME, "shop")
    assert found is not None
    spec: dict[str, Any] = found["spec"]
    return spec


async def test_it_is_made_renewed_and_let_go() -> None:
    async with laboratory() as (world, engine):
        mine = lease(world, engine, "me")
        assert not mine.fresh
        await mine.acquire()
        assert mine.fresh
        assert record(world)["holderIdentity"] == "me"
        assert record(world)["leaseDurationSeconds"] == 30
        keeper = asyncio.create_task(mine.keep())
        await engine.settle()
        await world.clock.advance(60)
        await engine.settle()
        assert mine.fresh
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await mine.release()
        assert record(world)["holderIdentity"] == ""


async def test_writes_stop_long_before_anybody_may_take_over() -> None:
    assert WRITES_STOP + 10 < DURATION
    async with laboratory() as (world, engine):
        mine = lease(world, engine, "me")
        await mine.acquire()
        await world.clock.advance(WRITES_STOP)
        assert mine.fresh
        await world.clock.advance(0.1)
        assert not mine.fresh


async def test_a_living_holder_is_left_alone_whatever_its_times_say() -> None:
    async with laboratory() as (world, engine):
        theirs = lease(world, engine, "them")
        await theirs.acquire()
        found = world.api.get(LEASES, NAME, "shop")
        assert found is not None
        world.api.patch(LEASES, NAME, {"spec": {"renewTime": "1999-01-01T00:00:00.000000Z"}}, "shop")
        await theirs.renew()
        keeper = asyncio.create_task(theirs.keep())
        said: list[str] = []
        with pytest.raises(GateClosed, match="them works on the same target"):
            await engine.passing(lease(world, engine, "me", said).acquire())
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        assert "waiting to see whether it lives" in said[0]
        assert record(world)["holderIdentity"] == "them"


async def test_a_dead_holder_is_replaced_after_the_whole_duration() -> None:
    async with laboratory() as (world, engine):
        await lease(world, engine, "them").acquire()
        world.api.patch(LEASES, NAME, {"spec": {"renewTime": "2999-01-01T00:00:00.000000Z"}}, "shop")
        began = world.clock.monotonic()
        mine = lease(world, engine, "me")
        await engine.passing(mine.acquire())
        assert world.clock.monotonic() - began > DURATION
        assert record(world)["holderIdentity"] == "me"
        assert record(world)["leaseTransitions"] == 1


async def test_the_same_engine_takes_its_own_lease_back_at_once() -> None:
    async with laboratory() as (world, engine):
        await lease(world, engine, "me").acquire()
        again = lease(world, engine, "me")
        await again.acquire()
        assert again.fresh
        assert world.clock.monotonic() == 0
        assert record(world)["leaseTransitions"] == 0


async def test_losing_it_is_noticed_at_the_next_renewal() -> None:
    async with laboratory() as (world, engine):
        mine = lease(world, engine, "me")
        await mine.acquire()
        world.api.patch(LEASES, NAME, {"spec": {"holderIdentity": "them"}}, "shop")
        await mine.renew()
        assert not mine.fresh
        assert "them holds it now" in mine.lost
        await mine.release()
        assert record(world)["holderIdentity"] == "them", "what is not ours is not let go"


async def test_without_the_right_to_leases_it_says_so_and_goes_on() -> None:
    async def forbid(request: HttpRequest) -> HttpResponse | None:
        if "/leases" not in request.path:
            return None
        body = {"kind": "Status", "status": "Failure", "message": "user may not", "reason": "Forbidden", "code": 403}
        return HttpResponse(403, {"content-type": "application/json"}, msgspec.json.encode(body))

    async with laboratory() as (world, engine):
        world.faults.append(forbid)
        done = await engine.run(plan_for(world))
        assert done.state is OpState.DONE
        assert any("no lease is kept" in line.text for line in engine.lines)


async def test_a_server_that_is_not_ready_yet_takes_no_lease_away() -> None:
    """Right after its start an API server answers writes with 403 until its admission plugins know what is there."""

    async def warming(request: HttpRequest) -> HttpResponse | None:
        if request.method == "GET" or "/leases" not in request.path:
            return None
        words = f'leases.coordination.k8s.io "{NAME}" is forbidden: not yet ready to handle request'
        body = {"kind": "Status", "status": "Failure", "message": words, "reason": "Forbidden", "code": 403}
        return HttpResponse(403, {"content-type": "application/json"}, msgspec.json.encode(body))

    async with laboratory() as (world, engine):
        said: list[str] = []
        mine = lease(world, engine, "me", said)
        await mine.acquire()
        world.faults.append(warming)
        await world.clock.advance(RENEW)
        with pytest.raises(Pushback, match="not yet ready"):
            await mine.renew()
        assert (mine.unavailable, said) == (False, [])
        await world.clock.advance(WRITES_STOP)
        assert not mine.fresh, "nobody writes on a lease that may have been taken"
        world.faults.clear()
        await mine.renew()
        assert mine.fresh


def refusing(words: str, code: int = 403) -> Any:
    async def refuse(request: HttpRequest) -> HttpResponse | None:
        if request.method == "GET" or "/leases" not in request.path:
            return None
        body = {"kind": "Status", "status": "Failure", "message": words, "reason": "Forbidden", "code": code}
        return HttpResponse(code, {"content-type": "application/json"}, msgspec.json.encode(body))

    return refuse


async def test_a_renewal_that_is_refused_while_the_api_is_upgraded_gives_no_lease_up() -> None:
    """Twice, and only the third time in a row is believed; nobody is kept from writing meanwhile."""
    async with laboratory() as (world, engine):
        said: list[str] = []
        mine = lease(world, engine, "me", said)
        await mine.acquire()
        for tries in (2, 2, 3):
            world.faults.append(refusing("user may not update leases"))
            for n in range(tries):
                assert (mine.fresh, mine.unavailable, said) == (True, False, [])
                await world.clock.advance(RENEW)
                if n < 2:
                    with pytest.raises(Pushback, match="may not update"):
                        await mine.renew()
                    with pytest.raises(Pushback, match="may not update"):
                        await mine.renew()  # the gate's, a moment after its keeper's
                else:
                    await mine.renew()
            world.faults.clear()
            await world.clock.advance(RENEW - 1)
            await mine.renew()
        assert (mine.fresh, mine.unavailable, len(said)) == (True, True, 1)
        assert "no lease is kept" in said[0]


async def test_refusals_with_another_answer_between_them_are_not_in_a_row() -> None:
    async with laboratory() as (world, engine):
        mine = lease(world, engine, "me")
        await mine.acquire()
        for busy in (False, True, False):
            world.faults[:] = [refusing("etcd is busy", 503) if busy else refusing("user may not update leases")]
            await world.clock.advance(RENEW)
            with pytest.raises(KubeError):
                await mine.renew()
        assert not mine.unavailable


async def test_what_admission_says_of_a_renewal_is_believed_at_once() -> None:
    async with laboratory() as (world, engine):
        mine = lease(world, engine, "me")
        await mine.acquire()
        world.faults.append(refusing("leases is forbidden: minimum cpu usage per Lease is 1"))
        await world.clock.advance(RENEW)
        await mine.renew()
        assert mine.unavailable


async def test_a_lost_lease_closes_the_gate_and_parks_the_operation() -> None:
    async with laboratory() as (world, engine):
        begun = await engine.runner.start(plan_for(world), plan_for(world).digest())
        while world.config("thing-00000000") is None:
            await engine.settle()
        world.api.patch(LEASES, NAME, {"spec": {"holderIdentity": "them"}}, "shop")
        parked = await engine.finish(begun.id)
        assert parked.state is OpState.PARKED
        assert "them holds it now" in parked.message
        assert [sent.method for sent in world.sent] == ["POST"], "nothing was sent after the loss"


async def test_a_suspended_host_asks_again_before_it_writes() -> None:
    async with laboratory() as (world, engine):
        begun = await engine.runner.start(plan_for(world), plan_for(world).digest())
        while world.config("thing-00000000") is None:
            await engine.settle()
        world.clock._elapsed += 300
        world.api.patch(LEASES, NAME, {"spec": {"holderIdentity": "them"}}, "shop")
        parked = await engine.finish(begun.id)
        assert parked.state is OpState.PARKED
        assert [sent.method for sent in world.sent] == ["POST"]


def test_a_restarted_engine_has_the_same_name_and_another_journal_has_not() -> None:
    assert holder_name(Path("/a/engine.db")) == holder_name(Path("/a/engine.db")) != holder_name(Path("/b/engine.db"))


async def test_another_host_is_given_a_minute_more_for_requests_on_their_way() -> None:
    for holder, seconds in (("this/2", DURATION), ("that/1", DURATION + QUARANTINE)):
        async with laboratory() as (world, engine):
            await lease(world, engine, holder).acquire()
            began = world.clock.monotonic()
            mine = lease(world, engine, "this/1")
            await engine.passing(mine.acquire())
            assert seconds < world.clock.monotonic() - began <= seconds + 2 * RENEW
            assert mine.transitions == 1


async def test_a_record_that_expired_long_ago_is_only_watched_for_two_renewals() -> None:
    async with laboratory() as (world, engine):
        await lease(world, engine, "that/1").acquire()
        await world.clock.advance(EXPIRED + 1)
        began = world.clock.monotonic()
        await engine.passing(lease(world, engine, "this/1").acquire())
        assert 2 * RENEW < world.clock.monotonic() - began <= 4 * RENEW


async def test_what_was_never_taken_is_never_renewed() -> None:
    async with laboratory() as (world, engine):
        await lease(world, engine, "them").acquire()
        mine = lease(world, engine, "me")
        await mine._read()
        await mine.renew()
        assert record(world)["holderIdentity"] == "them"
        assert not mine.fresh


async def test_a_leap_of_the_wall_clock_makes_a_lease_doubtful() -> None:
    class Slept:
        """The clocks of a virtual machine that was suspended: only the wall clock shows it."""

        ahead = timedelta(0)

        def __init__(self, inner: Any) -> None:
            self.inner, self.monotonic, self.sleep = inner, inner.monotonic, inner.sleep

        def now(self) -> datetime:
            return self.inner.now() + self.ahead  # type: ignore[no-any-return]

    async with laboratory() as (world, engine):
        clock = Slept(world.clock)
        mine = Lease(engine.cluster, "shop", "shop", "me", clock, write_lease, lambda text: None)
        await mine.acquire()
        assert mine.fresh
        clock.ahead = timedelta(hours=1)
        assert not mine.fresh
        await mine.renew()
        assert mine.fresh


async def test_its_keeper_and_the_gate_are_not_each_others_conflict() -> None:
    async with laboratory() as (world, engine):
        mine = lease(world, engine, "me")
        await mine.acquire()
        under_way = 0

        async def slowly(request: HttpRequest) -> None:
            nonlocal under_way
            under_way += request.method == "PATCH"
            assert under_way <= 1, "two renewals at once, of one record"
            await asyncio.sleep(0)
            under_way -= request.method == "PATCH"

        engine.wire.before = slowly
        await engine.passing(asyncio.gather(*(mine.renew() for _ in range(8))))
        assert mine.fresh
        assert not mine.lost
