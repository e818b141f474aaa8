"""Texts: folded, cut to a part of a log, followed; and the way back through the places."""

from __future__ import annotations

import pytest

from lazarus_tui.view import documents
from lazarus_tui.view.history import History
from lazarus_tui.view.text import line, plain
from tests.console import worlds
from widgets.pager import LogPager

LOG = "\n".join(
    [
        'time="2026-11-20T09:00:00Z" level=info msg="begins"',
        'time="2026-11-20T09:58:00Z" level=info msg="goes on"',
        "a line without a time",
        'time="2026-11-20T09:59:30Z" level=warning msg="' + "very long " * 20 + 'THE-END"',
        'time="2026-11-20T10:00:00Z" level=info msg="ends"',
    ]
)


@pytest.fixture
def logs(link):
    link.answers["artefact.get"] = {"text": LOG}
    return link


async def test_a_log_is_cut_to_its_last_minutes_and_folded(opened, logs):
    async with opened() as hands:
        await hands.press("2", "j", "l")
        assert "begins" in hands.text
        assert "THE-END" not in hands.text
        await hands.press("w")
        assert "THE-END" in hands.text
        await hands.press("2")
        assert "begins" not in hands.text
        assert "ends" in hands.text
        assert "the log, its last 1m00s: 2 of 5 lines" in hands.lines[-1]
        await hands.press("3")
        assert "a line without a time" in hands.text
        await hands.press("1")
        assert "begins" in hands.text
        assert hands.app.current_mode == "backups"


async def test_elsewhere_digits_are_places(opened, logs):
    async with opened() as hands:
        await hands.press("2", "j", "l", "d", "3")
        assert hands.app.current_mode == "schedules"


def test_a_log_without_times_is_shown_whole():
    lines = [line("one"), line("two")]
    assert documents.window(lines, 2) == lines


async def test_brackets_go_back_and_forward_through_the_places(opened):
    async with opened() as hands:
        await hands.press("2", "4", "left_square_bracket")
        assert hands.app.current_mode == "backups"
        await hands.press("left_square_bracket")
        assert hands.app.current_mode == "overview"
        await hands.press("left_square_bracket")
        assert "there is nothing before this" in hands.lines[-1]
        await hands.press("right_square_bracket", "right_square_bracket")
        assert hands.app.current_mode == "restores"


def test_a_visit_forgets_what_lay_ahead():
    been = History("overview")
    for place in ("backups", "backups", "restores"):
        been.went(place)
    assert been.step(-1) == "backups"
    been.went("schedules")
    assert been.step(1) is None
    assert been.step(-1) == "backups"


async def test_following_is_stopped_and_taken_up_again(opened, link):
    running = worlds.running_operation()
    link.put("operations", {running.id: running})
    async with opened() as hands:
        await hands.press("5", "enter", "s")
        assert not hands.app.screen.query_one("#log", LogPager).following
        assert "s follows again" in hands.lines[-1]
        await hands.press("s")
        assert hands.app.screen.query_one("#log", LogPager).following


async def test_the_hint_of_stale_data_is_not_cut_and_its_age_goes_on(opened, link, monkeypatch):
    hint = "the API server or something before it is unwell; what was sent may or may not have arrived: look again"
    link.put(
        f"backups/{worlds.CONTEXT}", state="stale", reason="nothing heard", hint=hint, as_of=worlds.ago(seconds=30)
    )
    async with opened() as hands:
        await hands.press("2")
        assert hint in " ".join(hands.text.split())
        assert "STALE 30s" in hands.text
        monkeypatch.setattr(hands.app, "now", lambda: worlds.NOW.replace(second=15))
        hands.app._second()
        await hands.settle()
        assert "STALE 35s" in hands.text


def test_what_is_folded_beside_a_label_stays_in_its_column():
    from widgets.fold import fold

    first, second = map(plain, fold(line(" resources          configmaps, secrets, roles"), 40))
    assert first == " resources          configmaps, secrets,"
    assert second == " " * 20 + "roles"
