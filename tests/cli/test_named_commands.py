"""What a person is told to type exists."""

from __future__ import annotations

import re
from pathlib import Path

import click

from lazarus_tui.cli.root import VERBS, root

HERE = Path(__file__).parents[2]
# A verb and the word after it, or several with bars between them.
COMMAND = re.compile(r"\blazarus(?: --sandbox)? ([a-z]+) ([a-z-]+(?:\|[a-z-]+)*)")


def test_every_command_that_a_text_names_is_there() -> None:
    context = click.Context(root)
    groups = {verb: found for verb in VERBS if isinstance(found := root.get_command(context, verb), click.Group)}
    there = {(verb, name) for verb, group in groups.items() for name in group.list_commands(context)}
    named: dict[tuple[str, str], str] = {}
    tops = {"lazarus_tui": "*.py", "screens": "*.py", "widgets": "*.py", "deploy": "*.yaml"}
    for file in (one for top, name in tops.items() for one in (HERE / top).rglob(name)):
        for verb, words in COMMAND.findall(file.read_text(encoding="utf-8")):
            named.update({(verb, word): file.name for word in words.split("|") if verb in groups})
    assert len(named) > 20, "they are looked for where they are"
    assert {one: where for one, where in named.items() if one not in there} == {}
