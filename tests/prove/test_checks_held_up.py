"""What a check says after this process was held up, by its machine or by its own work: nothing against the copy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from lazarus_tui.model import clock
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.checks import tcp
from lazarus_tui.prove.checks.looking import look_of
from lazarus_tui.prove.checks.outcome import Attempt, Found, Wrong, judged
from lazarus_tui.prove.checks.place import place_of
from lazarus_tui.prove.checks.wire import Ask, exchange
from lazarus_tui.prove.definitions import parse
from lazarus_tui.prove.wanted import HttpCheck, TcpCheck
from tests.prove.doors import NAMESPACE, SOURCE, Doors, said

# Seconds of a limit, and for which the process is held up: longer.
LIMIT, HELD = 0.05, 0.06


@pytest.fixture(autouse=True)
def beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many beats in a short limit: one that comes late does not end it."""
    monkeypatch.setattr(clock, "_BEAT", 0.001)


class Moved:
    """A clock that a test moves by hand."""

    seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 6, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a check does not wait")


async def test_a_limit_that_passed_meanwhile_is_not_up() -> None:
    async def look(attempt: Attempt) -> Found:
        attempt.reached = True
        time.sleep(HELD)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return Found("well")

    check = HttpCheck(namespace="a", service="s", port=1, timeout=LIMIT)
    assert (await judged(check, SystemClock(), look)).verdict is Verdict.PASSED


async def test_a_connection_that_was_closed_meanwhile_is_not_taken_for_kept() -> None:
    async def shut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        time.sleep(HELD)

    doors = Doors()
    async with doors.serving("web", shut):
        found = await said(doors, kind="tcp", service="web", port=8080, stays=LIMIT, send="?")
    assert (found.verdict, "closes the connection at once" in found.summary) == (Verdict.FAILED, True), found.summary


async def test_one_that_is_closed_as_its_time_is_up_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def up(seconds: float, work: Coroutine[Any, Any, bool]) -> bool:
        work.close()
        reader.feed_eof()
        raise TimeoutError

    monkeypatch.setattr(tcp, "listened", up)
    reader, check = asyncio.StreamReader(), TcpCheck(namespace="a", service="s", port=1)
    streams: Any = (reader, None)
    assert await tcp._listen(streams, check) == (b"", True)


@pytest.mark.parametrize(
    ("steps", "verdict", "words"),
    [
        ([0.005], Verdict.PASSED, "200 in"),
        ([60.0], Verdict.INCONCLUSIVE, "Lazarus was held up"),
        ([0.0004] * 40, Verdict.FAILED, "later than 0.0 s"),
    ],
    ids=["in time", "held up for a minute", "heard all the while"],
)
async def test_only_an_answer_that_was_listened_for_is_late(steps: list[float], verdict: Verdict, words: str) -> None:
    moved, doors = Moved(), Doors()

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for step in steps:
            moved.seconds += step
            await asyncio.sleep(0.001)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    wanted = parse(
        {"sources": {NAMESPACE: SOURCE},
         "checks": {"checks": [{"kind": "http", "service": "web", "port": 8080, "slowerThan": 0.01}]}}, "lab",
    )  # fmt: skip
    (check,) = wanted.checks
    context: Any = type("Context", (), {"reader": doors, "clock": moved})()
    async with doors.serving("web", web):
        found = await judged(check, moved, look_of(context, check, wanted))
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary


async def test_an_answer_that_comes_piece_by_piece_is_not_listened_to_for_ever() -> None:
    moved, doors = Moved(), Doors()

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(5000):
            moved.seconds += 0.0008
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.001)

    async with doors.serving("web", web):
        place = await place_of(doors, NAMESPACE, 8080, service="web")
        with pytest.raises(Wrong, match=r"no answer within 0\.1 s"):
            await exchange(doors, place, Ask(host="web", path="/", timeout=0.1), Attempt(moved))
    assert moved.seconds >= 0.1
