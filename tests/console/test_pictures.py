"""Seven pictures with the clock stopped. They change with the looks on purpose and with nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from textual.pilot import Pilot

from lazarus_tui.app import Console
from tests.console import proofs, worlds
from tests.console.driving import Hands
from tests.console.fake_link import FakeLink

PICTURES = [
    ("overview", (80, 24), ["down"], "lazarus-dark"),
    ("backups-wide", (140, 20), ["2"], "lazarus-light"),
    ("operation", (80, 24), ["5", "enter"], "lazarus-dark"),
    ("result", (80, 24), ["5", "down", "enter"], "lazarus-ansi-dark"),
    ("snapshots", (110, 24), ["6"], "lazarus-dark"),
]


def pressed(app: Console, link: FakeLink, keys: Sequence[str]) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """The keys, each once the console is at rest, which the picture is of."""

    async def run(pilot: Pilot[Any]) -> None:
        hands = Hands(app, pilot, link)
        await hands.settle()
        await hands.press(*keys)

    return run


@pytest.mark.parametrize(("name", "size", "keys", "theme"), PICTURES, ids=[each[0] for each in PICTURES])
def test_picture(name, size, keys, theme, snap_compare):
    link = worlds.fill(FakeLink())
    app = Console(link, now=lambda: worlds.NOW, theme=theme)
    assert snap_compare(app, run_before=pressed(app, link, keys), terminal_size=size)


PROOFS = [
    ("proofs", (80, 24), ["7", "down"], "lazarus-dark"),
    ("proof-wide", (160, 40), ["7", "down", "enter"], "lazarus-light"),
]


@pytest.mark.parametrize(("name", "size", "keys", "theme"), PROOFS, ids=[each[0] for each in PROOFS])
def test_picture_of_proofs(name, size, keys, theme, snap_compare):
    link = worlds.fill(FakeLink())
    proofs.fill(link)
    app = Console(link, now=lambda: worlds.NOW, theme=theme)
    assert snap_compare(app, run_before=pressed(app, link, keys), terminal_size=size)
