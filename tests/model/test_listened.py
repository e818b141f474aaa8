"""A wait that counts only the time in which this process could hear."""

from __future__ import annotations

import asyncio
import time

import pytest

from lazarus_tui.model.clock import listened


async def test_the_result_of_what_answers_and_the_error_of_what_fails() -> None:
    async def answer() -> str:
        return "here"

    async def fail() -> str:
        raise ConnectionRefusedError("nobody")

    assert await listened(60, answer()) == "here"
    assert await listened(0, answer()) == "here"
    with pytest.raises(ConnectionRefusedError, match="nobody"):
        await listened(60, fail())


async def test_what_never_answers_is_ended() -> None:
    ended = []

    async def silent() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(True)
            raise

    with pytest.raises(TimeoutError):
        await listened(0.1, silent())
    assert ended == [True]


async def test_time_for_which_the_process_was_held_up_does_not_count() -> None:
    """The answer needs some turns of a loop that is held up for far longer than it is listened for."""

    async def late() -> str:
        for _ in range(3):
            await asyncio.sleep(0)
            time.sleep(0.15)
        await asyncio.sleep(0.01)
        return "late"

    assert await listened(0.25, late()) == "late"


@pytest.mark.parametrize("turns", range(8))
async def test_who_is_cancelled_around_the_answer_loses_nothing(turns: int) -> None:
    """Either the answer comes out, or what made it was told to undo it."""
    answer = asyncio.get_running_loop().create_future()
    undone = []

    async def dial() -> str:
        try:
            return str(await answer)
        except asyncio.CancelledError:
            undone.append(True)
            raise

    asking = asyncio.ensure_future(listened(60, dial()))
    await asyncio.sleep(0)
    answer.set_result("connection")
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()
    (found,) = await asyncio.gather(asking, return_exceptions=True)
    assert found == "connection" or undone == [True]
