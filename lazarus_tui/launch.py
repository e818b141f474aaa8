"""Starts the console: Textual's settings for this terminal, signals, a watchdog, and a terminal left as it was found.

Textual reads its settings when it is imported, restores nothing on SIGTERM and SIGHUP, and spins when its terminal is
gone; so this module chooses the settings first, imports then, and guards the end. Nothing of Textual is imported here
at module level.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazarus_tui.app import Console
    from lazarus_tui.view.source import Source

# Leave the alternate screen, all mouse modes, bracketed paste, focus reports and kitty keys; show the cursor.
RESTORE = (
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[0m"
)
# A console that was told to end and cannot (a terminal that takes no bytes) is ended after this many seconds.
LAST_SECONDS = 1.5
# How often the terminal is asked whether it is still there.
WATCH_SECONDS = 5.0
_PLAIN_TERMINALS = ("linux", "dumb", "vt100", "vt220", "")
_COLOURS = ("standard", "256", "truecolor")


@dataclass(frozen=True, slots=True)
class Profile:
    """What suits this terminal: Textual's environment, theme and mouse."""

    settings: Mapping[str, str]
    theme: str
    mouse: bool
    plain_glyphs: bool = False


def profile(environ: Mapping[str, str], wanted: Mapping[str, Any] | None = None) -> Profile:
    """Over SSH: sixteen colours, fewer frames, no mouse. ``wanted`` is ``[console]`` of the settings.

    The environment of this process overrules what the engine was started with: ``LAZARUS_CONSOLE__THEME`` and its kin.
    """

    def setting(name: str) -> str:
        return str(environ.get(f"LAZARUS_CONSOLE__{name.upper()}") or (wanted or {}).get(name) or "auto")

    remote = bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))
    plain = bool(environ.get("NO_COLOR")) or environ.get("TERM", "") in _PLAIN_TERMINALS
    colours = setting("colours") if setting("colours") in _COLOURS else "standard" if remote or plain else ""
    shade = "light" if setting("theme") == "light" else "dark"
    ansi = plain or colours == "standard"
    theme = f"lazarus-ansi-{shade}" if ansi else f"lazarus-{shade}"
    settings = {"TEXTUAL_ANIMATIONS": "none", "TEXTUAL_SMOOTH_SCROLL": "0", "TEXTUAL_FPS": "30" if remote else "60"}
    if colours:
        settings["TEXTUAL_COLOR_SYSTEM"] = colours
    if ansi:  # Textual decides once, at import, what NO_COLOR means for the theme it starts with
        settings["TEXTUAL_THEME"] = f"ansi-{shade}"
    mouse = {"on": True, "off": False}.get(setting("mouse"), not remote)
    return Profile(settings, theme, mouse, plain_glyphs=environ.get("TERM", "") in _PLAIN_TERMINALS)


def load_app(
    environ: MutableMapping[str, str], wanted: Mapping[str, Any] | None = None
) -> tuple[type[Console], Profile]:
    """Import the console with the settings of this terminal; without the collector it takes a fifth less time."""
    chosen = profile(environ, wanted)
    for key, value in chosen.settings.items():
        environ.setdefault(key, value)
    gc.disable()
    try:
        from lazarus_tui.app import Console
    finally:
        gc.freeze()
        gc.enable()
    return Console, chosen


class Terminal:
    """The terminal as it was found; ``restore`` puts it back and never waits."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._attributes: list[Any] | None = None
        with contextlib.suppress(termios.error, OSError):
            self._attributes = termios.tcgetattr(fd)

    def there(self) -> bool:
        try:
            return os.isatty(self._fd) and bool(os.ttyname(self._fd))
        except OSError:
            return False

    def restore(self) -> None:
        if self._attributes is None:
            return
        with contextlib.suppress(termios.error, OSError):
            os.set_blocking(self._fd, False)
            try:
                os.write(self._fd, RESTORE)
            finally:
                os.set_blocking(self._fd, True)
        with contextlib.suppress(termios.error, OSError):
            termios.tcsetattr(self._fd, termios.TCSANOW, self._attributes)


class Ending:
    """Ends the console on a signal or a lost terminal: politely first, then for certain."""

    def __init__(self, terminal: Terminal, *, kill: Callable[[int], Any] = os._exit) -> None:
        self._terminal, self._kill = terminal, kill
        self._over = threading.Event()
        self.code: int | None = None

    def by_signal(self, number: int, exit: Callable[[], None]) -> None:
        """Called in the loop: leave, and be gone in ``LAST_SECONDS`` even when the loop is stuck."""
        self.code = 128 + number
        threading.Thread(target=self._last, name="lazarus-last-seconds", daemon=True).start()
        exit()

    def watch(self, exit: Callable[[], None]) -> None:
        """Look after the terminal from a thread of its own: the loop may be stuck in a write to it."""

        def look() -> None:
            while not self._over.wait(WATCH_SECONDS):
                if not self._terminal.there():
                    self.code = 128 + signal.SIGHUP
                    exit()
                    self._last()
                    return

        threading.Thread(target=look, name="lazarus-terminal-watch", daemon=True).start()

    def _last(self) -> None:
        if not self._over.wait(LAST_SECONDS):
            self._terminal.restore()
            self._kill(self.code or 1)

    def done(self) -> None:
        self._over.set()


def console(
    socket: Path | str,
    *,
    context: str | None = None,
    kubeconfig: str | None = None,
    revive: Callable[[], object] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> int:
    """Run the console on the engine at ``socket`` and return its exit code; needs a terminal on stdin and stdout.

    ``revive`` starts an engine again when none listens (it may block; it runs in a thread). ``settings`` is the part
    of the engine's settings that is for the console, ``Hello.console``.
    """
    app_class, chosen = load_app(os.environ, settings)
    source = linked(socket, kubeconfig, revive)
    return run_app(app_class(source, context=context, theme=chosen.theme, plain_glyphs=chosen.plain_glyphs), chosen)


def run_app(app: Console, chosen: Profile) -> int:
    """Run ``app`` in this terminal until it ends, on its own or by a signal; the exit code."""
    terminal = Terminal(sys.__stdin__.fileno() if sys.__stdin__ else 0)
    ending = Ending(terminal)
    clean = False
    try:
        asyncio.run(_run(app, ending, chosen.mouse))
        clean = ending.code is None and app.return_code in (0, None)
    finally:
        ending.done()
        if not clean:
            terminal.restore()
    return ending.code if ending.code is not None else app.return_code or 0


async def _run(app: Console, ending: Ending, mouse: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ending.by_signal, number, app.leave)

    def leave() -> None:
        loop.call_soon_threadsafe(app.leave)

    ending.watch(leave)
    try:
        await app.run_async(mouse=mouse)
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)


def linked(
    socket: Path | str, kubeconfig: str | None, revive: Callable[[], object] | None
) -> Callable[[Console], Source]:
    """The source on the real link."""
    from lazarus_tui.link.client.live import Client
    from lazarus_tui.link.client.topics import Topics
    from lazarus_tui.link.codec import LinkLost

    async def connect() -> Client:
        try:
            return await Client.connect(socket, kubeconfig=kubeconfig)
        except LinkLost:
            if revive is None:
                raise
        try:
            await asyncio.to_thread(revive)
        except Exception as error:
            raise LinkLost(f"no engine, and it cannot be started: {error}") from error
        return await Client.connect(socket, kubeconfig=kubeconfig)

    return lambda app: Topics(connect, on_change=app.changed, on_link=app.linked)
