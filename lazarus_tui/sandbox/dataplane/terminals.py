"""Pseudo-terminals: what a process with ``tty`` has for its input and output, and an exec that runs on one."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
from collections.abc import AsyncIterator, Callable

from lazarus_tui.sandbox.dataplane.ledger import signal_group

_READ = 65536


class Terminal:
    """A pty. ``slave`` is for the process and is let go with ``started``; the rest is our side of it."""

    def __init__(self) -> None:
        self._master, self.slave = os.openpty()
        os.set_blocking(self._master, False)
        self._closed = False

    def started(self) -> None:
        """The process has its own copy of the slave: from now on its end is the end of the terminal."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1

    async def read(self) -> bytes:
        """What was written on the other side; ``b""`` when nobody has it open any more."""
        loop = asyncio.get_running_loop()
        while not self._closed:
            try:
                return os.read(self._master, _READ)
            except BlockingIOError:
                await self._ready(loop.add_reader, loop.remove_reader)
            except OSError:
                return b""  # EIO is how Linux says the end
        return b""

    async def write(self, data: bytes) -> None:
        """Types ``data``; what comes after the end is lost."""
        loop = asyncio.get_running_loop()
        while data and not self._closed:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                await self._ready(loop.add_writer, loop.remove_writer)
            except OSError:
                return

    async def _ready(self, add: Callable[..., object], remove: Callable[[int], object]) -> None:
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        add(self._master, wake)
        try:
            await ready
        finally:
            if not self._closed:
                remove(self._master)

    def resize(self, columns: int, rows: int) -> None:
        if not self._closed:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        self.started()
        if not self._closed:
            self._closed = True
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._master)
            loop.remove_writer(self._master)
            os.close(self._master)


class TerminalExec:
    """An exec on a terminal: one stream of output, and no end of its input but ^D."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: Terminal) -> None:
        self._process, self._terminal = process, terminal
        self.pid: int | None = process.pid

    @property
    def done(self) -> bool:
        return self._process.returncode is not None

    async def write_stdin(self, data: bytes) -> None:
        await self._terminal.write(data)

    async def close_stdin(self) -> None:
        return None

    async def resize(self, columns: int, rows: int) -> None:
        self._terminal.resize(columns, rows)

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        while data := await self._terminal.read():
            yield 1, data

    async def wait(self) -> int:
        code = await self._process.wait()
        self._terminal.close()
        return code if code >= 0 else 128 - code

    async def kill(self) -> None:
        if not self.done:
            signal_group(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        self._terminal.close()
