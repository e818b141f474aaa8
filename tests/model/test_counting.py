"""One of something is no plural, on no screen."""

from __future__ import annotations

import pytest

from lazarus_tui.model.counting import how_many


@pytest.mark.parametrize(
    ("number", "noun", "more", "words"),
    [
        (0, "volume", "", "0 volumes"),
        (1, "volume", "", "1 volume"),
        (2, "volume", "", "2 volumes"),
        (1, "check was run", "checks were run", "1 check was run"),
        (0, "check was run", "checks were run", "0 checks were run"),
    ],
)
def test_words(number: int, noun: str, more: str, words: str) -> None:
    assert how_many(number, noun, more) == words
