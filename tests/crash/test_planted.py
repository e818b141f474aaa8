"""The harness sees every bug it was built for, and nothing where there is none."""

from __future__ import annotations

import pytest

from tests.crash.planted import BUGS, Planted, meddled, restored, seen


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
async def test_a_planted_bug_is_seen(bug: Planted) -> None:
    assert await seen(bug) != []


async def test_without_a_bug_the_same_probes_see_nothing() -> None:
    assert await restored()() == []
    assert await meddled("POST", source=False)() == []
    assert await meddled("POST", source=True)() == []
    assert await meddled("DELETE", source=False)() == []


def test_all_fifteen_are_planted() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) == 15
