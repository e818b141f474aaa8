"""Signed JSON to an address of one's own (docs/notifications.md has the receiver's side)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec

from lazarus_tui.notify.notice import Notice, Told
from lazarus_tui.notify.outgoing import Outgoing

SCHEMA = "lazarus.io/notice/v1"
ID, TIMESTAMP, SIGNATURE = "lazarus-id", "lazarus-timestamp", "lazarus-signature"
# The signature names its scheme, so that another one can stand beside it one day.
SCHEME = "v1"


def compose(notice: Notice, url: str, key: str, now: int) -> Outgoing:
    """``now``: seconds since 1970; a receiver refuses what is more than five minutes old."""
    body = msgspec.json.encode(document(notice))
    headers = {
        "content-type": "application/json", ID: notice.id, TIMESTAMP: str(now),
        SIGNATURE: f"{SCHEME}={sign(key, now, body)}",
    }  # fmt: skip
    return Outgoing(url, body, headers)


def document(notice: Notice) -> dict[str, Any]:
    found: dict[str, Any] = {"schema": SCHEMA, **msgspec.to_builtins(notice)}
    if notice.told is Told.AT_ZERO:
        found["state"] = "AT_ZERO"  # sent again each minute: its absence is an alarm too
    return found


def sign(key: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over ``timestamp.body``, hex."""
    return hmac.new(key.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
