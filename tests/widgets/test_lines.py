"""Painting: cells are exact, differences are small, tables and pagers show what they hold and only what changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from lazarus_tui.view import backups
from lazarus_tui.view.filters import parse
from lazarus_tui.view.text import Tone, line, plain, span
from tests.console import worlds
from widgets import themes
from widgets.choice import Choice
from widgets.line_block import LineBlock
from widgets.line_table import LineTable
from widgets.pager import LogPager, Pager
from widgets.paint import cell, difference

NOW = datetime(2026, 11, 20, 10, 42, 10, tzinfo=UTC)
WORDS = st.text(st.characters(categories=("Lu", "Ll", "Nd", "Lo")), max_size=60)


@given(WORDS, st.integers(1, 70), st.booleans(), st.booleans())
def test_a_cell_has_exactly_its_width(text, width, right, middle):
    assert cell_len(cell(text, width, right=right, middle=middle)) == width


def test_a_name_cut_in_the_middle_keeps_its_time():
    assert cell("ka-03-hourly-20261120100000", 20, middle=True) == "ka-03-hour…120100000"


@given(WORDS, WORDS)
def test_a_difference_covers_every_changed_cell(before, after):
    old, new = line(before), line(after)
    found = difference(old, new)
    if before == after:
        assert found is None
        return
    assert found is not None
    first, end = found
    width = max(cell_len(before), cell_len(after))
    pad = [list(text + " " * (width - cell_len(text))) for text in (before, after)]
    if before.isascii() and after.isascii():
        wrong = [at for at, (a, b) in enumerate(zip(*pad, strict=True)) if a != b]
        assert all(first <= at < end for at in wrong)


def test_a_difference_in_tone_alone_counts():
    assert difference(line(span("x", Tone.GOOD)), line(span("x", Tone.BAD))) == (0, 1)


class Stage(App[None]):
    """One widget and the theme's styles; remembers what was asked to be repainted."""

    CSS = themes.STYLES

    def __init__(self, widget) -> None:
        super().__init__()
        self.widget = widget
        self.regions: list = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.ANSI_VARIABLES

    def compose(self) -> ComposeResult:
        yield self.widget

    def listen(self) -> None:
        """Count lines that are refreshed from now on."""
        true = self.widget.refresh

        def refresh(*regions, **more):
            self.regions += regions or ["everything"]
            return true(*regions, **more)

        self.widget.refresh = refresh


def text(widget) -> list[str]:
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


async def test_ten_thousand_rows_are_shown_without_being_made():
    made = 0

    def cells(record, now):
        nonlocal made
        made += 1
        return backups.cells(record, now)

    from dataclasses import replace

    one = worlds.backups()["velero/before-the-upgrade"]
    records = {f"velero/b{at:05}": one for at in range(10_000)}
    app = Stage(LineTable(replace(backups.SHEET, cells=cells)))
    async with app.run_test(size=(80, 24)):
        app.widget.show(records, NOW)
        await app.workers.wait_for_complete()
        assert app.widget.counts == (10_000, 10_000)
        assert made < 1000
        app.widget.go(9_999)
        assert "before-the-upgrade" in text(app.widget)[-1]


async def test_an_update_of_a_hidden_row_repaints_nothing_and_of_a_shown_one_its_line():
    records = worlds.backups()
    app = Stage(LineTable(backups.SHEET))
    async with app.run_test(size=(80, 12)) as pilot:
        table = app.widget
        table.show(records, NOW)
        await pilot.pause()
        app.listen()
        hidden, shown = table._keys[-1], table._keys[2]
        table.show({**records, hidden: worlds.backup("hand-made-quick", worlds.ago(days=3), "Completed")}, NOW)
        assert app.regions == []
        name = records[shown].metadata.name
        broken = worlds.backup(name, records[shown].status.start_timestamp, "Failed")
        table.show({**records, shown: broken}, NOW)
        assert [region.y for region in app.regions] == [3]
        await pilot.pause()
        assert "✗ Failed" in text(table)[3]


async def test_the_table_at_80_columns_reads_like_this():
    app = Stage(LineTable(backups.SHEET))
    async with app.run_test(size=(80, 6)) as pilot:
        app.widget.show(worlds.backups(), NOW)
        app.widget.toggle_mark()
        await pilot.pause()
        shown = text(app.widget)
    assert shown[0].split() == ["NAME", "STATUS", "AGE↓", "FAULTS"]
    assert shown[1].startswith("● ka-03-hou")
    assert "▶ 40% InProgress" in shown[1]
    assert shown[4].split()[1:] == ["▲", "PartiallyFailed", "1h42m", "1", "err", "3", "warn"]
    assert max(map(cell_len, shown)) <= 80


async def test_filters_and_faults_narrow_and_the_cursor_stays_in_range():
    app = Stage(LineTable(backups.SHEET))
    async with app.run_test(size=(80, 12)) as pilot:
        table = app.widget
        table.show(worlds.backups(), NOW)
        table.go(29)
        table.narrow(faults_only=True)
        await pilot.pause()
        assert table.counts == (3, 30)
        table.narrow(filter=parse("/nothing-like-it"))
        assert table.record is None
        assert table.chosen() == []


async def test_a_pager_finds_and_says_how_often():
    lines = [line(f"line {at} {'needle' if at % 40 == 7 else ''}") for at in range(200)]
    app = Stage(Pager(lines))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        app.widget.search("needle")
        await pilot.pause()
        assert len(app.widget._matches) == 5
        app.widget.action_match(1)
        await pilot.pause()
        assert any("line 47 needle" in shown for shown in text(app.widget))
        app.widget.search("(")
        assert app.widget._matches == []


async def test_a_log_follows_its_end_until_the_reader_scrolls_up_and_says_what_is_missing():
    app = Stage(LogPager(most=50))
    async with app.run_test(size=(40, 10)) as pilot:
        log = app.widget
        log.show_log([line(f"row {at}") for at in range(60)], total=1000)
        await pilot.pause()
        log.show_log([line(f"row {at}") for at in range(70)], total=1010)
        await pilot.pause()
        assert text(log)[-1] == "row 69"
        assert plain(log.lines[0]) == " … 960 earlier lines are not shown"
        log.action_scroll_by(-5)
        await pilot.pause()
        log.show_log([line(f"row {at}") for at in range(80)], total=1020)
        await pilot.pause()
        assert text(log)[-1] != "row 79"


async def test_a_block_repaints_only_the_cells_that_changed():
    app = Stage(LineBlock([line("same"), line("count 1 of 9")]))
    async with app.run_test(size=(40, 5)) as pilot:
        await pilot.pause()
        app.listen()
        app.widget.show([line("same"), line("count 2 of 9")])
        (region,) = app.regions
        assert (region.x, region.y, region.width) == (6, 1, 1)


@pytest.mark.parametrize(
    ("keys", "word"), [(["enter"], "Cancel"), (["right", "enter"], "Start"), (["left", "enter"], "Start")]
)
async def test_the_first_word_is_the_default_of_a_choice(keys, word):
    made: list[str] = []

    class Ask(Stage):
        def on_choice_made(self, event: Choice.Made) -> None:
            made.append(event.word)

    app = Ask(Choice("Cancel", "Start"))
    async with app.run_test(size=(40, 5)) as pilot:
        await pilot.press(*keys)
    assert made == [word]


async def test_a_blocked_choice_can_only_be_cancelled():
    app = Stage(Choice("Cancel", "Start"))
    async with app.run_test(size=(60, 5)) as pilot:
        app.widget.block("the name is not typed yet")
        await pilot.press("right", "right", "right")
        assert app.widget.word == "Cancel"
        assert "the name is not typed yet" in text(app.widget)[0]
