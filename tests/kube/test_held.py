"""A session whose stdin stays open: it is heard, written to, ended, and never outlives whoever opened it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from kube_fakes import ManualClock, ScriptedTransport

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import Forbidden, ServerFault, Unexpected, Unreachable
from lazarus_tui.model.http import HandshakeRefused, HttpRequest, HttpResponse

V5 = "v5.channel.k8s.io"
SUCCESS = b'\x03{"metadata":{},"status":"Success"}'


class Line:
    """A connection whose frames come when the test says so; None is its end."""

    def __init__(self, subprotocol: str = V5) -> None:
        self.subprotocol, self.sent, self.open = subprotocol, list[bytes](), True
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def send(self, data: bytes) -> None:
        if not self.open:
            raise ConnectionResetError("gone")
        self.sent.append(data)

    async def receive(self) -> bytes | None:
        return await self.frames.get()

    async def close(self) -> None:
        self.open = False


class Pods(ScriptedTransport):
    def __init__(self, line: Line | OSError) -> None:
        super().__init__()
        self.line = line

    @asynccontextmanager
    async def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> AsyncIterator[Line]:
        self.sent.append(request)
        if isinstance(self.line, OSError):
            raise self.line
        try:
            yield self.line
        finally:
            await self.line.close()


def cluster(line: Line | OSError) -> Cluster:
    return Cluster(Pods(line), "test", ManualClock())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_session_is_told_heard_and_ended() -> None:
    line = Line()
    held = await cluster(line).hold("shop", "db-0", "db", ["mysql", "-n"])
    await held.say(b"LOCK;")
    waiting = asyncio.ensure_future(held.heard(b"LOCKED"))
    line.frames.put_nowait(b"\x01LOC")
    await settle()
    assert (waiting.done(), held.alive, line.open) == (False, True, True)
    line.frames.put_nowait(b"\x01KED\n")
    await waiting
    ending = asyncio.ensure_future(held.end())
    await settle()
    line.frames.put_nowait(SUCCESS)
    assert (await ending).exit_code == 0
    assert line.sent == [b"\x00LOCK;", b"\xff\x00"]
    assert (held.alive, line.open) == (False, False)
    await held.close()


async def test_one_that_ends_by_itself_holds_nothing_any_more() -> None:
    line = Line()
    held = await cluster(line).hold("shop", "db-0", "db", ["mysql"])
    waiting = asyncio.ensure_future(held.heard(b"LOCKED"))
    line.frames.put_nowait(b"\x02ERROR 1205")
    line.frames.put_nowait(None)
    with pytest.raises(Unreachable, match="ended before the exit code"):
        await waiting
    assert (held.alive, held.stderr) == (False, b"ERROR 1205")
    with pytest.raises(Unreachable):
        await held.say(b"UNLOCK;")


async def test_closing_ends_the_connection_at_once() -> None:
    line = Line()
    held = await cluster(line).hold("shop", "db-0", "db", ["mysql"])
    await held.close()
    await held.close()
    assert (line.open, held.alive) == (False, False)


async def test_what_cannot_be_opened_is_told_at_once() -> None:
    refused = HandshakeRefused(HttpResponse(403, {}, b'{"kind":"Status","status":"Failure","code":403}'))
    with pytest.raises(Forbidden):
        await cluster(refused).hold("shop", "db-0", "db", ["mysql"])
    with pytest.raises(Unexpected, match="cannot close stdin"):
        await cluster(Line("v4.channel.k8s.io")).hold("shop", "db-0", "db", ["mysql"])


async def test_a_command_that_was_never_started_is_told_by_whoever_listens() -> None:
    line = Line()
    held = await cluster(line).hold("shop", "db-0", "db", ["nope"])
    line.frames.put_nowait(b'\x03{"status":"Failure","reason":"InternalError","message":"not found in $PATH"}')
    with pytest.raises(ServerFault, match="not found in"):
        await held.heard(b"LOCKED")
