"""Some of the backups that lie; ``python -m tests.prove.liars`` has all of them prove themselves."""

from __future__ import annotations

import pytest

from tests.prove.liars.__main__ import LEAST
from tests.prove.liars.liar import FAILED, REFUSED, Liar, Told, told, wrong
from tests.prove.liars.table import LIARS

# One of each family, and what was PASSED once.
SAMPLE = (
    "the list of objects is longer than the tarball", "a disk snapshot that was never taken",
    "a volume ended before its last byte", "rules were not applied", "200 from an empty database",
    "newer data than can be", "a snapshot's storage is gone",
)  # fmt: skip


@pytest.mark.parametrize("liar", [one for one in LIARS if one.name in SAMPLE], ids=lambda one: one.name)
async def test_a_backup_that_lies_is_found_out_and_its_honest_twin_is_passed(liar: Liar) -> None:
    assert wrong(liar, await told(liar)) == []


def test_there_are_as_many_liars_as_promised_each_of_its_own_name() -> None:
    assert len({one.name for one in LIARS}) == len(LIARS) >= LEAST
    assert {one.name for one in LIARS} >= set(SAMPLE)


def test_the_judge_of_liars_sees_each_way_to_be_wrong() -> None:
    liar = Liar("x", lambda ground: None, "no data")
    good = Told("x", ("PASSED", ""), ("FAILED", "there is no data"))
    assert wrong(liar, good) == []
    assert wrong(liar, Told("x", ("PASSED", ""), ("PASSED", "no data")))[0].startswith("FALSE PASSED")
    assert wrong(liar, Told("x", ("FAILED", ""), (FAILED, "no data"))) == ["the honest one is FAILED: "]
    assert wrong(liar, Told("x", ("PASSED", ""), (REFUSED, "no data"))) == ["REFUSED instead of FAILED: no data"]
    assert wrong(liar, Told("x", ("PASSED", ""), (FAILED, "other"))) == ["'no data' is not said: other"]
    assert wrong(liar, Told("x", ("PASSED", ""), (FAILED, "no data"), ["pv"])) == ["left behind: pv"]
