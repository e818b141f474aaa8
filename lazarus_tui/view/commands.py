"""The ``:`` prompt's grammar: ``:backups [namespace] [/filter] [@context]``, ``:ctx``, ``:q`` and their short forms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ALIASES = {
    "overview": "overview", "ov": "overview", "o": "overview", "pulses": "overview", "workloads": "overview",
    "backups": "backups", "backup": "backups", "ba": "backups", "b": "backups",
    "schedules": "schedules", "schedule": "schedules", "sc": "schedules", "s": "schedules",
    "restores": "restores", "restore": "restores", "re": "restores", "r": "restores",
    "operations": "operations", "operation": "operations", "ops": "operations", "op": "operations",
    "snapshots": "snapshots", "snapshot": "snapshots", "sets": "snapshots", "set": "snapshots", "ss": "snapshots",
    "sn": "snapshots",
    "proofs": "proofs", "proof": "proofs", "prove": "proofs", "pr": "proofs", "ladder": "proofs",
    "policies": "policies", "policy": "policies", "queue": "policies", "po": "policies",
    "contexts": "contexts", "context": "contexts", "ctx": "contexts", "clusters": "contexts",
    "help": "help", "h": "help", "aliases": "help",
    "theme": "theme", "rehearse": "rehearse", "drill": "rehearse",
    "q": "quit", "quit": "quit", "q!": "quit", "exit": "quit",
}  # fmt: skip
_WORDS = (
    "overview", "backups", "schedules", "restores", "operations", "snapshots", "proofs", "policies", "contexts",
    "help", "rehearse", "theme", "quit",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """What was typed. ``error`` says what is wrong with it; then nothing else holds."""

    go: str = ""
    namespace: str = ""
    filter: str = ""
    context: str = ""
    error: str = ""


def parse(typed: str) -> Command:
    """The command in ``typed`` (with or without its colon). A filter reaches to the end or to `` @``."""
    body = typed.strip().removeprefix(":").strip()
    if not body:
        return Command()
    head, slash, tail = body.partition(" /")
    pattern, at, last = tail.partition(" @") if slash else ("", "", "")
    words = head.split()
    context = last.strip() if at else ""
    names = [word for word in words[1:] if not word.startswith("@")]
    context = next((word[1:] for word in words[1:] if word.startswith("@")), context)
    if words and words[0].startswith("@"):
        return Command("overview", context=words[0][1:])
    go = ALIASES.get(words[0].lower(), "")
    if not go:
        return Command(error=f"unknown: {words[0][:40]}; known: {', '.join(_WORDS)}")
    if len(names) > 1:
        return Command(error=f":{go} takes one namespace, not {len(names)}")
    if go == "contexts" and names:
        return Command("overview", context=names[0])
    namespace = "" if not names or names[0] in ("all", "-") else names[0]
    return Command(go, namespace, f"/{pattern.strip()}" if pattern.strip() else "", context)


def complete(typed: str, *, namespaces: Iterable[str] = (), contexts: Iterable[str] = ()) -> str:
    """``typed`` completed by its first match, or ``typed`` itself."""
    body = typed.removeprefix(":")
    head, space, last = body.rpartition(" ")
    if not space:
        choices: Iterable[str] = _WORDS
    elif last.startswith("@"):
        choices = [f"@{name}" for name in sorted(contexts)]
    elif head and last:
        choices = sorted(namespaces)
    else:
        return typed
    found = next((choice for choice in choices if choice.startswith(last) and last), "")
    return f"{head}{space}{found}" if found else typed
