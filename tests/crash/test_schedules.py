"""A few of the kills of ``tests.crash.schedules``, spread over a run."""

from __future__ import annotations

import pytest

from tests.crash.schedules import life


@pytest.mark.parametrize(("k", "lose"), [(9, False), (31, True)])
async def test_a_killed_engine_neither_forgets_a_run_nor_takes_it_twice(k: int, lose: bool) -> None:
    found = await life(k, lose=lose)
    assert found.cut
    assert found.breaches == []
