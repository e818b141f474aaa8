"""Time as a value that is handed in, so tests and the sandbox decide how fast it runs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Wall time for stamps, a monotonic time for durations, and the only way to wait."""

    def now(self) -> datetime:
        """The wall time, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never steps back and counts suspend where the system offers one."""
        ...

    async def sleep(self, seconds: float) -> None: ...


# CLOCK_BOOTTIME counts suspended time; macOS and others fall back to the plain monotonic clock.
_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class SystemClock:
    """Real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``; ``TimeoutError`` when it is not there after ``seconds`` on ``clock``, and it is ended."""
    task, timer = asyncio.ensure_future(work), asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError(f"not within {seconds:g} s")
        return task.result()
    finally:
        timer.cancel()
        task.cancel()
        await asyncio.gather(task, timer, return_exceptions=True)


# The time for which something is listened for is counted in beats of so many seconds, each as one, however late it is.
_BEAT = 0.05


async def listened(seconds: float, work: Awaitable[T]) -> T:
    """The result of ``work``; ``TimeoutError`` when it was listened for so long in vain, and it is ended.

    Real time in which this process was held up, by the machine or by its own work, does not count: it has heard nobody
    then, which says nothing about the other side.
    """
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle
    async with asyncio.timeout(None) as limit:

        def beat(left: int) -> None:
            nonlocal timer
            if left > 0:
                timer = loop.call_later(_BEAT, beat, left - 1)
            else:
                limit.reschedule(loop.time())

        timer = loop.call_later(_BEAT, beat, math.ceil(seconds / _BEAT) - 1)
        try:
            return await work
        finally:
            timer.cancel()


@contextmanager
def listening(clock: Clock) -> Iterator[Callable[[], float]]:
    """Gives the seconds on ``clock`` that have passed in the block, less those for which this process was held up.

    They are the least it can have been: an answer that was not there yet when the process came to listen again took
    longer. Enough to say that something was late, never that it was not.
    """
    loop = asyncio.get_running_loop()
    began = last = clock.monotonic()
    lost = 0.0
    timer: asyncio.TimerHandle

    def late() -> float:
        return max(0.0, clock.monotonic() - last - _BEAT)

    def beat() -> None:
        nonlocal last, lost, timer
        lost, last = lost + late(), clock.monotonic()
        timer = loop.call_later(_BEAT, beat)

    timer = loop.call_later(_BEAT, beat)
    try:
        yield lambda: clock.monotonic() - began - lost - late()
    finally:
        timer.cancel()


def rfc3339(moment: datetime, *, micro: bool = False, milli: bool = False) -> str:
    """``2026-01-31T12:00:00Z``, as Kubernetes writes times (seconds; microseconds for MicroTime fields).

    ``milli``: for people, where a second is too coarse.
    """
    text = moment.astimezone(UTC).isoformat(
        timespec="microseconds" if micro else "milliseconds" if milli else "seconds"
    )
    return text.replace("+00:00", "Z")


def moment(text: str) -> str:
    """``text`` where it is an RFC 3339 string, "" where it is none: for what comes from a cluster."""
    try:
        parse_rfc3339(text)
    except ValueError:
        return ""
    return text


def parse_rfc3339(text: str) -> datetime:
    """The moment an RFC 3339 string names; raises ``ValueError`` on anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {text!r}")
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the first or the last day there is, in another time zone
        raise ValueError(f"{text!r} is no moment in UTC") from None
