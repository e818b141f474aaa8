"""Answers that come when their screen is not there: not yet, or no more. Nothing of that ends the console."""

from __future__ import annotations

import asyncio
from typing import Any

from screens.contexts import ContextsScreen
from widgets.pager import Pager


async def test_an_answer_that_comes_while_its_screen_is_taken_away_ends_nothing(opened, link, monkeypatch):
    """The parts of a screen go before the screen does."""
    call, leave, gone = link.call, Pager._message_loop_exit, asyncio.Event()

    async def late(method: str, *given: Any, **more: Any) -> Any:
        if method == "object.get":
            await gone.wait()
        return await call(method, *given, **more)

    async def leaving(pager: Pager) -> None:
        await leave(pager)
        gone.set()
        for _ in range(20):
            await asyncio.sleep(0)

    monkeypatch.setattr(link, "call", late)
    monkeypatch.setattr(Pager, "_message_loop_exit", leaving)
    async with opened() as hands:
        await hands.press("2", "j", "d", "escape")
        async with asyncio.timeout(60):
            await gone.wait()
        await hands.settle()
        assert (hands.app.current_mode, len(hands.app.screen_stack)) == ("backups", 1)
        await hands.press("3")
        assert hands.app.current_mode == "schedules"


async def test_what_is_said_to_a_screen_that_is_not_put_together_yet_is_shown_once_it_is(opened):
    async with opened() as hands:
        hands.app.push_screen(ContextsScreen())
        hands.app.say("it goes on")
        await hands.settle()
        assert "it goes on" in hands.lines[-1]
