"""A pseudo-terminal with a program in it: bytes out, keys in, and the time between."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Terminal:
    """The near end of a pty; every read is counted."""

    def __init__(self, master: int, slave: int, process: subprocess.Popen[bytes]) -> None:
        self.master, self.slave, self.process = master, slave, process
        self.count = 0

    def read_for(self, seconds: float) -> bytes:
        """What arrives within ``seconds``."""
        end, got = time.perf_counter() + seconds, b""
        while (left := end - time.perf_counter()) > 0:
            if select.select([self.master], [], [], left)[0]:
                got += self._read()
        return got

    def read_until(self, marker: bytes, limit: float = 20.0) -> float:
        """Seconds until ``marker`` was on the wire; raises ``TimeoutError``."""
        started, got = time.perf_counter(), b""
        while marker not in got:
            left = limit - (time.perf_counter() - started)
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise TimeoutError(f"{marker!r} did not appear within {limit} s; last: {got[-200:]!r}")
            got = got[-65536:] + self._read()
        return time.perf_counter() - started

    def key(self, text: str) -> None:
        os.write(self.master, text.encode())

    def writable(self) -> bool:
        """Whether the far end could write now: false when what it wrote before was not read."""
        return bool(select.select([], [self.slave], [], 0)[1])

    def quiet(self, seconds: float = 0.5, limit: float = 20.0) -> None:
        """Return when nothing has arrived for ``seconds``."""
        end = time.perf_counter() + limit
        while time.perf_counter() < end and select.select([self.master], [], [], seconds)[0]:
            self._read()

    def _read(self) -> bytes:
        try:
            data = os.read(self.master, 65536)
        except OSError:
            raise RuntimeError("the program in the terminal has ended") from None
        self.count += len(data)
        return data


@contextmanager
def terminal(
    command: Sequence[str], *, columns: int = 80, rows: int = 24, env: dict[str, str] | None = None
) -> Iterator[Terminal]:
    """Run ``command`` on a fresh pty of its own session; it is killed at the end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
    # Textual writes its frames to stderr.
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment
    )
    try:
        yield Terminal(master, slave, process)
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
