"""Nobody walks away from an application that is held still without being told."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.freezes import frozen_words
from lazarus_tui.model.operation import OpState
from lazarus_tui.view import freezes
from lazarus_tui.view.source import LinkState
from lazarus_tui.view.text import plain
from screens.leaving import detach_notice
from tests.console import worlds
from tests.console.moment import ago

HELD = {"db-0": {"uid": "u", "container": "db", "restarts": 0, "since": ago(seconds=12)}}


def holding(state: OpState = OpState.RUNNING, **more):
    running = worlds.running_operation()
    return msgspec.structs.replace(running, **{"target": "prod/db", "state": state, "facts": {"held": HELD}, **more})


def asked(hands) -> str:
    """The words of the dialog alone."""
    box = hands.app.screen.query_one("#notice").content_region
    return " ".join(" ".join(row[box.x : box.right] for row in hands.lines[box.y : box.bottom]).split())


@pytest.mark.parametrize("keys", [("q",), ("colon", "q", "enter"), ("ctrl+c",)])
async def test_leaving_while_an_application_is_frozen_tells_so_and_lets_it_go_on(opened, link, keys):
    one = holding()
    link.put("operations", {one.id: one})
    async with opened(size=(80, 24)) as hands:
        await hands.press(*keys)
        said = asked(hands)
        assert "Leave the console?" in said
        assert "▲ prod/db is frozen for 12 s (db-0); the engine thaws it, whether a console is open or not" in said
        await hands.press("enter")
        assert not hands.app._exit, "staying is what enter does"
        await hands.press(*keys, "right", "enter")
        assert hands.app._exit
        assert not hands.called("engine.stop"), "leaving stops nothing"
        assert not hands.called("operation.park")


async def test_q_leaves_at_once_when_nothing_is_frozen(opened, link):
    one = msgspec.structs.replace(holding(), facts={"held": {}})
    link.put("operations", {one.id: one})
    async with opened() as hands:
        await hands.press("q")
        assert hands.app._exit


async def test_what_stays_frozen_is_shown_over_every_pane_and_while_the_engine_is_away(opened, link):
    one = holding(OpState.PARKED, id="0badcafe-1")
    link.put("operations", {one.id: one})
    async with opened(size=(80, 24)) as hands:
        for pane in "1", "2", "5":
            await hands.press(pane)
            said = " ".join(hands.text.split())
            assert "▲ prod/db may still be frozen for 12 s (db-0); the engine tries on every 15 s:" in said
        hands.app.linked(LinkState.LOST, "gone")
        await hands.press("q")
        assert "the engine does not answer: if it died, the next one thaws it first thing" in asked(hands)


async def test_without_the_engine_nobody_says_that_nothing_runs(opened, link):
    link.put("operations", {})
    async with opened(size=(80, 24)) as hands:
        await hands.press("ctrl+c")
        assert "Nothing runs." in asked(hands)
        await hands.press("escape")
        link.lose()
        await hands.press("ctrl+c")
        assert "What runs is not known now; it goes on without a console." in asked(hands)
        await hands.press("escape")
        link.put("operations", {"1": holding()})
        await hands.press("ctrl+c")
        assert "the next lazarus takes up what is open." in asked(hands)


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ([OpState.RUNNING], "They go on in the engine; the next lazarus shows them again."),
        ([OpState.PARKED, OpState.PARKED], "What is parked waits to be resumed."),
        ([OpState.RUNNING, OpState.PARKED], "What runs goes on in the engine; what is parked waits to be resumed."),
    ],
)
def test_what_is_parked_is_not_said_to_go_on(states, words):
    notice = detach_notice([holding(state, facts={}) for state in states], worlds.NOW)
    text = "\n".join(map(plain, notice._lines))
    assert text.rstrip().splitlines()[-1] == f" {words}"
    assert max(map(len, text.splitlines())) <= 74


@pytest.mark.parametrize("facts", [{}, {"held": {}}, {"held": "db-0"}])
def test_nothing_held_is_nothing_said(facts):
    one = msgspec.structs.replace(holding(), facts=facts)
    assert (frozen_words(one, worlds.NOW), freezes.lines(one, worlds.NOW, 80)) == ("", [])


def test_a_record_without_times_and_with_a_hostile_name_is_told_all_the_same():
    one = msgspec.structs.replace(holding(), facts={"held": {"db\x1b[2J-0": {}, "b": 1, "c": {"since": "x"}, "d": {}}})
    text = "\n".join(map(plain, freezes.lines(one, worlds.NOW, 60)))
    assert "prod/db is frozen (b, c, d and 1 more)" in " ".join(text.split())
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 60
