"""Velero's messages in plain words: what they mean and what to do next (reference: velero §2.7, §8)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.velero.known_messages import KNOWN

_EXAMPLES = 3
# Parts of a message that differ from object to object: what is left is the same trouble.
_VARIABLE = re.compile(r"\"[^\"]*\"|'[^']*'|\b[a-z0-9.-]*/[a-z0-9./-]+\b|\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b|\b\d+\b")
# ``name: <name> message: <text>`` is how Velero prefixes item errors.
_NAMED = re.compile(r"name: (\S+) message: ")
_EXISTS = re.compile(r"could not restore, (\w+)[: ]\"?([^\"\s]+)\"? already exists")


@dataclass(frozen=True, slots=True)
class Explanation:
    meaning: str
    advice: str


@dataclass(frozen=True, slots=True)
class Group:
    """Messages of one kind. ``scope`` is velero, cluster or a namespace; ``severity`` error or warning."""

    severity: str
    scope: str
    count: int
    message: str
    examples: tuple[str, ...] = field(default=())
    explanation: Explanation | None = None

    def all_told(self) -> list[str]:
        """Every message that was kept, and one that says how many were not."""
        more = self.count - len(self.examples)
        return [*self.examples, *([f"{more} more in {self.scope} that were not kept"] if more > 0 else [])]

    def words(self) -> str:
        times = f"{self.count} times in {self.scope}" if self.count > 1 else f"in {self.scope}"
        said = self.explanation.meaning if self.explanation else self.message
        return f"{said} ({times})"


def explain(message: str) -> Explanation | None:
    """What a message means; None when nobody has described it yet: show it as it is."""
    for pattern, meaning, advice in KNOWN:
        if pattern.search(message):
            return Explanation(meaning, advice)
    return None


def advice_for(messages: Iterable[str]) -> str:
    """The first advice that fits one of the messages, or ""."""
    for message in messages:
        found = explain(message)
        if found:
            return found.advice
    return ""


def grouped(results: Any) -> list[Group]:
    """The groups of a BackupResults or RestoreResults document, errors first, then by how often they occur."""
    if not isinstance(results, Mapping):
        return []
    groups: list[Group] = []
    for severity in ("error", "warning"):
        found: dict[tuple[str, str], list[str]] = {}
        for scope, message in _messages(results.get(severity + "s")):
            found.setdefault((scope, _kind(message)), []).append(message)
        rows = [
            Group(severity, scope, len(texts), texts[0], tuple(texts[:_EXAMPLES]), explain(texts[0]))
            for (scope, _), texts in found.items()
        ]
        groups += sorted(rows, key=lambda group: (-group.count, group.scope, group.message))
    return groups


def _messages(part: Any) -> Iterable[tuple[str, str]]:
    if not isinstance(part, Mapping):
        return
    for scope in ("velero", "cluster"):
        for message in part.get(scope) or ():
            yield scope, str(message)
    spaces = part.get("namespaces")
    for space, messages in spaces.items() if isinstance(spaces, Mapping) else ():
        for message in messages or ():
            yield str(space), str(message)


def _kind(message: str) -> str:
    return _VARIABLE.sub("…", _NAMED.sub("", message))


def kept_objects(results: Any) -> list[str]:
    """``namespace/Kind/name`` of objects a restore left as they were because they existed already."""
    found = []
    part = results.get("warnings") if isinstance(results, Mapping) else None
    for scope, message in _messages(part):
        match = _EXISTS.search(message)
        if match:
            found.append(f"{scope}/{match[1]}/{match[2]}")
    return found
