"""Answers that end too early, come too slowly, or fall silent."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from lazarus_tui.model.clock import Clock
from lazarus_tui.sandbox.api.answers import Answer, SocketAnswer, StreamAnswer
from lazarus_tui.sandbox.faults.faults import Strike

# The first byte of a character of several bytes in UTF-8.
_LEAD = 0xC0
# Slices a second of an answer that trickles.
_BEATS = 4


def streamed(answer: Answer) -> StreamAnswer | None:
    """The answer as a stream of bytes; None for WebSockets."""
    if isinstance(answer, StreamAnswer):
        return answer
    if isinstance(answer, SocketAnswer):
        return None
    return StreamAnswer(_once(answer.body), answer.status, answer.headers)


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def cut(answer: Answer, strike: Strike) -> Answer:
    """Kind ``cut``."""
    stream = streamed(answer)
    if stream is None:
        return answer
    chunks = _cut(stream.chunks, int(strike.number("bytes")), strike.text("inside"), strike.text("end") == "close")
    return _with(stream, chunks)


async def _cut(
    chunks: AsyncGenerator[bytes, None], left: int, inside: str, closes: bool
) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in chunks:
            place = _place(chunk, left, inside)
            if place is None:
                left -= len(chunk)
                yield chunk
                continue
            if place:
                yield chunk[:place]
            break
    finally:
        await chunks.aclose()
    if not closes:
        raise ConnectionResetError("cut by a fault on demand")


def _place(chunk: bytes, left: int, inside: str) -> int | None:
    """Where to cut this chunk, or None when it passes whole."""
    start = max(0, left)
    if inside == "character":
        lead = next((place for place in range(start, len(chunk)) if chunk[place] >= _LEAD), None)
        return None if lead is None else lead + 1
    if start >= len(chunk):
        return None
    if inside == "line" and (start == 0 or chunk[start - 1 : start] == b"\n"):
        return start + 1  # never between two lines
    return start


def trickle(answer: Answer, rate: int, clock: Clock) -> Answer:
    """Kind ``trickle``: ``rate`` bytes a second."""
    stream = streamed(answer)
    return answer if stream is None else _with(stream, _trickle(stream.chunks, rate, clock))


async def _trickle(chunks: AsyncGenerator[bytes, None], rate: int, clock: Clock) -> AsyncGenerator[bytes, None]:
    size = max(1, rate // _BEATS)
    try:
        async for chunk in chunks:
            for start in range(0, len(chunk), size):
                piece = chunk[start : start + size]
                await clock.sleep(len(piece) / rate)
                yield piece
    finally:
        await chunks.aclose()


def silent(answer: Answer, strike: Strike) -> Answer:
    """Kind ``stall`` with bytes of the answer let through."""
    stream = streamed(answer)
    return answer if stream is None else _with(stream, _silent(stream.chunks, strike))


async def _silent(chunks: AsyncGenerator[bytes, None], strike: Strike) -> AsyncGenerator[bytes, None]:
    left = int(strike.number("bytes"))
    try:
        async for chunk in chunks:
            if len(chunk) > left:
                if left:
                    yield chunk[:left]
                break
            left -= len(chunk)
            yield chunk
        await strike.silence()
    finally:
        await chunks.aclose()


def _with(stream: StreamAnswer, chunks: AsyncGenerator[bytes, None]) -> StreamAnswer:
    return StreamAnswer(chunks, stream.status, stream.headers)
