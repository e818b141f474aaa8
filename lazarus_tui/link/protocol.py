"""Messages of the link. One JSON object a line, both ways; the version is checked by the first exchange.

A client sends ``Call``s; the engine answers each with one ``Answer`` (in any order, matched by id). There is no push:
a client that wants to follow topics keeps one ``pull`` under way, so a slow reader skips versions and never queues.
"""

from __future__ import annotations

from typing import Any

import msgspec

PROTOCOL = 1

# A line longer than this closes the connection (a 10 000-row topic is about 6 MB).
MAX_LINE = 64 * 1024 * 1024


class Call(msgspec.Struct, frozen=True):
    id: int
    method: str
    params: dict[str, Any] = {}


class Fault(msgspec.Struct, frozen=True):
    """What was wrong, where, what to do next. ``code`` decides a command's exit code (see ``exit_code``); ``details``
    has a line for each thing the sentence is about."""

    code: str
    what: str
    where: str = ""
    hint: str = ""
    details: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    id: int
    result: msgspec.Raw = msgspec.Raw(b"null")
    fault: Fault | None = None


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's answer to ``hello``. ``console`` is the console's part of the settings.

    ``trouble`` is what went wrong when this engine started, in whole sentences; whoever started it says so once.
    """

    protocol: int
    version: str
    pid: int
    started: str
    state_root: str
    sandbox: bool
    open_operations: tuple[str, ...] = ()
    console: dict[str, Any] = {}
    trouble: tuple[str, ...] = ()


class TopicUpdate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """News of one topic. ``base`` None: ``upserts`` is the whole topic; else changes since version ``base``.

    ``state`` is loading, ready, stale (data shown with its age) or failed; ``reason`` and ``hint`` explain the last
    two. ``as_of`` is the RFC 3339 time of the last confirmed contact with the source. Items are records of the topic's
    type, each with its key in ``keys`` at the same index.
    """

    topic: str
    version: int
    state: str
    base: int | None = None
    keys: list[str] = []
    upserts: list[msgspec.Raw] = []
    removed: list[str] = []
    reason: str = ""
    hint: str = ""
    as_of: str = ""


class PullResult(msgspec.Struct, frozen=True):
    updates: list[TopicUpdate]


# Exit codes of the command line (design.md §11): 0 ok · 1 unexpected · 2 failed, start state kept · 3 left changed ·
# 4 inconclusive · 5 refused in preflight · 64 usage · 130 interrupted.
EXIT_CODES = {
    "unexpected": 1,
    "failed": 2,
    "left-changed": 3,
    "inconclusive": 4,
    "refused": 5,
    "blocked": 5,
    "nothing": 5,  # to be done: what is asked for is so already
    "consent": 5,
    "right": 5,
    "elsewhere": 5,  # another engine does it
    "not-found": 5,
    "read-only": 5,
    "unreachable": 4,
    "forbidden": 5,
    "usage": 64,
    "version": 5,
}


def exit_code(code: str) -> int:
    return EXIT_CODES.get(code, 1)
