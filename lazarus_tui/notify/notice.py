"""What is told: a small closed set of events, each with the key that ties a resolve to what it resolves."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from lazarus_tui.model.redact import redact_text

# Characters of a title and of a text; receivers cut further (Slack: 3000 a block, PagerDuty: 1024 for the summary).
MAX_TITLE, MAX_TEXT = 200, 2000
MAX_NAME = 250  # characters of a key, or of a name


class Told(StrEnum):
    """The events. Nothing else is ever told."""

    PROOF_FAILED = "proof-failed"
    PROOF_INCONCLUSIVE = "proof-inconclusive"
    PROOF_PASSED = "proof-passed"  # after one that did not
    CONTROL_NOT_RED = "control-not-red"
    CONTROL_RED = "control-red"  # after one that was not
    OVERDUE = "overdue"
    CAUGHT_UP = "caught-up"
    PARKED = "operation-parked"
    LEFT_CHANGED = "operation-left-changed"
    TAKEN_UP = "operation-taken-up"  # somebody went on with it, or takes it back
    SETTLED = "operation-settled"
    AT_ZERO = "at-zero"
    BACK = "back-from-zero"
    PART_FAILS = "engine-part-fails"
    PART_RUNS = "engine-part-runs"  # again, and has for a while
    TEST = "test"


class Action(StrEnum):
    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class Severity(StrEnum):
    """Worst first, as they are defined."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell. ``key``: what it is about; of one key everything is told in its order.

    ``subject``: the workload, policy or target; ``commands``: what to type next. Names alone, never data or secrets.
    ``id`` is the same on every sending. ``at`` is RFC 3339: when it happened. Of a proof: its ``point``, when that
    began (``point_at``, RFC 3339, "" if not known), the ``rungs`` it has shown, or owes when it did not pass, and the
    hash of its policy as it was when it asked. ``incident``: id of the notice that began what this one belongs to: it
    keeps that apart from what another engine tells under the same key; "" where an older Lazarus began it.
    """

    id: str
    told: Told
    action: Action
    severity: Severity
    key: str
    at: str
    title: str
    text: str
    context: str = ""
    subject: str = ""
    operation: str = ""
    policy: str = ""
    commands: tuple[str, ...] = ()
    point: str = ""
    point_at: str = ""
    rungs: tuple[str, ...] = ()
    policy_hash: str = ""
    incident: str = ""


def notice_id(*parts: str) -> str:
    """16 hex digits that follow from what is told, so that telling it again after a crash is the same notice."""
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def made(
    told: Told, action: Action, severity: Severity, key: str, at: str, title: str, text: str, *, origin: str = "",
    context: str = "", subject: str = "", operation: str = "", policy: str = "", commands: tuple[str, ...] = (),
    point: str = "", point_at: str = "", rungs: tuple[str, ...] = (), policy_hash: str = "",
) -> Notice:  # fmt: skip
    """A notice as the journal keeps it: without secrets, capped; its id follows from key, ``at`` and ``origin``."""
    key = _told_apart(key)
    context, subject, policy, point = (_kept(one, MAX_NAME) for one in (context, subject, policy, point))
    return Notice(
        id=notice_id(origin, at, told, key), told=told, action=action, severity=severity, key=key, at=at,
        title=_kept(title, MAX_TITLE), text=plain(redact_text(text[: MAX_TEXT * 64].strip(), keys=False), MAX_TEXT),
        context=context, subject=subject, operation=operation, policy=policy, commands=commands, point=point,
        point_at=point_at, rungs=rungs, policy_hash=policy_hash,
    )  # fmt: skip


def _told_apart(key: str) -> str:
    """One that is too long ends with a digest of the whole: two keys never become one, whose ends would be mixed up."""
    whole = _kept(key, MAX_NAME * 64)
    return whole if len(whole) <= MAX_NAME else f"{whole[: MAX_NAME - 17]}~{notice_id(whole)}"


def _kept(text: str, limit: int) -> str:
    return one_line(redact_text(text[: limit * 64], keys=False), limit)


def plain(text: str, limit: int) -> str:
    """Text of a cluster for a receiver: without control, direction-changing and invisible characters, and capped."""
    found = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text[: limit * 4])
    return found if len(found) <= limit else found[: limit - 1] + "…"


def one_line(text: str, limit: int) -> str:
    return plain(" ".join(text.split()), limit)


def commands(context: str, *words: Iterable[str], sandbox: bool = False) -> tuple[str, ...]:
    """Command lines to copy; ``context`` is named where there is more than the sandbox."""
    where = ["--sandbox"] if sandbox else ["--context", context] if context else []
    return tuple(one_line(shlex.join(["lazarus", *where, *each]), 400) for each in words)
