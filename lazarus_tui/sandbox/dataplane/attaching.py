"""attach: a client beside a running container, hearing its output from now on and writing its input."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from lazarus_tui.sandbox.dataplane.launcher import Running
from lazarus_tui.sandbox.dataplane.logs import LogFile


class Attachment:
    """Ends with the container, or when the client goes, which leaves the container alone.

    ``stdin`` is whether this client may write; with ``once`` its end is the end of the container's input
    (``stdinOnce``).
    """

    def __init__(self, running: Running, log: LogFile, *, stdin: bool, once: bool) -> None:
        self._running, self._log = running, log
        self._stdin, self._once = stdin, once
        self._heard: asyncio.Queue[bytes | None] = log.listen()

    async def write_stdin(self, data: bytes) -> None:
        if self._stdin:
            await self._running.write_stdin(data)

    async def close_stdin(self) -> None:
        if self._stdin and self._once:
            await self._running.close_stdin()

    async def resize(self, columns: int, rows: int) -> None:
        self._running.resize(columns, rows)

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        try:
            while (data := await self._heard.get()) is not None:
                yield 1, data
        finally:
            self._log.unlisten(self._heard)

    async def wait(self) -> int:
        """0: whatever the container's exit code is, attach itself succeeds. kubectl reads the code from the pod."""
        await self._running.wait()
        return 0

    async def kill(self) -> None:
        self._log.unlisten(self._heard)
        await self.close_stdin()


def attach(running: Running | None, log: LogFile | None, container: dict[str, Any], stdin: bool) -> Attachment | None:
    """A session as the container's spec allows it; None when nothing runs."""
    if running is None or log is None:
        return None
    return Attachment(running, log, stdin=stdin and bool(container.get("stdin")), once=bool(container.get("stdinOnce")))
