"""What goes to a sink and what comes back, whatever the sink speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

# Answers that mean: the same request may be taken later (RFC 9110, RFC 6585).
_LATER = frozenset({408, 421, 425, 429})
# Answers that mean: this request is not understood, and never will be.
_NEVER = frozenset({400, 405, 406, 411, 413, 414, 415, 422, 431})


@dataclass(frozen=True)
class Outgoing:
    """One request. The address, the headers and the body may hold secrets, so none of them is ever printed."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Outcome(StrEnum):
    """``LATER``: again soon. ``REFUSED``: until somebody mends the sink, so again rarely. ``NEVER``: not at all."""

    DELIVERED = "delivered"
    LATER = "later"
    REFUSED = "refused"
    NEVER = "never"


@dataclass(frozen=True)
class Answer:
    """``words`` are safe to keep and to show. ``wait``: seconds the receiver asked for; ``hint``: what to do next."""

    outcome: Outcome
    words: str
    wait: float | None = None
    hint: str = ""


def by_status(status: int) -> Outcome:
    """What an HTTP status means for a message; a redirect is never followed, so nothing was delivered."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if status in _LATER or status >= 500:
        return Outcome.LATER
    return Outcome.NEVER if status in _NEVER else Outcome.REFUSED
