"""Takes secrets out of text and of data before they are shown, journalled, logged or put into evidence.

One redactor for the four sinks (reference: reliability §5.3). It errs on the side of hiding: what looks like a key is
gone, because a journal is kept for years and a support bundle travels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "[redacted]"

# Longest message of an error that is kept (reliability §5.3).
MAX_MESSAGE = 256

# Order matters: whole blocks first, then named values, then shapes. Every repetition is bounded, or its runs cannot
# overlap: a hostile line of any length costs linear time.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]{1,40}-----.*?(-----END [A-Z ]{1,40}-----|\Z)", re.S), HIDDEN),
    # apimachinery quotes the rejected body: "error found in #10 byte of ...|…|..., bigger context ...|…|..."
    (re.compile(r"error found in #\d+ byte of .*", re.S), "error found in the body"),
    (re.compile(r"(?<![\w-])eyJ[\w-]{5,}+\.[\w-]+(\.[\w-]*)?"), HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)(X-Amz-[\w-]{1,40}|sig|signature|access_?key(?:_?id)?)=[^&\s\"']+"), rf"\1={HIDDEN}"),
    (
        re.compile(
            r"(?i)((?:token|password|passwd|secret|api[_-]?key|authorization|client-key-data)[\w.-]{0,40}[\"']?"
            r"\s*[:=]\s*)(?:\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z)|[^\s,;}\"']+)"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}"), HIDDEN),
    (re.compile(r"(\"?(?:data|stringData)\"?\s*:\s*)\{[^}]*\}?"), rf"\1{HIDDEN}"),
)
_WORD = re.compile(r"[^\s\"']+")
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_=-]{24,}")

_SECRET_KEYS = re.compile(
    r"(?i)(token|password|passwd|api[_-]?key|authorization|client-key-data|private[_-]?key|access[_-]?key|credential)"
)
# Names of a Secret's keys: what a check reads a password from, not one (docs/checks.md).
_REFERENCES = ("passwordKey", "password_key")
# What a variable of a container is called, as far as a password is not: upper case, or words of which one says it.
_VARIABLE = re.compile(
    r"[A-Z][A-Z0-9]*(?:_[A-Za-z0-9]+)*|(?:[a-z0-9]+_)*(?:pass|password|passwd|pwd|user|username|login)(?:_[a-z0-9]+)*"
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _url(match: re.Match[str]) -> str:
    """A word without the query and the users of the URLs in it: signed addresses and passwords travel there."""
    before, mark, rest = match.group().partition("://")
    if not mark:
        return before
    rest, query, _ = rest.partition("?")
    places = "://".join(map(_userless, rest.split("://")))
    return f"{before}://{places}{'?' + HIDDEN if query else ''}"


def _userless(rest: str) -> str:
    """What follows ``://``, without its user; a password may have a slash in it, which ends no port."""
    host, slash, path = rest.partition("/")
    user, at, host = host.rpartition("@")
    _, colon, port = host.partition(":")
    if not at and colon and not port.isdigit() and "@" in path:
        return f"{HIDDEN}@{path.rpartition('@')[2]}"
    return f"{HIDDEN + at if user else ''}{host}{slash}{path}"


def _dense(word: str) -> bool:
    """Long words of mixed case with digits look like keys; Kubernetes names and uids are lower case."""
    return any(c.islower() for c in word) and any(c.isupper() for c in word) and any(c.isdigit() for c in word)


def redact_text(text: str, *, keys: bool = True) -> str:
    """``text`` with its lines kept, without tokens, keys, signed URLs or Secret data.

    ``keys`` False leaves long dense words alone (checksums in facts that a later step compares).
    """
    if "://" in text:
        text = _WORD.sub(_url, text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    if keys:
        text = _LONG_WORD.sub(lambda match: HIDDEN if _dense(match.group()) else match.group(), text)
    return text


def redact(text: str, limit: int = MAX_MESSAGE) -> str:
    """``redact_text`` on one line and at most ``limit`` characters."""
    text = " ".join(redact_text(text[: limit * 64]).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def redact_value(value: Any, *, keys: bool = True) -> Any:
    """A copy of JSON-like ``value`` without secrets: strings as ``redact_text``; in Kubernetes objects also a Secret's
    data, ``managedFields`` and the last-applied annotation; everywhere the values of keys named like credentials, but
    for the names of variables in a check's ``credentials.env`` (docs/checks.md)."""
    if isinstance(value, str):
        return redact_text(value, keys=keys)
    if isinstance(value, Mapping):
        secret = value.get("kind") == "Secret"
        kept: dict[str, Any] = {
            str(key): HIDDEN if _hides(str(key), item, secret) else redact_value(item, keys=keys)
            for key, item in value.items()
            if key != "managedFields"
        }
        if isinstance(login := value.get("credentials"), Mapping) and isinstance(login.get("env"), Mapping):
            kept["credentials"]["env"] |= {key: name for key, name in login["env"].items() if names_variable(name)}
        return kept
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(item, keys=keys) for item in value]
    return value


def names_variable(text: object) -> bool:
    """Whether it can be the name of a variable, and does not look like what is in one."""
    return isinstance(text, str) and len(text) < 128 and bool(_VARIABLE.fullmatch(text)) and redact_text(text) == text


def _hides(key: str, item: object, secret: bool) -> bool:
    if key == _LAST_APPLIED or key == "stringData" or (secret and key == "data"):
        return True
    return bool(_SECRET_KEYS.search(key)) and key not in _REFERENCES and isinstance(item, str | bytes) and bool(item)
