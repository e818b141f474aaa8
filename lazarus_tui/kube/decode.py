"""From bytes to records: typed at once, with the shape checked; never through a dict unless the answer has nulls."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from lazarus_tui.kube.errors import Unexpected, line
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.objects import Page, record

T = TypeVar("T")


class KindPage(Page[T], Generic[T], frozen=True, kw_only=True):
    """A page that remembers what the server called it."""

    kind: str = ""


class Kind(msgspec.Struct, frozen=True):
    kind: str = ""


@lru_cache(maxsize=256)
def decoder(wanted: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(wanted)


def decode(body: bytes, wanted: Any) -> Any:
    """``body`` as ``wanted``; raises ``msgspec.DecodeError`` or ``UnicodeDecodeError``."""
    try:
        return decoder(wanted).decode(body)
    except msgspec.ValidationError:
        # Absent and null are the same (model/objects.py), but msgspec tells them apart; this path is slow and rare.
        return record(msgspec.json.decode(body), wanted)


def decode_answer(request: HttpRequest, response: HttpResponse, wanted: Any, kinds: tuple[str, ...] = ()) -> Any:
    """A 2xx body as ``wanted``; raises ``Unexpected`` for HTML, junk, and for a kind not among ``kinds``."""
    try:
        if kinds and not _is_page(wanted):
            _check_kind(request, response, decode(response.body, Kind).kind, kinds)
        value = decode(response.body, wanted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unexpected(request, response, _where(error)) from None
    if kinds and _is_page(wanted):
        _check_kind(request, response, value.kind, kinds)
    return value


def _is_page(wanted: Any) -> bool:
    return getattr(wanted, "__origin__", wanted) is KindPage


def _check_kind(request: HttpRequest, response: HttpResponse, kind: str, kinds: tuple[str, ...]) -> None:
    if kind not in kinds:
        raise _unexpected(request, response, f"kind {kind[:64]!r} instead of {kinds[0]}")


def _where(error: Exception) -> str:
    """What msgspec says is wrong: types and the path in the document, never a value."""
    text = str(error)
    return text if isinstance(error, msgspec.ValidationError) and "Invalid enum" not in text else "it is not JSON"


def _unexpected(request: HttpRequest, response: HttpResponse, what: str) -> Unexpected:
    kind = response.headers.get("content-type", "").partition(";")[0] or "no content type"
    return Unexpected(
        f"answer {response.status} ({kind}) is not what was asked for: {what}",
        request=line(request),
        status=response.status,
        reason="UnexpectedBody",
    )


def encode(value: Any) -> bytes:
    """JSON for a request body; dicts, lists, records and raw bytes."""
    if isinstance(value, bytes):
        return value
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError):
        return json.dumps(value).encode()
