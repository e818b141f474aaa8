"""Watches under the sandbox's faults: told as stale, got over without a hot loop, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from faulty_place import Place, assert_no_hot_loop, assert_rests
from sandbox_world import Config, config

from lazarus_tui.kube.watch import Batch, follow
from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES


class Following:
    """What a reader of ``follow`` holds, kept as the console keeps it."""

    def __init__(self, place: Place) -> None:
        self.place, self.batches, self.held = place, list[Batch[Config]](), dict[str, str]()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with aclosing(follow(self.place.cluster, CONFIGMAPS, "shop", type=Config)) as batches:
            async for batch in batches:
                self.batches.append(batch)
                for one in batch.items:
                    self.held[one.metadata.name] = (one.data or {}).get("n", "")
                for name in batch.removed:
                    self.held.pop(name.partition("/")[2], None)

    @property
    def stale(self) -> bool:
        return self.batches[-1].kind == "stale"

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def following(place: Place) -> AsyncIterator[Following]:
    place.api.create(CONFIGMAPS, config("kept", n="0"), "shop")
    place.api.create(CONFIGMAPS, config("lost", n="0"), "shop")
    made = Following(place)
    await place.clock.advance(1)
    assert made.held == {"kept": "0", "lost": "0"}
    yield made
    await made.close()


async def changes(place: Place) -> dict[str, str]:
    """Three changes while something is wrong; what a reader must hold in the end."""
    place.api.patch(CONFIGMAPS, "kept", {"data": {"n": "schön"}}, "shop")
    place.api.delete(CONFIGMAPS, "lost", "shop")
    place.api.create(CONFIGMAPS, config("made", n="1"), "shop")
    return {"kept": "schön", "made": "1"}


BOTH = ("watch", "list")
WATCHED: list[tuple[str, tuple[str, ...], dict[str, Any], bool]] = [
    # fault, verbs, parameters, whether it is told as stale
    ("gone", BOTH, {}, False),
    ("gone", BOTH, {"lasts": 60.0}, True),
    ("reset", ("watch",), {"lasts": 60.0}, True),
    ("reset", BOTH, {"lasts": 60.0}, True),
    ("stall", ("watch",), {"lasts": 200.0}, True),
    ("stall", BOTH, {"lasts": 200.0}, True),
    ("error", BOTH, {"status": 503, "lasts": 60.0}, True),
    ("error", BOTH, {"status": 502, "body": "html", "lasts": 60.0}, True),
    ("throttle", BOTH, {"retry_after": 5, "lasts": 60.0}, True),
    ("token-expired", BOTH, {"renew": False, "lasts": 60.0}, True),
    ("forbidden", BOTH, {"lasts": 60.0}, True),
    ("cut", ("watch",), {"bytes": 1, "lasts": 60.0}, True),
    ("cut", ("watch",), {"bytes": 150, "inside": "character", "lasts": 60.0}, False),
    ("cut", ("watch",), {"bytes": 0, "end": "close", "lasts": 60.0}, True),
    ("trickle", ("watch",), {"rate_bytes": 50, "lasts": 60.0}, False),
]


@pytest.mark.parametrize(("kind", "verbs", "parameters", "told"), WATCHED)
async def test_a_watch_gets_over_it(
    place: Place, following: Following, kind: str, verbs: tuple[str, ...], parameters: dict[str, Any], told: bool
) -> None:
    place.api.create(NAMESPACES, {"metadata": {"name": "other"}})  # the newest version is not one of ours
    if kind != "gone" and kind != "stall":  # so that the watch that runs meets the fault
        await place.add("reset", ("watch",), times=1)
    await place.add(kind, verbs, **parameters)
    wanted = await changes(place)
    before = len(following.batches)
    lasts = parameters.get("lasts", 5.0)
    await place.clock.advance(lasts / 2)
    await assert_rests(place)
    await place.clock.advance(lasts / 2 - 1)
    seen = following.batches[before:]
    if told:
        assert any(batch.kind == "stale" and batch.reason for batch in seen)
    await place.clock.advance(120)
    assert following.held == wanted
    assert not following.stale
    assert_no_hot_loop(place, most=12)
    # Half a minute is the longest pause between two tries, so a fault of 60 s costs a handful of requests.
    assert len(place.wire.sent) <= 40


async def test_a_silent_watch_is_given_up_after_70_seconds(place: Place, following: Following) -> None:
    await place.add("stall", ("watch",))
    await changes(place)
    await place.clock.advance(68)
    assert not following.stale
    await place.clock.advance(3)
    assert following.stale
    assert following.held == {"kept": "0", "lost": "0"}  # the last data stays


async def test_a_watch_cut_at_every_byte_of_an_event_loses_nothing(place: Place) -> None:
    for offset in range(0, 400, 7):
        following = Following(place)
        await place.clock.advance(0.5)
        await place.add("reset", ("watch",), times=1)
        await place.add("cut", ("watch",), bytes=offset, times=1)
        place.api.create(CONFIGMAPS, config(f"m{offset}", n="ü"), "shop")
        await place.clock.advance(10)
        assert following.held[f"m{offset}"] == "ü"
        assert sorted(following.held) == sorted(place.names())
        await following.close()
        # The half line is dropped and the watch resumed behind the last whole one: nothing is listed again.
        lists = [request for _, request in place.wire.sent if ("watch", "true") not in request.query]
        assert len(lists) == 1 + offset // 7


async def test_a_storm_of_failures_slows_down_and_ends(place: Place, following: Following) -> None:
    """30 % failures, 10 % asked to slow down, 5 % broken, for half an hour."""
    await place.add("error", BOTH, probability=0.3, seed=11, lasts=1800.0)
    await place.add("throttle", BOTH, probability=0.1, seed=12, lasts=1800.0)
    await place.add("cut", ("watch",), bytes=200, probability=0.5, seed=13, lasts=1800.0)
    for number in range(60):
        place.api.patch(CONFIGMAPS, "kept", {"data": {"n": str(number)}}, "shop")
        await place.clock.advance(30)
    await place.clock.advance(60)
    assert following.held == {"kept": "59", "lost": "0"}
    assert len(place.wire.sent) / 1860 < 1.0  # requests a second
    assert_no_hot_loop(place)
