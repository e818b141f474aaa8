"""PagerDuty's Events API v2: trigger, acknowledge and resolve under one deduplication key.

Limits: dedup_key 255 and summary 1024 characters, 512 KB an event (developer.pagerduty.com/docs/events-api-v2).
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from lazarus_tui.notify.notice import Action, Notice, one_line
from lazarus_tui.notify.outgoing import Outgoing

ADDRESS = "https://events.pagerduty.com/v2/enqueue"
MAX_SUMMARY, MAX_KEY = 1024, 255
_BAD_KEY = "routing_key"


def compose(notice: Notice, url: str, routing_key: str) -> Outgoing:
    body: dict[str, Any] = {
        "routing_key": routing_key, "event_action": str(notice.action), "client": "Lazarus",
        "dedup_key": dedup_key(notice.key, notice.incident),
    }  # fmt: skip
    if notice.action is Action.TRIGGER:
        body["payload"] = {
            "summary": one_line(notice.title, MAX_SUMMARY),
            "source": one_line(notice.context or "lazarus", 255),
            "severity": str(notice.severity),
            "timestamp": notice.at,
            "component": notice.subject,
            "class": str(notice.told),
            "custom_details": {
                "text": notice.text, "next": "\n".join(notice.commands), "operation": notice.operation,
                "policy": notice.policy, "notice": notice.id,
            },
        }  # fmt: skip
    return Outgoing(url or ADDRESS, msgspec.json.encode(body), {"content-type": "application/json"})


def dedup_key(key: str, incident: str = "") -> str:
    """As it is, or cut with a digest of the whole: two long keys never become one, nor do two incidents."""
    whole = f"lazarus/{key}/{incident}" if incident else f"lazarus/{key}"
    if len(whole) <= MAX_KEY:
        return whole
    return f"{whole[:200]}~{hashlib.sha256(whole.encode('utf-8', 'replace')).hexdigest()[:16]}"


def meaning(text: str) -> str:
    """The reasons PagerDuty gives with a refusal; it names fields, not their values."""
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return ""
    errors = found.get("errors")
    return "; ".join(str(one) for one in errors[:5]) if isinstance(errors, list) else ""


def wrong_key(text: str) -> bool:
    """Whether a 400 is about the routing key: that can be mended, and then the event is taken."""
    return _BAD_KEY in meaning(text)
