"""Folding: no character of a long line is lost, no line is too wide, tones stay with their words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from lazarus_tui.view.text import Tone, line, muted, plain, span
from widgets.fold import fold


@given(st.text("abc 漢de", max_size=200), st.integers(10, 60))
def test_nothing_is_lost_and_nothing_is_too_wide(text, width):
    folded = fold(line(muted("  why: "), span(text, limit=500)), width)
    assert all(cell_len(plain(each)) <= width for each in folded)
    assert "".join(map(plain, folded)).replace(" ", "") == f"why:{text}".replace(" ", "")


def test_a_line_that_fits_is_the_same_line():
    found = line("short")
    assert fold(found, 40) == [found]


def test_later_lines_hang_below_the_first_and_keep_their_tones():
    first, second = fold(line("  ", muted("the volume"), " ", span("was skipped", Tone.BAD)), 16)
    assert plain(first) == "  the volume was"
    assert plain(second) == "    skipped"
    assert second[-1].tone is Tone.BAD
