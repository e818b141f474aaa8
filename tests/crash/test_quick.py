"""The quick part of ``make test-crash``: a few cuts of every operation, spread over its length."""

from __future__ import annotations

import pytest

from tests.crash.lives import ACTORS, NEVER, SCENES, case


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("name", [name for name, scene in SCENES.items() if scene.quick])
async def test_a_cut_changes_nothing_that_was_promised(name: str, actor: str) -> None:
    points = (await case(name, NEVER, actor)).points
    offset = ACTORS.index(actor)
    for part in (0.15, 0.5, 0.85):
        k = int(points * part) + offset
        life = await case(name, k, actor)
        assert life.breaches == [], f"cut at {k} of {points}"


@pytest.mark.parametrize("name", ["take under a lock", "take in a session"])
async def test_a_cut_leaves_no_lock_behind(name: str) -> None:
    life = await case(name, 43, "same journal")
    assert life.cut
    assert life.breaches == []
