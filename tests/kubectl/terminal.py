"""A person at a terminal: kubectl on a pseudo-terminal of a given size, typed at and read from."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from types import TracebackType

from .kubectl_run import WITHIN, Kubectl


class Person:
    """Runs one command with the terminal as its own; ``code`` is its exit code at the end."""

    def __init__(self, kubectl: Kubectl, line: str, *, columns: int = 80, rows: int = 24) -> None:
        self._argv, self._environment = kubectl.argv(line), kubectl.environment(TERM="xterm")
        self._size = columns, rows
        self.seen = ""

    def __enter__(self) -> Person:
        sized, size = os.pipe()
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.close(size)
            os.read(sized, 1)  # until the terminal has its size
            os.execvpe(self._argv[0], self._argv, self._environment)
        self.resize(*self._size)
        os.close(sized)
        os.close(size)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._fd)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self._pid, signal.SIGWINCH)

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def see(self, text: str) -> str:
        """Waits for ``text``, gives what came before it; an ``AssertionError`` shows what came instead."""
        end = time.monotonic() + WITHIN
        while text not in self.seen:
            assert self._more(end - time.monotonic()), f"no {text!r} in {self.seen!r}"
        before, _, self.seen = self.seen.partition(text)
        return before

    def _more(self, seconds: float) -> bool:
        if not select.select([self._fd], [], [], max(0.0, seconds))[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def code(self) -> int:
        """Reads to the end; the exit code. A command that does not end fails with what it wrote last."""
        end = time.monotonic() + WITHIN
        while self._more(end - time.monotonic()):
            continue
        assert time.monotonic() < end, f"no end, but {self.seen!r}"
        pid, self._pid = self._pid, 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
