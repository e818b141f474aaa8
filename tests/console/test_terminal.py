"""The console in a real terminal (a pty): bytes, signals, and a terminal left as it was found."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lazarus_tui.launch import Ending, Profile, Terminal, profile
from tests.signals import as_at_a_terminal

ROOT = Path(__file__).parents[2]
PLAIN = {"TERM": "xterm-256color", "PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}


class Window:
    """A child in a pty of 80x24; what it writes is counted and kept."""

    def __init__(self, *words: str, **environ: str) -> None:
        self.pid, self.fd = pty.fork()
        if not self.pid:
            as_at_a_terminal()
            os.chdir(ROOT)
            command = [sys.executable, str(Path(__file__).with_name("child.py")), *words]
            os.execve(sys.executable, command, {**PLAIN, "COLUMNS": "80", "LINES": "24", **environ})
        self.out = b""
        self.code: int | None = None

    def read(self, seconds: float) -> int:
        """Bytes that came within ``seconds``."""
        before, end = len(self.out), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self.code is None:
            if select.select([self.fd], [], [], left)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:  # the child has closed its end
                    self.wait(60.0)
                    break
                self.out += data
        return len(self.out) - before

    def until(self, word: bytes, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while word not in self.out and time.monotonic() < end and self.code is None:
            self.read(0.05)
        assert word in self.out, self.out[-2000:]

    def wait(self, seconds: float) -> float:
        """Seconds until it was gone, at most ``seconds``; what it wrote is read to its end."""
        started = time.monotonic()
        while time.monotonic() - started < seconds and self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                while self._more():
                    pass
            elif not select.select([self.fd], [], [], 0.02)[0] or not self._more():
                time.sleep(0.005)
        return time.monotonic() - started

    def _more(self) -> bool:
        """Whether there was more; not when nobody holds the other end any more."""
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.out += data
        return bool(data)

    def close(self) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def window() -> Iterator[type[Window]]:
    opened: list[Window] = []

    class Kept(Window):
        def __init__(self, *words: str, **environ: str) -> None:
            super().__init__(*words, **environ)
            opened.append(self)

    yield Kept
    for each in opened:
        each.close()


def test_an_idle_console_is_silent_and_sigterm_restores_the_terminal(window):
    child = window()
    child.until(b"shop/orders")
    end = time.monotonic() + 60
    while (came := child.read(1.5)) and time.monotonic() < end:
        pass  # on a busy machine its first picture comes in parts
    assert came == 0, child.out[-200:]
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait(60.0) < 60.0
    assert child.code == 128 + signal.SIGTERM
    for off in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l"):
        assert off in child.out[-400:]


def test_a_running_operation_costs_at_most_two_kilobytes_a_second(window, tmp_path):
    """Between two log lines, each at its place in what was written, over the seconds between them in the child."""
    beats = tmp_path / "beats"
    beats.touch()
    child = window("busy", BEATS=str(beats))
    child.until(b"shop/orders")
    os.write(child.fd, b"5\r")
    child.until(b"median of the last 3 runs")

    def line(least: int) -> tuple[int, int]:
        """The first line of the log from number ``least`` on, and where it was first written."""
        end = time.monotonic() + 60
        while True:
            found = [(int(one[1]), one.start()) for one in re.finditer(rb"is InProgress: line (\d+)\x1b", child.out)]
            if more := [one for one in found if one[0] >= least]:
                return min(more)
            assert time.monotonic() < end, child.out[-2000:]
            assert child.code is None
            child.read(0.05)

    def moved(line: int) -> int:
        """How often the operation had moved when it wrote the line: two moves are one."""
        return 2 * (line - 4)

    opened = 4 + len(beats.read_text().splitlines()) // 2
    first, began = line(opened + 2)  # the picture of the pane comes in parts, and has come by then
    last, ended = line(first + 3)
    stamps = [float(stamp) for stamp in beats.read_text().splitlines()]
    seconds = stamps[moved(last) - 1] - stamps[moved(first) - 1]
    assert 100 * (last - first) < ended - began <= 2048 * seconds
    os.write(child.fd, b"qq")
    assert child.wait(60.0) < 60.0
    assert child.code == 0


@pytest.mark.parametrize(
    ("environ", "theme", "colours", "mouse"),
    [
        ({"TERM": "xterm-256color"}, "lazarus-dark", None, True),
        ({"TERM": "xterm-256color", "SSH_TTY": "/dev/pts/3"}, "lazarus-ansi-dark", "standard", False),
        (
            {"TERM": "xterm", "SSH_TTY": "x", "LAZARUS_CONSOLE__COLOURS": "256", "LAZARUS_CONSOLE__MOUSE": "on"},
            "lazarus-dark",
            "256",
            True,
        ),
        ({"TERM": "linux"}, "lazarus-ansi-dark", "standard", True),
        ({"TERM": "xterm", "NO_COLOR": "1", "LAZARUS_CONSOLE__THEME": "light"}, "lazarus-ansi-light", "standard", True),
    ],
)
def test_each_terminal_gets_what_suits_it(environ, theme, colours, mouse):
    found: Profile = profile(environ)
    assert (found.theme, found.settings.get("TEXTUAL_COLOR_SYSTEM"), found.mouse) == (theme, colours, mouse)
    assert found.settings["TEXTUAL_ANIMATIONS"] == "none"


def test_settings_choose_theme_and_mouse_and_the_environment_overrules_them():
    local = {"TERM": "xterm"}
    chosen = profile(local, {"theme": "light", "mouse": "off"})
    assert (chosen.theme, chosen.mouse) == ("lazarus-light", False)
    assert profile({**local, "SSH_TTY": "x"}, {"mouse": "on"}).mouse
    here = {**local, "LAZARUS_CONSOLE__THEME": "dark", "LAZARUS_CONSOLE__MOUSE": "on"}
    assert profile(here, {"theme": "light", "mouse": "off"}).mouse
    assert not profile({**local, "SSH_TTY": "x"}, {"mouse": "auto"}).mouse


def test_a_console_that_cannot_end_is_ended(monkeypatch):
    monkeypatch.setattr("lazarus_tui.launch.LAST_SECONDS", 0.01)
    killed: list[int] = []
    reader, writer = os.pipe()
    ending = Ending(Terminal(reader), kill=killed.append)
    ending.by_signal(signal.SIGTERM, lambda: None)
    end = time.monotonic() + 60
    while not killed and time.monotonic() < end:
        time.sleep(0.002)
    assert killed == [128 + signal.SIGTERM]
    os.close(reader)
    os.close(writer)


def test_a_pipe_is_no_terminal():
    reader, writer = os.pipe()
    assert not Terminal(reader).there()
    os.close(reader)
    os.close(writer)
    assert not Terminal(reader).there()
