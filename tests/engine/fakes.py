"""Small stand-ins for what a mirror and the contexts rest on; the clusters themselves are the sandbox's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from lazarus_tui.engine.hub import Hub
from lazarus_tui.kube.watch import Batch
from lazarus_tui.link.protocol import PullResult, TopicUpdate
from lazarus_tui.model.objects import Meta
from lazarus_tui.model.resources import Resource


class ScriptedFollow:
    """Stands for ``kube.watch.follow``: tests put batches per kind; nothing put means no answer yet."""

    def __init__(self) -> None:
        self.queues: dict[str, asyncio.Queue[Batch[Any] | Exception]] = {}
        self.opened: list[tuple[str, str | None]] = []

    def put(self, resource: Resource, *batches: Batch[Any] | Exception) -> None:
        for batch in batches:
            self.queues.setdefault(resource.plural, asyncio.Queue()).put_nowait(batch)

    async def __call__(
        self, cluster: Any, resource: Resource, namespace: str | None, *, type: type[Any]
    ) -> AsyncIterator[Batch[Any]]:
        self.opened.append((resource.plural, namespace))
        queue = self.queues.setdefault(resource.plural, asyncio.Queue())
        while True:
            found = await queue.get()
            if isinstance(found, Exception):
                raise found
            yield found


def meta(name: str, namespace: str = "velero", **more: Any) -> Meta:
    return Meta(name=name, namespace=namespace, uid=f"uid-{name}", **more)


async def look(hub: Hub, topic: str) -> tuple[TopicUpdate, dict[str, Any]]:
    """The topic as a reader sees it that knows nothing."""
    [update] = msgspec.json.decode(await hub.pull({topic: 0}, 0), type=PullResult).updates
    return update, {key: msgspec.json.decode(raw) for key, raw in zip(update.keys, update.upserts, strict=True)}
