"""What the console needs of the link: the newest state of topics, and calls. ``link.client.Topics`` has this shape."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from lazarus_tui.link.client.topics import LinkState, TopicState
from lazarus_tui.link.codec import LinkFault, LinkLost

__all__ = ["LinkFault", "LinkLost", "LinkState", "Source", "TopicState"]

T = TypeVar("T")


class Source(Protocol):
    """Records are replaced, never edited, so a view can compare them by identity."""

    def state(self, topic: str) -> TopicState: ...

    def want(self, topics: Iterable[str]) -> None:
        """Follow exactly these topics from now on."""
        ...

    async def call(self, method: str, params: dict[str, Any], type: type[T], *, timeout: float = 60.0) -> T:
        """Ask the engine; raises ``LinkFault`` (it said no) or ``LinkLost`` (it is not there)."""
        ...

    async def run(self) -> None:
        """Follow until cancelled."""
        ...
