"""Services of the lab behind forwarded connections: resolved as a cluster's are, answered as the lab says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from lazarus_tui.model.resources import SERVICES, SLICES, Resource
from lazarus_tui.model.streams import Streams

Answers = dict[tuple[str, str, str], Any]


def behind(answers: Answers, resource: Resource, namespace: str | None) -> dict[str, dict[str, Any]]:
    """The Services or EndpointSlices that the lab's answers stand for, by name: one port, one pod of the same name."""
    names = {name for space, name, _ in answers if space == namespace}
    if resource == SERVICES:
        return {
            name: {"metadata": {"name": name}, "spec": {"ports": [{"name": "http", "port": 8080}]}} for name in names
        }
    if resource != SLICES:
        return {}
    return {
        name: {
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
            "endpoints": [{"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": name}}],
            "ports": [{"name": "http", "port": 8080}],
        }
        for name in names
    }


class _Writer:
    """Answers as soon as a request is whole."""

    def __init__(self, reader: asyncio.StreamReader, answer: Callable[[str], Any]) -> None:
        self._reader, self._answer, self._data = reader, answer, bytearray()

    def write(self, data: bytes) -> None:
        self._data += data
        if not self._data.endswith(b"\r\n\r\n"):
            return
        answer = self._answer(self._data.split(b" ")[1].decode())
        if isinstance(answer, Exception):
            self._reader.set_exception(answer)
            return
        status, body = answer
        self._reader.feed_data(b"HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)
        self._reader.feed_eof()

    async def drain(self) -> None: ...

    def close(self) -> None: ...

    def is_closing(self) -> bool:
        return False

    async def wait_closed(self) -> None: ...


@asynccontextmanager
async def wire(answers: Answers, namespace: str, pod: str) -> AsyncIterator[Streams]:
    def answer(path: str) -> Any:
        found = answers.get((namespace, pod, path))
        found = found() if callable(found) else found
        if found is None:
            return 404, b"no such page"
        return found if isinstance(found, tuple | Exception) else (200, json.dumps(found).encode())

    reader = asyncio.StreamReader()
    yield reader, _Writer(reader, answer)
