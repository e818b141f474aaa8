"""The one-line prompt: ``:`` commands and ``/`` filters. It is mounted when it is opened and gone when it is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from textual import events
from textual.message import Message
from textual.widgets import Input

Completer = Callable[[str], str]
# Seconds for which keys are held back at the most, should a prompt be taken away before it has seen its own.
_DRAINED = 1.0


class Prompt(Input):
    """``lead`` is ``:`` or ``/``. Tab takes the completion, esc leaves, and a ``/`` reports every change.

    Keys come faster than they are shown, over a slow line a handful at once. So each counts in the order in which it
    was typed: what comes behind enter or esc is not the prompt's, and kept for who has the keyboard next (``rest``).
    ``gone``: that has been asked for, and it takes no key any more.
    """

    DEFAULT_CSS = """
    Prompt { height: 1; border: none; padding: 0 1; background: $lz-bar; dock: bottom; }
    Prompt:focus { border: none; background: $lz-bar; }
    """

    class Entered(Message):
        def __init__(self, lead: str, text: str) -> None:
            super().__init__()
            self.lead, self.text = lead, text

    class Typed(Entered):
        """The text changed and is not entered yet."""

    class Left(Message):
        """The prompt was left without an answer."""

    def __init__(
        self, lead: str, text: str = "", *, completer: Completer = lambda text: text, **arguments: Any
    ) -> None:
        super().__init__(value=lead + text, select_on_focus=False, compact=True, max_length=400, **arguments)
        self.lead = lead
        self._completer = completer
        self._seen: events.Key | None = None
        self._over = self.gone = False
        self._behind: list[events.Key] = []

    async def on_key(self, event: events.Key) -> None:
        self._seen = event
        if self._over:
            self._behind.append(event)
        elif event.key == "enter":
            self._end(self.Entered(self.lead, self.value[len(self.lead) :]))
        elif event.key == "escape" or (event.key == "backspace" and self.value == self.lead):
            self._end(self.Left())
        elif event.key == "tab":
            self.value = self._completer(self.value)
            self.cursor_position = len(self.value)
        elif not await self._edited(event.key):
            return
        event.stop()
        event.prevent_default()

    async def _edited(self, key: str) -> bool:
        """Whether ``key`` edits the text. As a binding it would act once it has come back to the app: after what was
        typed behind it, or in the pane."""
        for binding in self._bindings.key_to_bindings.get(key, ()):
            if await self.app.run_action(binding.action, self):
                return True
        return False

    def _end(self, message: Message) -> None:
        if not self._over:
            self._over = True
            self.post_message(message)

    async def rest(self) -> list[events.Key]:
        """What was typed behind its end, once it has seen every key that was given to it."""
        seen = asyncio.Event()
        if self.call_later(seen.set):
            with suppress(TimeoutError):
                await asyncio.wait_for(seen.wait(), _DRAINED)
        self.gone = True
        return [events.Key(one.key, one.character) for one in self._behind]

    def catch(self, event: events.Key) -> bool:
        """Take a key that was typed ahead, before the prompt had the focus; False for one that came through it."""
        if event is self._seen or self.gone:
            return False
        self._forward_event(events.Key(event.key, event.character))
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if not self.value.startswith(self.lead):
            self._end(self.Left())
        else:
            self.post_message(self.Typed(self.lead, self.value[len(self.lead) :]))
