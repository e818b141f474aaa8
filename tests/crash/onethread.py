"""A world in one thread: SQLite and copies of files run where they are asked for, and calm is an empty loop.

What the cuts are about does not depend on threads: a call of either is still one await, and ends before the next.
Gained are runs that are the same every time, and a process that can be forked at any await. Kills of real processes,
with their threads, are in ``tests.crash.kills``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any
from unittest.mock import patch

import aiosqlite.core

from lazarus_tui.sandbox.clock import VirtualClock
from tests.sandbox.velero.conftest import Threads
from tests.snapshots import stage as stages


class Queue:
    """What aiosqlite's thread takes its calls from: they are made when they are put, and answered a round later."""

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future, function = item
        answer: Callable[..., None] = aiosqlite.core.set_result
        try:
            value = function()
        except BaseException as error:
            value, answer = error, aiosqlite.core.set_exception
        if future is not None:
            future.get_loop().call_soon(answer, future, value)


class NoThread:
    def __init__(self, **given: Any) -> None: ...

    def start(self) -> None: ...


class AtOnce(Threads):
    """An executor without threads."""

    busy = False

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


async def calm(until: Callable[[], bool] = lambda: False) -> None:
    """Until nobody has anything to do, or ``until``. Two at once would wait for each other for ever."""
    loop: Any = asyncio.get_running_loop()
    while not until():
        await asyncio.sleep(0)
        if not loop._ready:
            return


async def _settle(engine: Any, task: asyncio.Future[Any] | None = None) -> None:
    await calm(lambda: task is not None and task.done())


async def _let_run(between: Callable[[], Any] | None) -> None:
    await calm()
    if between is not None:
        await between()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Every world that is made meanwhile."""
    with contextlib.ExitStack() as stack:
        for owner, name, value in (
            (aiosqlite.core, "SimpleQueue", Queue),
            (aiosqlite.core, "Thread", NoThread),
            (VirtualClock, "_let_run", staticmethod(_let_run)),
            (stages, "Threads", AtOnce),
            (stages.StageEngine, "settle", _settle),
        ):
            stack.enter_context(patch.object(owner, name, value))
        yield
