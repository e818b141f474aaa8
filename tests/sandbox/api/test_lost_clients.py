"""A command that was started by exec does not outlive its client, however that one goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lazarus_tui.sandbox.api.memory import socket_pair
from lazarus_tui.sandbox.api.sessions import Conversation


class Waiting:
    """A command that waits for its input for ever."""

    killed = 0

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        await asyncio.Event().wait()
        yield 1, b""

    async def kill(self) -> None:
        self.killed += 1


@pytest.mark.parametrize("way", ["closed", "broken", "both"])
async def test_the_command_ends_with_its_client(way: str) -> None:
    command: Any = Waiting()

    async def begin() -> Any:
        return command

    client, served = socket_pair("v5.channel.k8s.io")
    talk = asyncio.ensure_future(Conversation(begin, stdin=True).run(served))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if way != "broken":
        await client.close()
    if way == "both":
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    if way != "closed":
        talk.cancel()  # what the HTTP front end does when a connection breaks without a word
    await asyncio.gather(talk, return_exceptions=True)
    assert command.killed == 1
