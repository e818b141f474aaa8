"""A process that goes two ways: a child has the world of this moment, in a folder of its own, and tells its end.

Everything of a world is in one thread (``tests.crash.onethread``) and under the current folder, so a fork copies all of
it; only the files have to be copied, and SQLite's handle, which belongs to one process, has to be had anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import shutil
import signal
import sqlite3
import sys
import tempfile
import traceback
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar
from unittest.mock import patch

import msgspec

from lazarus_tui.journal.schema import SETTINGS
from tests.crash.onethread import one_thread
from tests.engine.world import Severable, fast_folder
from tests.snapshots import stage as stages

T = TypeVar("T")
# Seconds of a branch that takes tenths of one, after which it will not end any more.
_PATIENCE = 120
# Handles of an ended engine: closing one would write to a file of the process that it came from.
_KEPT: list[Any] = []


class Child:
    """Where this process tells what came of it; None in ``fork`` means that this is still the parent."""

    def __init__(self, pipe: int, folder: str) -> None:
        self._pipe, self._folder = pipe, folder

    def end(self, told: Any) -> None:
        """Tell it, and be gone: nothing of the parent's unfinished work happens here a second time."""
        with contextlib.suppress(OSError), os.fdopen(self._pipe, "wb") as pipe:
            pipe.write(msgspec.json.encode(told))
        os.chdir("/")
        shutil.rmtree(self._folder, ignore_errors=True)
        sys.stderr.flush()
        os._exit(0)


def fork(parted: Callable[[], None]) -> tuple[Child | None, Any]:
    """The child of this moment; in the parent, once that has ended, None and what it told.

    ``parted`` runs in the child, in its folder, before anything else. A child that does not end is ended.
    """
    loop: Any = asyncio.get_running_loop()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        folder = tempfile.mkdtemp(dir=Path.cwd().parent, prefix="lazarus-cut-")
        child = Child(writing, folder)
        signal.alarm(_PATIENCE)
        try:
            shutil.copytree(".", folder, dirs_exist_ok=True, symlinks=True)
            os.chdir(folder)
            asyncio._set_running_loop(loop)  # asyncio takes a loop of another process for none
            loop._close_self_pipe()
            loop._make_self_pipe()
            parted()
        except BaseException:
            child.end({"broken": traceback.format_exc()})
        return child, None
    os.close(writing)
    left = signal.alarm(0)  # a branch of this one has a limit of its own
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(pid, 0)
    signal.alarm(left)
    return None, msgspec.json.decode(told) if told else {"broken": f"it ended with status {status} and told nothing"}


class Branching(Protocol):
    """A case that branches; ``child`` is set in a branch."""

    child: Child | None

    async def run(self) -> Any: ...

    def told(self, life: Any) -> dict[str, Any]: ...


async def through(case: Branching) -> Any:
    """Run ``case``; a branch of it tells its end, and only the one that all come from gets beyond this."""
    try:
        life = await case.run()
    except BaseException as error:
        if case.child:
            case.child.end({"broken": "".join(traceback.format_exception(error))})
        raise
    if case.child:
        case.child.end({"cases": [case.told(life)]})
    return life


def heard(told: dict[str, Any], at: int, who: str) -> list[dict[str, Any]]:
    """The cases that a branch told of; one that broke is a case with a breach."""
    if "cases" in told:
        return list(told["cases"])
    return [{"at": at, "who": who, "state": "broken", "breaches": [told["broken"]], "writes": 0}]


def abandon(journal: Severable) -> None:
    """What a killed process leaves: its file, as SQLite finds it. What was not committed is lost."""
    journal.severed = journal.lose = True
    _KEPT.append(journal._db._connection)
    journal._db._connection = None


def reopen(journal: Severable) -> None:
    """The same journal goes on in a child, on the child's copy of its file; not in a transaction."""
    before = journal._db._connection
    assert before is not None
    assert not before.in_transaction
    _KEPT.append(before)
    found = sqlite3.connect(f"{journal.path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=0)
    found.text_factory = before.text_factory
    for sql in SETTINGS:
        found.execute(sql)
    journal._db._connection = found


@contextlib.contextmanager
def _home() -> Iterator[None]:
    """A folder of this process, in which every world is made under a relative path."""
    here = Path.cwd()
    with fast_folder() as folder, patch.object(stages, "fast_folder", lambda: contextlib.nullcontext(Path())):
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """A world that can be forked: relative folders, one thread, and a loop without a handle of the kernel."""
    with _home(), one_thread():
        loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(work())
