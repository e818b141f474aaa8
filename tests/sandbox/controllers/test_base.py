"""The loop that runs controllers: nothing is lost, nothing is done twice, a failure stays alone."""

from __future__ import annotations

import asyncio

from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.controllers.base import RETRY_FIRST, Controller, Loop


class Listing(Controller):
    """Notes every key; fails for those in ``failing``, asks to look again after ``again`` seconds."""

    name = "listing"
    watches = (CONFIGMAPS,)

    def __init__(self, api, clock):
        super().__init__(api, clock)
        self.seen, self.failing, self.again = [], set(), None
        self.gate = None
        self.together = self.most = 0

    async def reconcile(self, key):
        self.together += 1
        self.most = max(self.most, self.together)
        try:
            if self.gate:
                await self.gate.wait()
            self.seen.append(key[1])
            if key[1] in self.failing:
                raise RuntimeError("broken")
            return self.again
        finally:
            self.together -= 1


def made(clock):
    api = LocalApi(Store(), Registry(), clock)
    api.bootstrap()
    return api


def add(api, *names):
    for name in names:
        api.create(CONFIGMAPS, {"metadata": {"name": name}}, "default")


async def quiet():
    """Lets everything run that needs no time, however little the machine gives."""
    for _ in range(30):
        await asyncio.sleep(0)


async def started(clock, kind=Listing):
    api = made(clock)
    controller = kind(api, clock)
    loop = Loop(api, clock, [controller])
    return api, controller, loop


async def test_what_exists_at_the_start_is_looked_at():
    api, controller, loop = await started(VirtualClock())
    add(api, "a", "b")
    await loop.start()
    await loop.settle()
    assert controller.seen == ["a", "b"]
    await loop.stop()


async def test_many_changes_before_a_look_are_one_look():
    api, controller, loop = await started(VirtualClock())
    await loop.start()
    add(api, "a")
    for value in range(5):
        api.patch(CONFIGMAPS, "a", {"data": {"n": str(value)}}, "default")
    await loop.settle()
    assert controller.seen == ["a"]
    await loop.stop()


async def test_a_change_during_a_look_leads_to_another():
    api, controller, loop = await started(VirtualClock())
    await loop.start()
    controller.gate = asyncio.Event()
    add(api, "a")
    await quiet()
    assert controller.together == 1
    api.patch(CONFIGMAPS, "a", {"data": {"n": "1"}}, "default")
    controller.gate.set()
    await loop.settle()
    assert controller.seen == ["a", "a"]
    await loop.stop()


async def test_a_failing_key_is_retried_ever_later_and_harms_no_other():
    clock = VirtualClock()
    api, controller, loop = await started(clock)
    await loop.start()
    controller.failing = {"bad"}
    add(api, "bad", "good")
    await loop.settle()
    assert controller.seen == ["bad", "good"]
    await clock.advance(RETRY_FIRST, between=loop.settle)
    assert controller.seen.count("bad") == 2
    await clock.advance(RETRY_FIRST, between=loop.settle)
    assert controller.seen.count("bad") == 2
    controller.failing = set()
    await clock.advance(RETRY_FIRST, between=loop.settle)
    assert controller.seen.count("bad") == 3
    await clock.advance(3600, between=loop.settle)
    assert controller.seen.count("bad") == 3
    await loop.stop()


async def test_a_wish_to_look_again_is_kept_by_the_clock():
    clock = VirtualClock()
    api, controller, loop = await started(clock)
    await loop.start()
    controller.again = 60.0
    add(api, "a")
    await loop.settle()
    await clock.advance(59, between=loop.settle)
    assert controller.seen == ["a"]
    await clock.advance(121, between=loop.settle)
    assert controller.seen == ["a"] * 4
    await loop.stop()


async def test_one_key_is_never_worked_on_twice_at_once():
    class Three(Listing):
        workers = 3

    api, controller, loop = await started(VirtualClock(), Three)
    await loop.start()
    controller.gate = asyncio.Event()
    add(api, "a", "b", "c", "d")
    await quiet()
    for name in "abc":
        api.patch(CONFIGMAPS, name, {"data": {"n": "1"}}, "default")
    await quiet()
    assert controller.most == 3
    controller.gate.set()
    await loop.settle()
    assert sorted(controller.seen) == ["a", "a", "b", "b", "c", "c", "d"]
    await loop.stop()


async def test_after_stop_nothing_runs():
    clock = VirtualClock()
    api, controller, loop = await started(clock)
    await loop.start()
    controller.again = 1.0
    add(api, "a")
    await loop.settle()
    await loop.stop()
    add(api, "b")
    await clock.advance(10)
    assert controller.seen == ["a"]
