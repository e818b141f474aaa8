"""Cron lines against a minute-by-minute scan, and the cases in which the engines disagree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_tui.model import cron
from lazarus_tui.model.cron import CronError, parse

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    part = st.one_of(
        st.just("*"),
        number.map(str),
        st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        st.integers(1, 20).map(lambda step: f"*/{step}"),
        st.tuples(number, st.integers(1, 9)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    )
    return st.lists(part, min_size=1, max_size=2).map(",".join)


LINES = st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)).map(" ".join)


def numbers(text: str, low: int, high: int) -> tuple[set[int], bool]:
    """An independent reading of a field: its numbers, and whether it counts as a star."""
    found: set[int] = set()
    star = False
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            bounds, star = (low, high), star or step in ("", "1")
        elif last:
            bounds = (int(first), int(last))
        else:
            bounds = (int(first), high if step else int(first))
        found |= set(range(bounds[0], bounds[1] + 1, int(step or 1)))
    return found, star


def fires(line: str, local: datetime, both: bool) -> bool:
    minute, hour, day, month, week = line.split()
    (days, day_star), (weekdays, week_star) = numbers(day, 1, 31), numbers(week, 0, 6)
    in_month, in_week = local.day in days, local.isoweekday() % 7 in weekdays
    on = in_month and in_week if both or day_star or week_star else in_month or in_week
    return (
        on
        and local.month in numbers(month, 1, 12)[0]
        and local.hour in numbers(hour, 0, 23)[0]
        and local.minute in numbers(minute, 0, 59)[0]
    )


@settings(max_examples=120, deadline=None)
@given(LINES, st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)), st.booleans())
def test_next_is_the_first_minute_of_a_scan(line: str, moment: datetime, both: bool) -> None:
    start = moment.replace(tzinfo=UTC)
    found = parse(line, "velero-1.19" if both else "velero").next(start)
    minute = start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for _ in range(2 * 1440):
        if fires(line, minute, both):
            assert found == minute
            return
        minute += timedelta(minutes=1)
    assert found is None or found >= minute


@settings(max_examples=60, deadline=None)
@given(LINES, st.sampled_from(["2026-03-28T20:00", "2026-10-24T20:00"]))
def test_clock_changes_follow_the_wall_under_the_old_rule(line: str, start: str) -> None:
    minute = at(start)
    end = minute + timedelta(hours=14)
    expected = []
    while minute < end:
        minute += timedelta(minutes=1)
        if fires(line, minute.astimezone(BERLIN), both=False):
            expected.append(minute)
    got = []
    moment = parse(line, zone="Europe/Berlin").next(at(start))
    while moment is not None and moment <= end:
        got.append(moment)
        moment = parse(line, zone="Europe/Berlin").next(moment)
    assert got == expected


@settings(max_examples=60, deadline=None)
@given(LINES, st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)), st.sampled_from(["UTC", "Europe/Berlin"]))
def test_previous_undoes_next(line: str, moment: datetime, zone: str) -> None:
    line_ = parse(line, zone=zone)
    first = line_.next(moment.replace(tzinfo=UTC))
    if first is None:
        return
    assert line_.previous(first + timedelta(microseconds=1)) == first
    second = line_.next(first)
    if second is not None:
        assert line_.previous(second) == first


@pytest.mark.parametrize(
    ("line", "rule", "after", "expected"),
    [
        ("*/30 * * * *", "velero", "2026-01-01T00:00:00", "2026-01-01T00:30:00"),
        ("30 * * * *", "velero", "2026-01-01T00:30:00", "2026-01-01T01:30:00"),
        ("0 3 1,15 * 0", "velero", "2026-01-02T00:00:00", "2026-01-04T03:00:00"),  # a Sunday
        ("0 3 1,15 * 0", "velero-1.19", "2026-01-02T00:00:00", "2026-02-01T03:00:00"),  # the 1st and a Sunday
        ("0 0 */2 * mon", "velero", "2026-01-03T00:00:00", "2026-01-05T00:00:00"),  # */2 is no star: OR
        ("0 2 * * 7", "velero-1.19", "2026-01-01T00:00:00", "2026-01-04T02:00:00"),
        ("0 22-2 * * *", "velero-1.19", "2026-01-01T02:30:00", "2026-01-01T22:00:00"),
        ("? ? ? JAN Fri", "kubernetes", "2025-12-31T23:59:00", "2026-01-02T00:00:00"),
        ("@weekly", "velero", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("@every 1h30m", "velero", "2026-01-01T00:10:00.7", "2026-01-01T01:40:00"),
        ("CRON_TZ=Europe/Berlin 0 2 * * *", "velero", "2026-01-01T00:00:00", "2026-01-01T01:00:00"),
        ("TZ=America/New_York @daily", "velero", "2026-01-01T00:00:00", "2026-01-01T05:00:00"),
        ("0 0 29 2 *", "velero", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("59/15 * * * *", "velero", "2026-01-01T00:00:00", "2026-01-01T00:59:00"),
    ],
)
def test_known_cases(line: str, rule: str, after: str, expected: str) -> None:
    assert parse(line, rule).next(at(after)) == at(expected)


def test_a_skipped_time_is_skipped_or_made_up_for() -> None:
    old, new = parse("30 2 * * *", zone="Europe/Berlin"), parse("30 2 * * *", "velero-1.19", zone="Europe/Berlin")
    eve = at("2026-03-28T12:00:00")
    assert old.next(eve) == at("2026-03-30T00:30:00")
    assert new.next(eve) == at("2026-03-29T01:00:00")  # 03:00 CEST, the moment after the jump
    assert old.longest_gap(at("2026-03-20T00:00:00"), days=14) == timedelta(hours=47)


def test_a_repeated_time_runs_twice_or_once() -> None:
    eve = at("2026-10-24T12:00:00")
    old, new = parse("30 2 * * *", zone="Europe/Berlin"), parse("30 2 * * *", "velero-1.19", zone="Europe/Berlin")
    assert old.upcoming(eve, 2) == (at("2026-10-25T00:30:00"), at("2026-10-25T01:30:00"))
    assert new.upcoming(eve, 2) == (at("2026-10-25T00:30:00"), at("2026-10-26T01:30:00"))


@pytest.mark.parametrize("line", ["0 0 31 2 *", "0 0 30 feb *", "0 0 31 4,6,9,11 *"])
def test_never_is_said_and_not_searched_for_ever(line: str) -> None:
    assert parse(line).next(at("2026-01-01T00:00:00")) is None
    assert parse(line).previous(at("2026-01-01T00:00:00")) is None


def test_a_leap_day_more_than_five_years_away_is_never() -> None:
    assert parse("0 0 29 2 *").next(at("2096-03-01T00:00:00")) is None


@pytest.mark.parametrize(
    ("line", "rule", "where"),
    [
        ("0 2 * * 7", "velero", "day of week"),
        ("0 2 * * 7", "kubernetes", "day of week"),
        ("60 * * * *", "velero", "minute"),
        ("* 24 * * *", "velero", "hour"),
        ("* * 0 * *", "velero", "day of month"),
        ("* * * 13 *", "velero", "month"),
        ("*/0 * * * *", "velero", "minute"),
        ("0 22-2 * * *", "velero", "hour"),
        ("0 0 L * *", "velero", "day of month"),
        ("0 0 * * 5#1", "velero", "day of week"),
        ("0 0 0 * * *", "velero", "0 0 0 * * *"),
        ("", "velero", ""),
        ("@fortnightly", "velero", "@fortnightly"),
        ("@every 2 days", "velero", "@every"),
        ("@every -5m", "velero", "@every"),
        ("TZ=Mars/Base 0 0 * * *", "velero", "time zone"),
        ("TZ=../../etc/passwd 0 0 * * *", "velero", "time zone"),
        ("TZ=UTC 0 0 * * *", "kubernetes", "TZ"),
        ("1- * * * *", "velero", "minute"),
        ("-1 * * * *", "velero", "minute"),
        ("1,,2 * * * *", "velero", "minute"),
        ("² * * * *", "velero", "minute"),
    ],
)
def test_what_the_controller_refuses_is_refused_with_the_place(line: str, rule: str, where: str) -> None:
    with pytest.raises(CronError) as caught:
        parse(line, rule)
    assert caught.value.where == where
    assert caught.value.what


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.sampled_from(sorted(cron.RULES)))
def test_no_text_raises_anything_else(text: str, rule: str) -> None:
    try:
        found = parse(text, rule)
    except CronError:
        return
    assert found.describe()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("*/30 * * * *", "every 30 minutes"),
        ("30 * * * *", "every hour at minute 30"),
        ("0 * * * *", "every hour"),
        ("* * * * *", "every minute"),
        ("0 2 * * *", "02:00 every day"),
        ("0 3 * * 0", "03:00 every Sunday"),
        ("0 4 1 * *", "04:00 on day 1 of the month"),
        ("0 3 1,15 * 0", "03:00 on day 1 and 15 of the month and every Sunday"),
        ("0 */6 * * *", "00:00, 06:00, 12:00 and 18:00 every day"),
        ("0 */2 * * *", "every 2 hours"),
        ("@every 1h30m", "every 1 hour 30 minutes"),
        ("@yearly", "00:00 on day 1 of the month in January"),
        ("CRON_TZ=Europe/Berlin 0 2 * * mon-fri", "02:00 every Monday to Friday (Europe/Berlin)"),
    ],
)
def test_plain_words(line: str, words: str) -> None:
    assert parse(line).describe() == words


def test_the_two_readings_of_both_days_are_told_apart() -> None:
    assert "if it is a Sunday" in parse("0 3 1 * 0", "velero-1.19").describe()
    assert "and every Sunday" in parse("0 3 1 * 0", "velero").describe()


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        parse("* * * * *").next(datetime(2026, 1, 1))


def test_longest_gap_sees_the_weekend() -> None:
    line = parse("0 9-17 * * 1-5", zone="Europe/Berlin")
    assert line.longest_gap(at("2026-01-01T00:00:00")) == timedelta(hours=65)  # the October weekend is an hour longer


def test_longest_gap_of_rare_lines_and_of_clock_changes() -> None:
    start = at("2026-01-01T00:00:00")
    assert parse("0 0 1 1 *").longest_gap(start) == timedelta(days=365)
    assert parse("0 * * * *").longest_gap(start) == timedelta(hours=1)
    assert parse("30 2 * * *", zone="Europe/Berlin").longest_gap(start) == timedelta(hours=47)
    assert parse("@every 2h").longest_gap(start) == timedelta(hours=2)
    assert parse("0 0 31 2 *").longest_gap(start) is None
