"""A few proofs on one engine leave nothing and grow nothing; ``make soak`` runs a hundred on a real sandbox."""

from __future__ import annotations

import pytest

from tests.prove.soak.flat import growth
from tests.prove.soak.inside import soak


async def test_proofs_in_a_row_and_at_once_leave_nothing() -> None:
    found = await soak(2, 2)
    assert found["breaches"] == []
    assert found["proofs"] == 3


def test_what_grows_is_told_from_what_warms_up() -> None:
    assert growth([0, 100, 200, 300, 300, 300, 300, 300]) == 0
    assert growth([5, 5, 5, 5, 10, 20, 30, 40]) == pytest.approx(10)
    assert growth([9, 9, 9, 9, 10, 30, 20, 10, 20, 30, 10, 20]) == 0
    assert growth([1, 2, 3]) == 0
