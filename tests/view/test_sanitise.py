"""Nothing that can move a cursor, hide itself or flood a pane gets through, and nothing vanishes without a trace."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.view.sanitise import clean, clean_lines
from tests.view.payloads import PAYLOADS

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)
FORBIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def harmless(text: str) -> bool:
    return not any(unicodedata.category(char) in FORBIDDEN for char in text)


@given(ANY_TEXT, st.integers(1, 300))
def test_any_text_becomes_one_harmless_line_within_its_limit(text, limit):
    shown = clean(text, limit)
    assert harmless(shown)
    assert len(shown) <= limit
    assert clean(shown, limit) == shown, "cleaning twice changes nothing"


@given(ANY_TEXT)
def test_many_lines_are_harmless_each(text):
    assert all(harmless(line) and len(line) <= 80 for line in clean_lines(text, limit=80))


@pytest.mark.parametrize("text", PAYLOADS, ids=range(len(PAYLOADS)))
def test_payloads_are_shown_not_obeyed(text):
    shown = clean(text)
    assert harmless(shown)
    assert shown


def test_what_is_replaced_stays_visible():
    assert clean("a\x1b[31mb") == "a␛[31mb"
    assert clean("\u202eevil") == "\\u202eevil"
    assert clean("x\x9b2J") == "x\\x9b2J"
    assert clean("\x7f") == "␡"
    assert clean("two\nlines") == "two␤lines"
    assert clean("zero\u200bwidth") == "zero\\u200bwidth"


def test_honest_text_is_left_alone():
    for text in ("", "ka-03-hourly-20261120100000", "Größe", "日本語", "naïve [x] {y} $z", "✓ ▲"):
        assert clean(text) == text
    assert clean("e\u0301") == "é"


def test_long_text_is_cut_visibly_and_lines_are_counted():
    assert clean("x" * 5_000_000, 10) == "x" * 9 + "…"
    lines = clean_lines("a\n" * 50, lines=3)
    assert lines == ["a", "a", "a", "… 48 more lines are not shown"]
