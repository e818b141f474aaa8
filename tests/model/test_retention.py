"""Retention: what a policy keeps, and what it can never remove."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.model.retention import Outcome, Point, Policy, Situation, decide
from lazarus_tui.model.verdict import Verdict

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
AT = Situation(now=NOW)


def point(name: str, hours: float, *, sound: bool = True, verdict: Verdict = Verdict.NOT_TESTED, hold: str = "",
          safety: bool = False, closed: datetime | None = None) -> Point:  # fmt: skip
    taken = NOW - timedelta(hours=hours)
    return Point(id=name, taken=taken, sound=sound, verdict=verdict, hold=hold, safety=safety, closed=closed, size=10)


def kept(outcome: Outcome) -> set[str]:
    return {decision.point.id for decision in outcome.decisions if decision.keep}


def reasons(outcome: Outcome, name: str) -> tuple[str, ...]:
    return next(decision.reasons for decision in outcome.decisions if decision.point.id == name)


def test_the_last_three_stay_and_the_oldest_go_first() -> None:
    outcome = decide([point(f"p{n}", n) for n in range(1, 8)], Policy(keep_last=3, most=2), AT)
    assert [found.id for found in outcome.removed] == ["p6", "p7"]
    assert reasons(outcome, "p4") == ("left for later: at most 2 are removed without a person's word",)
    assert outcome.freed == 20
    confirmed = decide([point(f"p{n}", n) for n in range(1, 8)], Policy(keep_last=3, most=2), AT, confirmed=True)
    assert kept(confirmed) == {"p1", "p2", "p3"}


def test_points_that_failed_neither_count_nor_push_good_ones_out() -> None:
    broken = [point(f"bad{n}", n, sound=False) for n in range(1, 4)]
    outcome = decide([*broken, point("good1", 200), point("good2", 300), point("good3", 400)], Policy(keep_last=2), AT)
    assert kept(outcome) == {"bad1", "bad2", "bad3", "good1", "good2"}
    assert [found.id for found in outcome.removed] == ["good3"]


def test_one_that_a_proof_condemned_is_no_good_point() -> None:
    failed = point("condemned", 1, verdict=Verdict.FAILED)
    outcome = decide([failed, point("older", 2)], Policy(keep_last=1, failed_keep=0, failed_within=timedelta(0)), AT)
    assert kept(outcome) == {"older"}


def test_the_newest_proven_point_stays_behind_a_row_of_untested_ones() -> None:
    points = [point(f"new{n}", n) for n in range(1, 6)] + [point("proven", 99, verdict=Verdict.PASSED)]
    outcome = decide(points, Policy(keep_last=2), AT)
    assert kept(outcome) == {"new1", "new2", "proven"}
    assert reasons(outcome, "proven") == ("newest proven point",)


def test_calendar_rules_take_the_newest_of_each_period_in_the_policys_own_zone() -> None:
    # 23:30 UTC on the 18th is the 19th in Berlin, so it shares a day with 08:00 UTC on the 19th there.
    late = Point(id="late", taken=datetime(2026, 3, 18, 23, 30, tzinfo=UTC), sound=True)
    morning = Point(id="morning", taken=datetime(2026, 3, 19, 8, tzinfo=UTC), sound=True)
    berlin = decide([late, morning], Policy(keep_daily=5, timezone="Europe/Berlin"), AT)
    assert kept(berlin) == {"morning"}
    assert kept(decide([late, morning], Policy(keep_daily=5), AT)) == {"late", "morning"}


def test_an_hour_that_comes_twice_in_autumn_is_two_hours() -> None:
    first = Point(id="summer", taken=datetime(2026, 10, 25, 0, 30, tzinfo=UTC), sound=True)
    second = Point(id="winter", taken=datetime(2026, 10, 25, 1, 30, tzinfo=UTC), sound=True)
    at = Situation(now=datetime(2026, 10, 26, tzinfo=UTC))
    assert kept(decide([first, second], Policy(keep_hourly=9, timezone="Europe/Berlin"), at)) == {"summer", "winter"}


def test_weeks_are_iso_weeks_over_a_new_year() -> None:
    december = Point(id="dec", taken=datetime(2026, 12, 31, tzinfo=UTC), sound=True)  # Thursday of week 53
    january = Point(id="jan", taken=datetime(2027, 1, 2, tzinfo=UTC), sound=True)  # Saturday of the same week
    at = Situation(now=datetime(2027, 1, 3, tzinfo=UTC))
    assert kept(decide([december, january], Policy(keep_weekly=4), at)) == {"jan"}
    assert kept(decide([december, january], Policy(keep_yearly=4), at)) == {"dec", "jan"}


def test_safety_points_have_their_own_time_and_never_count() -> None:
    open_one = point("open", 500, safety=True)
    fresh = point("fresh", 400, safety=True, closed=NOW - timedelta(days=6))
    over = point("over", 450, safety=True, closed=NOW - timedelta(days=8))
    outcome = decide([open_one, fresh, over, point("a", 1), point("b", 2)], Policy(keep_last=1), AT)
    assert kept(outcome) == {"open", "fresh", "a"}


@pytest.mark.parametrize(
    "situation",
    [
        Situation(now=NOW, blocked=("a restore of it runs",)),
        Situation(now=NOW, last_run=NOW + timedelta(seconds=1)),
        Situation(now=NOW, last_run=NOW - timedelta(days=8)),
    ],
)
def test_in_doubt_nothing_is_removed(situation: Situation) -> None:
    outcome = decide([point(f"p{n}", n) for n in range(1, 6)], Policy(keep_last=1), situation)
    assert outcome.removed == ()
    assert outcome.blocked


def test_a_policy_without_a_rule_removes_nothing() -> None:
    assert decide([point(f"p{n}", n) for n in range(1, 30)], Policy(most=100), AT).removed == ()


POINTS = st.lists(
    st.builds(
        Point,
        id=st.uuids().map(str),
        taken=st.one_of(st.none(), st.integers(-48, 24 * 400).map(lambda hours: NOW - timedelta(hours=hours))),
        sound=st.booleans(),
        verdict=st.sampled_from(Verdict),
        hold=st.sampled_from(["", "", "audit"]),
        busy=st.sampled_from(["", "", "a restore reads it"]),
        foreign=st.sampled_from(["", "", "Velero"]),
        safety=st.booleans(),
    ),
    max_size=25,
    unique_by=lambda found: found.id,
)
POLICIES = st.builds(
    Policy,
    keep_last=st.integers(0, 5),
    keep_daily=st.integers(0, 5),
    keep_weekly=st.integers(0, 3),
    keep_within=st.one_of(st.none(), st.integers(1, 200).map(lambda hours: timedelta(hours=hours))),
    min_good=st.integers(0, 4),
    failed_keep=st.integers(0, 3),
    most=st.integers(0, 6),
)


@given(POINTS, POLICIES, st.booleans())
def test_what_can_never_be_removed(points: list[Point], policy: Policy, confirmed: bool) -> None:
    outcome = decide(points, policy, AT, confirmed=confirmed)
    assert {decision.point.id for decision in outcome.decisions} == {found.id for found in points}
    assert all(decision.reasons for decision in outcome.decisions)
    gone = outcome.removed
    assert not any(p.hold or p.busy or p.foreign or p.taken is None or p.taken > NOW for p in gone)
    assert confirmed or len(gone) <= policy.most
    regular = [p for p in points if not (p.safety or p.foreign or p.taken is None or p.taken > NOW)]
    good = [p for p in regular if p.sound and p.verdict is not Verdict.FAILED]
    staying = {p.id for p in good} - {p.id for p in gone}
    if good:
        newest = max(good, key=lambda p: (p.taken or NOW, p.id))
        assert newest.id in staying
    proven = [p for p in good if p.verdict is Verdict.PASSED]
    if proven:
        assert max(proven, key=lambda p: (p.taken or NOW, p.id)).id in staying


@given(POINTS, POLICIES)
def test_a_further_keep_never_removes_more(points: list[Point], policy: Policy) -> None:
    more = replace(policy, keep_last=policy.keep_last + 2, most=99)
    before, after = decide(points, replace(policy, most=99), AT), decide(points, more, AT)
    if not policy.empty:
        assert kept(before) <= kept(after)
