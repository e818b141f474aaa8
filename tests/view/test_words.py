"""Ages, sizes, schedules, filters and commands in the words a person reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.objects import Meta, Schedule, ScheduleSpec, ScheduleStatus
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.topics import ContextRow
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import commands, documents, filters, forms, schedules, status, times, trouble
from lazarus_tui.view.sheet import Column, fit
from lazarus_tui.view.source import LinkState, TopicState
from lazarus_tui.view.text import Tone, plain
from lazarus_tui.view.typed import typed

NOW = datetime(2026, 11, 20, 10, 42, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.041, "41ms"), (0, "0s"), (42, "42s"), (252, "4m12s"), (11220, "3h07m"), (187200, "2d4h"), (3715200, "43d"),
     (None, "unknown")],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds, words):
    assert times.duration(seconds) == words


def test_ages_of_the_future_and_of_nothing_are_said():
    assert times.age(rfc3339(NOW + timedelta(minutes=5)), NOW) == "in 5m00s"
    assert times.age(None, NOW) == "-"
    assert times.age("yesterday", NOW) == "-"


def test_sizes_and_amounts():
    assert times.size(512) == "512 B"
    assert times.size(1.5 * 2**30) == "1.5 GiB"
    assert times.amount(22, 40, "items") == "22 of 40 items"
    assert times.amount(22, 0, "items") == "22 items", "an unknown total is not invented"
    assert times.go_duration("720h0m0s") == "30d"


def test_every_phase_has_glyph_and_word_and_unknown_ones_stay_as_they_are():
    for word in ("Completed", "PartiallyFailed", "Failed", "InProgress", "New"):
        glyph, _, rest = status.phase(word).text.partition(" ")
        assert glyph
        assert rest == word
    assert status.phase("SomethingNew").text == "? SomethingNew"
    assert status.phase("").text == "○ New"
    assert "\x1b" not in status.phase("\x1b[31mFailed").text


def schedule(line: str = "0 * * * *", *, last: timedelta | None = timedelta(minutes=42), **more) -> Schedule:
    return Schedule(
        metadata=Meta(name="hourly", creation_timestamp=rfc3339(NOW - timedelta(days=3))),
        spec=ScheduleSpec(schedule=line, **more),
        status=ScheduleStatus(phase="Enabled", last_backup=rfc3339(NOW - last) if last else None),
    )


def test_a_schedule_says_when_it_runs_next_and_when_it_is_late():
    assert schedules.next_cell(schedule(), NOW).text == "in 17m"
    assert schedules.next_cell(schedule(last=timedelta(hours=3)), NOW).text == "▲ late 2h"
    assert schedules.next_cell(schedule(last=None), NOW).text == "▲ late 2d"
    assert schedules.next_cell(schedule(paused=True, last=timedelta(days=9)), NOW).text == "paused"
    assert schedules.next_cell(schedule("not a line"), NOW).text == "never"
    assert schedules.words(schedule("not a line")) == "not a line"


FILTERS = [
    ("/hourly", True), ("/!hourly", False), ("/-l tier=db", True), ("/-l tier!=db", False), ("/-l tier", True),
    ("/-l owner", False), ("/-f kahrly", True), ("/-f zzz", False), ("/ka.*ly", True), ("/ka(", False), ("/", True),
    ("/!", True), ("/-l", True),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "found"), FILTERS)
def test_the_four_forms_of_a_filter(typed, found):
    assert filters.parse(typed).matches("ka-03-hourly Completed", {"tier": "db"}) is found


def test_a_filter_that_python_doubts_is_still_a_filter():
    assert filters.parse("/[[]x").matches("a[x", {})


@given(st.text(max_size=200), st.text(max_size=300))
def test_no_filter_raises_whatever_is_typed(typed, text):
    filters.parse(typed).matches(text, {"a": "b"})


def test_a_runaway_expression_is_taken_literally():
    assert filters.parse("/(a+)+$").note == "taken literally"


COMMANDS = [
    (":backups", commands.Command("backups")),
    (":ba shop", commands.Command("backups", "shop")),
    (":backups shop /daily @prod", commands.Command("backups", "shop", "/daily", "prod")),
    (":sc @prod", commands.Command("schedules", context="prod")),
    (":ctx prod", commands.Command("overview", context="prod")),
    (":@prod", commands.Command("overview", context="prod")),
    (":q", commands.Command("quit")),
    (":", commands.Command()),
    (":backups all", commands.Command("backups")),
]


@pytest.mark.parametrize(("typed", "command"), COMMANDS)
def test_the_grammar_of_commands(typed, command):
    assert commands.parse(typed) == command


def test_mistyped_commands_are_explained():
    assert commands.parse(":bakups").error.startswith("unknown: bakups; known: overview")
    assert "one namespace" in commands.parse(":backups a b").error


@given(st.text(max_size=80))
def test_no_command_raises_whatever_is_typed(typed):
    commands.parse(typed)
    commands.complete(typed, namespaces=("shop",), contexts=("prod",))


def test_completion_takes_the_first_match():
    assert commands.complete(":ba") == "backups"
    assert commands.complete(":backups sh", namespaces=("shop", "web")) == "backups shop"
    assert commands.complete(":backups @p", contexts=("prod",)) == "backups @prod"
    assert commands.complete(":zz") == ":zz"


def test_forms_become_parameters_or_a_sentence():
    typed = {"namespaces": "shop, web", "ttl": "30d", "labels": "app=orders", "files": "yes", "name": ""}
    assert forms.backup_params(typed) == {
        "namespaces": ["shop", "web"], "ttl": "720h0m0s", "labels": {"app": "orders"}, "fs_backup": True,
    }  # fmt: skip
    for wrong in ({"ttl": "soon"}, {"labels": "app"}, {"name": "Bad Name"}, {"files": "maybe"}):
        with pytest.raises(ValueError, match=next(iter(wrong.values()))):
            forms.backup_params(wrong)
    with pytest.raises(ValueError, match="which backup"):
        forms.restore_params({})


COLUMNS = (
    Column("a", "A", 0, 10, 40), Column("b", "B", 1, 5, 40), Column("c", "C", 2, 5, 10, right=True),
    Column("d", "D", 3),
)  # fmt: skip


@given(st.lists(st.integers(0, 60), min_size=4, max_size=4), st.integers(20, 250))
def test_columns_fit_and_the_first_one_stays(natural, width):
    fitted = fit(COLUMNS, natural, width)
    assert fitted.columns[0][0] == 0
    assert sum(wide for _, wide in fitted.columns) + 2 * (len(fitted.columns) - 1) <= width


def test_low_priorities_go_first_and_numbers_are_never_cut():
    shown = [index for index, _ in fit(COLUMNS, [30, 30, 8, 8], 30).columns]
    assert shown == [0, 1, 2]
    widths = dict(fit(COLUMNS, [30, 30, 8, 8], 30).columns)
    assert widths[2] == 8


def test_an_operation_that_ended_with_a_bad_verdict_is_never_green():
    assert status.operation_state(OpState.DONE).tone is Tone.GOOD
    assert status.operation_state(OpState.DONE, Verdict.PASSED).tone is Tone.GOOD
    for bad in (Verdict.FAILED, Verdict.INCONCLUSIVE):
        assert status.operation_state(OpState.DONE, bad).tone is Tone.MUTED
        assert status.outcome(OpState.DONE, bad).text.endswith(bad.value)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.21, "4.2s"), (0.352, "0.35s"), (0.012, "12ms"), (9.96, "9s"), (47.3, "47s"), (252, "4m12s"), (0.0, "0s"),
     (None, "unknown")],
)  # fmt: skip
def test_a_short_figure_that_is_final_has_its_decimal(seconds, words):
    assert times.measured(seconds) == words


def test_a_preview_of_nothing_says_so():
    shown = "\n".join(map(plain, forms.preview({"namespaces": ["shop"], "objects": {}, "claims": []}, 80)))
    assert "✗ nothing in the cluster matches: this backup would be empty" in shown


def test_no_errors_is_no_red_cross():
    shown = "\n".join(map(plain, documents.results({}, 80)))
    assert "✓ no errors" in shown
    assert "✓ no warnings" in shown
    assert "✗" not in shown


def contexts(*, current: bool) -> TopicState:
    return TopicState(1, "ready", records={"prod": ContextRow(name="prod", current=current)})


@pytest.mark.parametrize(
    ("found", "wanted", "words"),
    [
        (contexts(current=True), "", "connecting to prod …"),
        (contexts(current=False), "prod", "connecting to prod …"),
        (contexts(current=False), "", "No context is chosen"),
    ],
)
def test_first_contact_is_never_called_a_missing_choice(found, wanted, words):
    lines = trouble.nothing(TopicState(), None, found, LinkState.CONNECTED, "", what="backups", empty="", wanted=wanted)
    assert words in "\n".join(map(plain, lines))


def test_commands_for_the_sandbox_are_told_as_they_are_typed() -> None:
    text = "undo it: lazarus undo 9f3c12ab --confirm prod/db; lazarus --sandbox resume 1 or lazarus is old"
    assert typed(text, sandbox=False) == text
    assert typed(text, sandbox=True).startswith("undo it: lazarus --sandbox undo 9f3c12ab")
    assert typed(text, sandbox=True).endswith("; lazarus --sandbox resume 1 or lazarus is old")
    for verb in ("policy enable shop", "prove run", "evidence write 9f3c12ab", "backup list"):
        assert typed(f"next: lazarus {verb}", sandbox=True) == f"next: lazarus --sandbox {verb}"
