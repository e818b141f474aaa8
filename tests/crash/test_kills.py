"""The quick part of ``tests.crash.kills``: five real kills, and what the next engines make of it."""

from __future__ import annotations

import pytest

from tests.crash.arena import APPLIED, PATIENCE, SENT
from tests.crash.killcase import AGAIN, FORGOTTEN, Task
from tests.crash.kills import several

# Each life has its patience, and a case has three at most.
pytestmark = pytest.mark.timeout(3 * PATIENCE)

# A claim is deleted and nobody heard; an undo has only just begun; a snapshot is made after its engine's end.
CHOSEN = (
    Task("one replica", 9, APPLIED, AGAIN),
    Task("undo", 3, APPLIED, FORGOTTEN),
    Task("take", 1, SENT, AGAIN, late=True),
)


async def test_a_killed_engine_loses_nothing_and_its_successor_goes_on() -> None:
    ended = {}
    async for task, told in several(CHOSEN):
        assert told.breaches == [], task
        ended[task.scene] = (told.state, told.kills, told.adopted)
    assert ended == {
        "one replica": ("done", 2, False),
        "undo": ("undone", 1, True),
        "take": ("done", 2, False),
    }
