"""What the server core hands to a front end: a whole answer, a stream of bytes, or a WebSocket conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lazarus_tui.model.http import HttpResponse, WebSocket
from lazarus_tui.sandbox.api.errors import ApiError, GroupUnknown

JSON = "application/json"
# Nothing between a client and the server may keep an answer.
NOT_KEPT: Mapping[str, str] = {"cache-control": "no-cache, private"}


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """Bytes as they come. The front end must close ``chunks`` (``aclose``) when the client goes."""

    chunks: AsyncGenerator[bytes, None]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": JSON})


@dataclass(frozen=True, slots=True)
class SocketAnswer:
    """Upgrade with ``subprotocol``, then let ``run`` talk; it returns when the conversation is over.

    With ``raw`` somebody behind this server has upgraded: ``run`` sends the answer's head itself, and there are no
    messages but bytes as they come, in both directions.
    """

    subprotocol: str
    run: Callable[[WebSocket], Awaitable[None]]
    raw: bool = False


Answer = HttpResponse | StreamAnswer | SocketAnswer


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """``body`` is bytes already encoded, or anything msgspec encodes."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return HttpResponse(status, {"content-type": JSON, **NOT_KEPT, **(headers or {})}, data)


def text_answer(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(status, {"content-type": "text/plain; charset=utf-8", **NOT_KEPT}, text.encode())


def error_answer(error: ApiError) -> HttpResponse:
    if isinstance(error, GroupUnknown):
        return text_answer(f"{error.message}\n", error.status)
    return json_answer(error.to_status(), error.status, error.headers)
