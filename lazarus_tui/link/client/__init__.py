"""The console's and the command line's end of the link.

``SyncClient`` is for commands: a blocking socket, no asyncio, so that a verb answers in a tenth of a second. ``Client``
and ``Topics`` are for the console and load asyncio when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazarus_tui.link.client.blocking import SyncClient
from lazarus_tui.link.codec import LinkFault, LinkLost

if TYPE_CHECKING:
    from lazarus_tui.link.client.live import Client
    from lazarus_tui.link.client.topics import LinkState, Topics, TopicState

__all__ = ["Client", "LinkFault", "LinkLost", "LinkState", "SyncClient", "TopicState", "Topics"]


def __getattr__(name: str) -> Any:
    if name == "Client":
        from lazarus_tui.link.client.live import Client

        return Client
    if name in ("LinkState", "TopicState", "Topics"):
        from lazarus_tui.link.client import topics

        return getattr(topics, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
