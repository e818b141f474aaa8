"""No run begins in a blackout: one that falls into it is left out or begins at its end, and neither is silent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.policies import MOST_COUNTED, Blackout, SnapshotPolicy, closed_until, owed, upcoming
from lazarus_tui.notify.reading import Source
from lazarus_tui.notify.reading import read as read_event
from lazarus_tui.snapshots.policies import read, words
from tests.engine.test_scheduler import at, desk, policy
from tests.snapshots import policy_files as files

DAY = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
WORK = (Blackout("0 8 * * 1-5", 10 * 3600.0), Blackout("30 17 * * *", 3600.0))  # 08:00-18:00, and on to 18:30


def clock(hours: float) -> datetime:
    return DAY + timedelta(hours=hours)


def hourly(**fields: Any) -> SnapshotPolicy:
    given = {"schedule": "0 * * * *", "blackout": WORK, **fields}
    return SnapshotPolicy(name="p", namespace="n", statefulset="s", **given)


@pytest.mark.parametrize(
    ("hours", "end"), [(7.99, None), (8, 18.5), (17.9, 18.5), (18.4, 18.5), (18.5, None), (24 * 5 + 9, None)]
)
def test_a_blackout_ends_where_no_other_one_goes_on(hours: float, end: float | None) -> None:
    assert closed_until(hourly(), clock(hours)) == (clock(end) if end else None)


def test_what_falls_into_it_is_left_out_or_made_up_for_at_its_end() -> None:
    skips, defers = hourly(), hourly(in_blackout="defer", catch_up="skip")
    found = owed(skips, clock(7), clock(12))
    assert (found.runs, found.missed, found.dark, found.newest) == ((), 5, 5, clock(12))
    always = hourly(schedule="* * * * *", blackout=(Blackout("0 0 * * *", 86400.0),))
    found = owed(always, clock(0), clock(24 * 3))
    assert (found.runs, found.missed, found.dark) == ((), MOST_COUNTED, MOST_COUNTED), "of so many, all are as planned"
    found = owed(defers, clock(7), clock(18.51))
    assert (found.runs, found.missed, found.dark) == ((clock(18),), 10, 0)
    assert owed(defers, clock(7), clock(18.6)).runs == ()  # too late, and this one makes up for nothing
    before = owed(hourly(), clock(5), clock(12))  # asleep since five: seven o'clock is owed, the rest was dark
    assert (before.runs, before.missed, before.dark) == ((clock(7),), 1, 5)


def test_the_next_runs_are_those_that_will_begin() -> None:
    assert upcoming(hourly(), clock(6.5), 3) == (clock(7), clock(19), clock(20))
    assert upcoming(hourly(in_blackout="defer"), clock(6.5), 3) == (clock(7), clock(18.5), clock(19))
    touching = (Blackout("0 8 * * *", 10 * 3600.0),)
    assert upcoming(hourly(blackout=touching), clock(7.5), 2) == (clock(18), clock(19))
    assert upcoming(hourly(blackout=touching, in_blackout="defer"), clock(7.5), 2) == (clock(18), clock(19))
    always = hourly(blackout=(Blackout("0 0 * * *", 86400.0),))
    assert upcoming(always, clock(0), 3) == ()


async def test_a_run_that_is_left_out_is_told_and_the_next_one_is_taken() -> None:
    async with desk() as it:
        await it.store(policy(blackout=(Blackout("5 0 * * *", 240.0),)))
        held = await it.after(4.5)
        assert it.ids() == []
        row = it.policies.row(held)
        assert (row.missed, row.trouble) == (1, "1 run was left out, 1 because of a blackout")
        assert row.next == "2026-01-01T00:10:00Z"
        held = await it.after(5)
        assert (held.outcome, it.ids()) == ("taken", [at(datetime(2026, 1, 1, 0, 10, tzinfo=UTC))])


async def test_runs_of_which_a_blackout_took_only_some_are_told_as_missed() -> None:
    async with desk() as it:
        await it.store(policy(schedule="0,5,10,15 * * * *", blackout=(Blackout("5 0 * * *", 240.0),), catch_up="skip"))
        held = await it.after(25)
        assert (held.missed, it.policies.row(held).trouble) == (
            3, "2 runs were missed while nothing could run: left out (catchUp: skip)",
        )  # fmt: skip
        event = (await it.engine.journal.events_of("policy"))[-1]
        assert [one.told for one in read_event(Source(event))] == ["overdue"]


async def test_a_run_that_is_deferred_says_until_when_and_is_taken_then() -> None:
    async with desk() as it:
        await it.store(policy(blackout=(Blackout("5 0 * * *", 240.0),), in_blackout="defer", run_on_create=True))
        assert (await it.look()).outcome == "taken"  # before the blackout
        held = await it.after(4.5)
        assert (
            it.policies.row(held).trouble == "due, but no run begins in a blackout, which ends at 2026-01-01T00:09:00Z"
        )
        assert len(it.ids()) == 1
        held = await it.after(4)
        assert (held.outcome, it.ids()[0]) == ("taken", at(datetime(2026, 1, 1, 0, 5, tzinfo=UTC)))


DARK = files.OWN + 'blackout: [{begins: "0 8 * * 1-5", lasts: 10h}]\ninBlackout: defer\n'


def test_a_file_says_it_and_is_told_what_it_means() -> None:
    found = read(DARK.encode())
    assert isinstance(found, SnapshotPolicy)
    assert (found.blackout, found.in_blackout) == ((Blackout("0 8 * * 1-5", 36000.0),), "defer")
    assert any("for 10h; one whose time falls into that begins when it is over" in said for said in words(found))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("0 8 * * 1-5", "at eight", "blackout.0.begins"),
        ("lasts: 10h", "lasts: 169h", "at most 7 days"),
        ("lasts: 10h", "lasts: 0s", "more than 0 s"),
        ("inBlackout: defer", "inBlackout: wait", "inBlackout"),
        ('schedule: "30 2 * * *"\n', "", "belong to a schedule"),
    ],
)
def test_a_blackout_that_is_wrong_is_refused_with_its_place(old: str, new: str, told: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        read(DARK.replace("catchUp: runAll\n", "").replace(old, new).encode())
    assert told in f"{refused.value.what} {refused.value.where}"
