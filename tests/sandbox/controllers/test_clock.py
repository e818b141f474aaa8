"""The clocks of the sandbox."""

from __future__ import annotations

import asyncio

import pytest

from lazarus_tui.sandbox.clock import ScaledClock, VirtualClock


class Recording:
    """A base clock that notes how long it was asked to sleep."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self):
        return VirtualClock().now()

    def monotonic(self):
        return 7.0

    async def sleep(self, seconds):
        self.slept.append(seconds)


async def test_sleepers_wake_in_the_order_of_their_moments_and_see_that_moment():
    clock, seen = VirtualClock(), []

    async def sleeper(name, seconds):
        await clock.sleep(seconds)
        seen.append((name, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(name, wait)) for name, wait in (("c", 3), ("a", 1), ("b", 1), ("late", 9))]
    await clock.advance(5)
    assert seen == [("a", 1), ("b", 1), ("c", 3)]
    assert clock.sleepers == 1
    assert clock.monotonic() == 5
    await clock.advance(4)
    assert seen[-1] == ("late", 9)
    await asyncio.gather(*tasks)


async def test_a_sleep_begun_on_the_way_counts_from_then():
    clock, seen = VirtualClock(), []

    async def twice():
        for _ in range(2):
            await clock.sleep(2)
            seen.append(clock.monotonic())

    task = asyncio.create_task(twice())
    await clock.advance(10)
    assert seen == [2, 4]
    await task


async def test_a_cancelled_sleeper_is_forgotten():
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(1))
    await clock.advance(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert clock.sleepers == 0
    await clock.advance(2)


async def test_scaled_waits_are_shorter_and_stamps_are_true():
    base = Recording()
    clock = ScaledClock(10, base)
    await clock.sleep(60)
    assert base.slept == [6.0]
    assert clock.now() == base.now()
    assert clock.monotonic() == 7.0


@pytest.mark.parametrize("factor", [0, -1])
def test_a_clock_that_would_stand_or_run_back_is_refused(factor):
    with pytest.raises(ValueError, match="above zero"):
        ScaledClock(factor)
