"""The quick part of the scene with two live engines: one moment for each way and each clock."""

from __future__ import annotations

import pytest

from tests.crash.invariants import stale
from tests.crash.overtaken import CLOCKS, COUNTED, NOTHING, WAYS, Sent, overtaken

SCENE = "one replica"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("clock", CLOCKS)
async def test_who_was_overtaken_sends_nothing_more(way: str, clock: str) -> None:
    k = {"resume": 185, "undo": 231}[way] + CLOCKS.index(clock) * 30
    life = await overtaken(SCENE, k, way, clock)
    assert life.breaches == []
    assert life.cut, "it was suspended, and woke"
    assert life.state == {"resume": "done", "undo": "undone"}[way]


async def test_before_its_capsule_there_is_nothing_to_take_over_and_the_first_one_ends_it() -> None:
    life = await overtaken(SCENE, 3, "resume", COUNTED)
    assert (life.breaches, life.state) == ([], NOTHING)


def test_a_write_by_a_lower_fence_is_seen() -> None:
    log = [Sent("first", 0, "a"), Sent("second", 1, "b"), Sent("second", 1, "c")]
    assert list(stale(log)) == []
    assert list(stale([*log, Sent("first", 0, "d")])) == ["I5 first sent d with fence 0, after one with 1"]
