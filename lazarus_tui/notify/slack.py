"""Slack's incoming webhooks: blocks of escaped text, and what the answers mean.

Limits: 3000 characters a text object (docs.slack.dev/reference/block-kit/blocks). ``verbatim`` keeps Slack from making
links and mentions of what a cluster wrote.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.notify.notice import Action, Notice, Severity, plain
from lazarus_tui.notify.outgoing import Outgoing

MAX_BLOCK = 3000
_GLYPHS = {Severity.CRITICAL: "✗✗", Severity.ERROR: "✗", Severity.WARNING: "▲", Severity.INFO: "·"}
_MEANING = {
    "invalid_payload": "it does not understand the message",
    "action_prohibited": "the workspace does not allow this webhook to post there",
    "channel_not_found": "the channel exists no more",
    "channel_is_archived": "the channel is archived",
    "no_service": "the webhook was disabled or removed",
    "no_team": "the workspace exists no more",
    "invalid_token": "the address of the webhook is wrong",
}


def escaped(text: str) -> str:
    """The three characters that Slack gives a meaning (docs.slack.dev/messaging/formatting-message-text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def compose(notice: Notice, url: str) -> Outgoing:
    word = "✓" if notice.action is Action.RESOLVE else _GLYPHS[notice.severity]
    title = escaped(f"{word} {notice.title}")
    blocks = [_section(title), _section(_capped(escaped(notice.text)))] if notice.text else [_section(title)]
    if notice.commands:
        blocks.append(_section(_capped(escaped("\n".join(notice.commands)))))
    facts = [notice.severity, notice.context, notice.subject, notice.at, f"id {notice.id}"]
    line = escaped(plain(" · ".join(one for one in facts if one), 600))
    blocks.append({"type": "context", "elements": [_text(line)]})
    body = {"text": title, "mrkdwn": False, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}
    return Outgoing(url, msgspec.json.encode(body), {"content-type": "application/json"})


def meaning(text: str) -> str:
    """What Slack's one-word answer means, "" when it is none that is known."""
    return _MEANING.get(text.strip(), "")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _capped(text: str) -> str:
    """Cut before an entity rather than in the middle of one."""
    if len(text) <= MAX_BLOCK:
        return text
    head = text[: MAX_BLOCK - 1]
    return head[: head.rfind("&")] + "…" if "&" in head[-5:] else head + "…"
