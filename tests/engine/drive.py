"""A coroutine that is counted at every suspension, and cut at one of them as a SIGKILL would."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any


class Cut(BaseException):
    """Not an Exception: nothing may swallow it."""


class Drive:
    """Runs a coroutine and counts its suspensions; at the ``k``-th, ``cut`` is called and the coroutine dies there."""

    def __init__(self, work: Any, k: int, cut: Callable[[], None]) -> None:
        self._work, self._k, self._cut, self.n = work, k, cut, 0

    def __await__(self) -> Generator[Any, None, Any]:
        inner = self._work.__await__()
        error: BaseException | None = None
        while True:
            try:
                future = inner.send(None) if error is None else inner.throw(error)
            except StopIteration as stop:
                return stop.value
            self.n += 1
            if self.ends_here():
                if future is not None:  # nobody will ask it any more
                    future.add_done_callback(lambda done: done.cancelled() or done.exception())
                error = Cut()
                continue
            error = None
            try:
                yield future
            except BaseException as thrown:
                error = thrown
            else:
                if self.ends_awake():
                    error = Cut()

    def ends_here(self) -> bool:
        """Asked at every suspension; True once the cut was made."""
        if self.n == self._k:
            self._cut()
            return True
        return False

    def ends_awake(self) -> bool:
        """Asked when what was waited for has come, before the coroutine hears of it."""
        return False

    async def run(self) -> Any:
        return await self
