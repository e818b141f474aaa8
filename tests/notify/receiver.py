"""A receiver of our own on loopback: it speaks as Slack, PagerDuty or a webhook does, or as broken as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lazarus_tui.notify import exchange

SEVERITIES = {"critical", "error", "warning", "info"}


@dataclass
class Post:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """``script``: what the next requests get: (status, headers, body), "hang", "reset" or "drip"; then it is good."""

    speaks: str = "webhook"
    script: list[Any] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            post = await self._read(reader)
            self.posts.append(post)
            answer = self.script.pop(0) if self.script else self._good(post)
            self.arrived.set()
            if answer == "reset":
                writer.transport.abort()
            elif answer == "hang":
                await reader.read()
            elif answer == "drip":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n" + b"x" * 100_000)
                await reader.read()
            else:
                await self._answer(writer, *answer)
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Post:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        method, path, _ = head[0].split(" ")
        assert method == "POST"
        return Post(path, headers, await reader.readexactly(int(headers["content-length"])))

    async def _answer(self, writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body.encode())}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", body]).encode())
        await writer.drain()

    def _good(self, post: Post) -> tuple[int, dict[str, str], str]:
        return {"slack": _slack, "pagerduty": _pagerduty, "webhook": lambda _: (204, {}, "")}[self.speaks](post)


def _slack(post: Post) -> tuple[int, dict[str, str], str]:
    """What an incoming webhook takes: text, at most 50 blocks, 3000 characters in each text."""
    body = post.json
    texts = [one["text"] for one in body["blocks"] if one["type"] == "section"]
    texts += [part for one in body["blocks"] if one["type"] == "context" for part in one["elements"]]
    fits = all(part["type"] == "mrkdwn" and 0 < len(part["text"]) <= 3000 for part in texts)
    good = bool(body["text"]) and len(body["blocks"]) <= 50 and fits
    return (200, {}, "ok") if good else (400, {}, "invalid_payload")


def _pagerduty(post: Post) -> tuple[int, dict[str, str], str]:
    """What Events v2 takes; its refusals name the fields."""
    body, errors = post.json, []
    if len(str(body.get("routing_key"))) != 32:
        errors.append("'routing_key' is missing or wrong")
    if body.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        errors.append("'event_action' is wrong")
    if len(str(body.get("dedup_key") or "")) > 255:
        errors.append("'dedup_key' is too long")
    if body.get("event_action") == "trigger":
        payload = body.get("payload") or {}
        if not payload.get("source") or not 0 < len(payload.get("summary") or "") <= 1024:
            errors.append("'payload.summary' or 'payload.source' is wrong")
        if payload.get("severity") not in SEVERITIES:
            errors.append("'payload.severity' is wrong")
    if errors or len(post.body) > 512 * 1024:
        said = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
        return 400, {}, json.dumps(said)
    return 202, {}, json.dumps({"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]})


@contextlib.asynccontextmanager
async def receiving(
    speaks: str = "webhook", *script: Any, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Real seconds of a machine that may be slow end no connection meanwhile: time is the clock that is handed in."""
    found = Receiver(speaks, list(script), scheme="https" if tls else "http")
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        with pytest.MonkeyPatch.context() as patient:
            patient.setattr(exchange, "CONNECT", 90.0)
            patient.setattr(exchange, "SILENCE", 90.0)
            yield found
    finally:
        server.close()
        if hasattr(server, "close_clients"):
            server.close_clients()
