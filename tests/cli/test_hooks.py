"""Options of hooks become argv, and no shell ever sees them."""

from __future__ import annotations

import click
import pytest

from lazarus_tui.cli.hooks import argv, hook_params

NOTHING = dict.fromkeys(("recipe", "hook_container", "hook_target", "hook_timeout", "max_freeze", "on_error"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("psql -c 'select 1; drop'",), ["psql", "-c", "select 1; drop"]),
        (("echo", "$HOME | cat"), ["echo", "$HOME | cat"]),
        (("true",), ["true"]),
    ],
)
def test_one_text_is_split_and_words_are_kept(words: tuple[str, ...], expected: list[str]) -> None:
    assert argv(words, "--pre") == expected


@pytest.mark.parametrize(("text", "words"), [("'open", "No closing quotation"), ("  ", "--pre names no program")])
def test_what_cannot_be_split_is_refused(text: str, words: str) -> None:
    with pytest.raises(click.BadParameter, match=words):
        argv((text,), "--pre")


def test_only_what_was_given_goes_into_the_plan() -> None:
    assert hook_params({**NOTHING, "pre": (), "post": ()}) == {}
    given = {**NOTHING, "recipe": "mysql", "max_freeze": 45.0, "pre": (), "post": ("a b",)}
    assert hook_params(given) == {"recipe": "mysql", "max_freeze": 45.0, "post": ["a", "b"]}
