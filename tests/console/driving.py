"""Hands and eyes for console tests: press, settle, and read the screen as text."""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from lazarus_tui.app import Console
from screens.approval import Approval
from tests.console.fake_link import FakeLink

# Seconds after which what is not there will not come; and after it did not come once, for all that follow.
_PATIENCE, _LITTLE = 90.0, 5.0


class Hands:
    patience: ClassVar[float] = _PATIENCE

    def __init__(self, app: Console, pilot: Pilot[Any], link: FakeLink) -> None:
        self.app, self.pilot, self.link = app, pilot, link

    async def settle(self) -> None:
        """Until nothing is queued, laid out or painted any more, nor a guard about to be lifted."""
        quiet, end = 0, time.monotonic() + Hands.patience
        while time.monotonic() < end:
            await self.pilot._wait_for_screen()
            if self.app._repaint is not None:
                self.app._repaint.stop()
                self.app._renew()
            stack = self.app._screen_stacks.get(self.app._current_mode) or [None]
            screen = stack[-1]
            if screen is None or self.app._exit:
                return
            busy = screen._layout_required or screen._dirty_widgets or screen._callbacks or not screen.is_running
            guarded = isinstance(screen, Approval) and not screen._open and screen.guard < 1
            quiet = 0 if busy or guarded else quiet + 1
            if quiet >= 3:
                return
            await asyncio.sleep(0.002)
        waited, Hands.patience = Hands.patience, _LITTLE
        raise TimeoutError(f"the console has not come to rest within {waited:.0f} s")

    async def sees(self, words: str) -> bool:
        """Whether the words come to stand on the screen, however late this machine is with what it began."""
        end = time.monotonic() + Hands.patience
        while words not in self.text and time.monotonic() < end:
            await self.settle()
            await asyncio.sleep(0.005)
        return words in self.text

    async def press(self, *keys: str) -> None:
        for key in keys:
            self._send(key, key if len(key) == 1 else None)
            await self.settle()

    async def burst(self, *keys: str) -> None:
        """All at once, as a slow line brings them: nothing waits for what it does."""
        for key in keys:
            self._send(_character_to_key(key) if len(key) == 1 else key, key if len(key) == 1 else None)
        await self.settle()

    async def type(self, text: str) -> None:
        for char in text:
            self._send(_character_to_key(char), char)
        await self.settle()

    def _send(self, key: str, char: str | None) -> None:
        event = events.Key(key, char)
        event.set_sender(self.app)
        assert self.app._driver is not None
        self.app._driver.send_message(event)

    @property
    def lines(self) -> list[str]:
        """The screen as lines of text, as the terminal shows it."""
        width, height = self.app.size
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).ljust(width) for strip in strips][:height]

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)

    @property
    def said(self) -> str:
        """The words at the bottom, however many lines they take, as the terminal shows them."""
        foot = self.app.screen.query_one("#footer").region
        return " ".join(" ".join(self.lines[foot.y : foot.bottom]).split())

    def called(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params in self.link.calls if name == method]
