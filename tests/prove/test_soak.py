"""A few proofs on one engine leave nothing and grow nothing; ``make soak`` runs a hundred on a real sandbox."""

from __future__ import annotations

import pytest

from tests.prove.soak.flat import growth, risen
from tests.prove.soak.inside import soak
from tests.prove.soak.outside import grown


async def test_proofs_in_a_row_and_at_once_leave_nothing() -> None:
    found = await soak(2, 2)
    assert found["breaches"] == []
    assert found["proofs"] == 3


def test_what_grows_is_told_from_what_warms_up() -> None:
    assert growth([0, 100, 200, 300, 300, 300, 300, 300]) == 0
    assert growth([5, 5, 5, 5, 10, 20, 30, 40]) == pytest.approx(10)
    assert growth([9, 9, 9, 9, 10, 30, 20, 10, 20, 30, 10, 20]) == 0
    assert growth([1, 2, 3]) == 0


def test_connections_that_come_and_go_are_no_growth_and_one_that_stays_of_each_proof_is() -> None:
    busy = [30, 32, 31, 30, 34, 28, 34, 30, 34, 30]
    assert risen(busy, 30) == 0
    assert risen(busy, 28) < 0
    assert risen([*range(30, 40)], 39) == pytest.approx(0.9)
    assert risen([30, 32, 33, 31, 34, 36, 37, 35, 38, 39], 36) > 0.5
    assert risen([30], 31) == 1


def _sizes(**more: float) -> dict[str, dict[str, float]]:
    still = {"objects_per_proof": 0.0, "rss_per_proof": 0.0, "descriptors_per_proof": 0.0, "threads_per_proof": 0.0}
    engine, cluster = dict(still), dict(still)
    for what, value in more.items():
        name, _, figure = what.partition("_")
        {"engine": engine, "sandbox": cluster}[name][f"{figure}_per_proof"] = value
    return {"engine": engine, "sandbox": cluster}


@pytest.mark.parametrize("rows", [10, 100])
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, []),
        ({"engine_objects": 500.0, "sandbox_rss": 500.0, "engine_descriptors": 0.4}, []),
        ({"engine_objects": 600.0}, ["engine holds 600.0 KiB more with each proof"]),
        ({"sandbox_rss": 4000.0}, ["sandbox takes 4000.0 KiB more with each proof"]),
        ({"engine_descriptors": 1.0}, ["descriptors of engine grow"]),
        ({"sandbox_threads": 1.0}, ["threads of sandbox grow"]),
    ],
)
def test_what_is_kept_for_good_is_a_breach(rows: int, more: dict[str, float], told: list[str]) -> None:
    assert grown(_sizes(**more), rows, 200) == told


def test_in_a_short_run_caches_fill() -> None:
    told = ["engine takes 600.0 KiB more with each proof"]
    assert grown(_sizes(engine_rss=600.0), 100, 200) == told
    assert grown(_sizes(engine_rss=600.0), 10, 200) == []
    assert grown(_sizes(engine_rss=1600.0), 10, 200) == ["engine takes 1600.0 KiB more with each proof"]
