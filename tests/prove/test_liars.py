"""Some backups that lie, some hostile applications, some planted bugs; ``python -m tests.prove.liars`` has them all."""

from __future__ import annotations

import pytest

from tests.prove.hostile import APPLICATIONS, Application
from tests.prove.liars.hostile import LEAST_APPLICATIONS, besieged
from tests.prove.liars.liar import FAILED, REFUSED, Liar, Told, told, wrong
from tests.prove.liars.planted import BUGS, LEAST_BUGS, Planted, seen
from tests.prove.liars.table import LEAST, LIARS

# One of each family, and what was PASSED once.
SAMPLE = (
    "the list of objects is longer than the tarball", "a disk snapshot that was never taken",
    "a volume ended before its last byte", "rules were not applied", "200 from an empty database",
)  # fmt: skip
HOSTILE = ("mutatingwebhookconfiguration", "running-job")
PLANTED = ("cleaning goes by names", "NOT TESTED counts as PASSED")


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


@pytest.mark.parametrize("app", [one for one in APPLICATIONS if one.name in HOSTILE], ids=lambda one: one.name)
async def test_a_hostile_application_changes_nothing_outside_of_its_quarantine(app: Application) -> None:
    found = await besieged(app)
    assert (found.changed, found.bare, found.unfit) == ([], [], [])
    assert found.end == "PASSED"
    assert found.objects > 90


@pytest.mark.parametrize("bug", [one for one in BUGS if one.name in PLANTED], ids=lambda one: one.name)
async def test_a_planted_bug_is_seen(bug: Planted) -> None:
    assert await seen(bug) != []
    assert await bug.probe() == [], "without the bug the same probe sees nothing"


def test_there_are_as_many_hostile_applications_and_bugs_as_promised() -> None:
    assert len(APPLICATIONS) > LEAST_APPLICATIONS
    assert len({one.name for one in BUGS}) == len(BUGS) >= LEAST_BUGS
