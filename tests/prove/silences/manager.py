"""An Alertmanager of our own: API v2 with its validation, as strict as the real one, or as broken as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.silences import NoAnswer, Silence

Json = dict[str, Any]
_FILTER = re.compile(r'(\w+)="([^"]*)"')
# Fields of openapi.yaml: postableSilence and matcher.
_NEEDED = ("matchers", "startsAt", "endsAt", "createdBy", "comment")


@dataclass
class Manager:
    """``say`` answers requests (method, path with query, body) with (status, JSON); ``stored`` is by id."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    stored: dict[str, Json] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def say(self, method: str, place: str, body: bytes = b"") -> tuple[int, Any]:
        self.asked.append((method, place))
        parts = urlsplit(place)
        if parts.path == "/api/v2/silences" and method == "GET":
            return self._listed(parse_qs(parts.query).get("filter", []))
        if parts.path == "/api/v2/silences" and method == "POST":
            return self._made(body)
        name = re.fullmatch(r"/api/v2/silence/([^/]+)", parts.path)
        if name and method == "DELETE":
            return self._expired(unquote(name[1]))
        return 404, {"code": 404, "message": f"path {parts.path} was not found"}

    @property
    def standing(self) -> list[Json]:
        return [one for one in self.stored.values() if self._state(one) != "expired"]

    def _state(self, one: Json) -> str:
        if parse_rfc3339(one["endsAt"]) <= self.now():
            return "expired"
        return "pending" if parse_rfc3339(one["startsAt"]) > self.now() else "active"

    def _listed(self, filters: Sequence[str]) -> tuple[int, Any]:
        found = list(self.stored.values())
        for text in filters:
            match = _FILTER.fullmatch(text)
            if match is None:
                return 400, f"bad matcher format: {text}"
            found = [
                one for one in found if any((m["name"], m["value"]) == match.groups() for m in one["matchers"])
            ]  # fmt: skip
        return 200, [
            {**one, "status": {"state": self._state(one)}, "updatedAt": rfc3339(self.now())} for one in found
        ]  # fmt: skip

    def _made(self, body: bytes) -> tuple[int, Any]:
        given = json.loads(body)
        if missing := [key for key in _NEEDED if given.get(key) is None]:
            return 422, {"code": 602, "message": f"{missing[0]} in body is required"}
        if not given["matchers"]:
            return 422, {"code": 612, "message": "matchers in body should have at least 1 items"}
        for one in given["matchers"]:
            if not isinstance(one.get("isRegex"), bool) or not one.get("name") or not isinstance(one.get("value"), str):
                return 422, {"code": 602, "message": "matchers.0.isRegex in body is required"}
        if not any(one["value"] for one in given["matchers"]):
            return 400, "invalid silence: at least one matcher must not match the empty string"
        starts, ends = (datetime.fromisoformat(given[key].replace("Z", "+00:00")) for key in ("startsAt", "endsAt"))
        if ends < starts:
            return 400, "Failed to create silence: start time must be before end time"
        if ends < self.now():
            return 400, "Failed to create silence: end time can't be in the past"
        id = f"00000000-0000-4000-8000-{len(self.stored):012d}"
        self.stored[id] = {**given, "id": id, "startsAt": rfc3339(max(starts, self.now()))}
        return 200, {"silenceID": id}

    def _expired(self, id: str) -> tuple[int, Any]:
        if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id):
            return 422, {"code": 601, "message": f"silenceID in path must be of type uuid: {id!r}"}
        if id not in self.stored:
            return 404, ""
        if self._state(self.stored[id]) != "expired":
            self.stored[id]["endsAt"] = rfc3339(self.now())
        return 200, ""


@dataclass
class Beside:
    """The same without a network, as a step's context hands it out. ``script``: what happens to the next requests:
    "lost" (done, and the answer lost), "refused", "silent" (nothing done); then it is good."""

    manager: Manager
    script: list[str] = field(default_factory=list)

    async def silences(self, label: str, value: str) -> Sequence[Silence]:
        return msgspec.convert(self._say("GET", f'/api/v2/silences?filter={label}="{value}"'), list[Silence])

    async def set(self, silence: Mapping[str, Any]) -> str:
        return str(self._say("POST", "/api/v2/silences", json.dumps(dict(silence)).encode())["silenceID"])

    async def expire(self, id: str) -> None:
        self._say("DELETE", f"/api/v2/silence/{id}")

    def _say(self, method: str, place: str, body: bytes = b"") -> Any:
        how = self.script.pop(0) if self.script else ""
        if how == "refused":
            raise NoAnswer("answered 400: for a reason of its own")
        if how == "silent":
            raise NoAnswer("no answer within 5 s", unknown=True)
        status, found = self.manager.say(method, place, body)
        if how == "lost":
            raise NoAnswer("no answer: ReadError", unknown=True)
        if status != 200:
            raise NoAnswer(f"answered {status}: {found}", unknown=status >= 500)
        return found


@dataclass
class Listening:
    """``script``: what the next requests get instead: (status, body text), "hang", "reset" (after the deed)."""

    manager: Manager
    script: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    prefix: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            self.headers.append(headers)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            method, place, _ = head[0].split(" ")
            answer = self.script.pop(0) if self.script else None
            status, found = 404, json.dumps({"code": 404, "message": "no such route"})
            if answer not in (None, "reset", "hang"):
                status, found = answer
            elif place.startswith(self.prefix) and answer != "hang":
                status, said = self.manager.say(method, place.removeprefix(self.prefix), body)
                found = json.dumps(said) if said != "" else ""
            if answer == "reset":
                writer.transport.abort()
            elif answer == "hang":
                await reader.read()
            else:
                size = len(found.encode())
                lines = [f"HTTP/1.1 {status} X", f"content-length: {size}", "connection: close", "", found]
                writer.write("\r\n".join(lines).encode())
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def listening(
    manager: Manager, *script: Any, prefix: str = "", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Listening]:
    found = Listening(manager, list(script), prefix=prefix)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        if hasattr(server, "close_clients"):
            server.close_clients()
