"""What a screen may ask of the application, so that screens need not know it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from lazarus_tui.model.topics import ContextRow
from lazarus_tui.view.source import LinkState, Source, TopicState
from lazarus_tui.view.text import Tone


class Host(Protocol):
    """The console as its screens see it."""

    source: Source
    link: LinkState
    link_reason: str
    context_name: str

    def now(self) -> datetime: ...

    @property
    def context(self) -> ContextRow | None:
        """The context in use, as the engine last described it."""
        ...

    def topic(self, name: str) -> TopicState:
        """The state of ``name`` for the context in use (or of a topic without a context)."""
        ...

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """One line at the bottom until the next key."""
        ...

    def follow(self) -> None:
        """The visible screen wants other topics than before."""
        ...

    def use_context(self, name: str) -> None: ...

    async def visit(self, mode: str, *, namespace: str | None = None, filter: str | None = None) -> None:
        """Go to one of the places, narrowed if asked."""
        ...

    async def go_along(self, by: int) -> None:
        """One place back (-1) or forward (1) in the order in which they were visited."""
        ...

    def run_command(self, typed: str) -> None: ...

    def leave(self) -> None: ...

    def ask_to_detach(self) -> None: ...


Record = Any
