"""Takes secrets out of text before it may be shown, journalled or logged."""

from __future__ import annotations

import re

MAX_MESSAGE = 256

_HIDDEN = "[redacted]"

# Order matters: whole blocks first, then named values, then shapes.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|\Z)", re.S), _HIDDEN),
    # apimachinery quotes the rejected body: "error found in #10 byte of ...|…|..., bigger context ...|…|..."
    (re.compile(r"error found in #\d+ byte of .*", re.S), "error found in the body"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(\.[\w-]*)?"), _HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {_HIDDEN}"),
    (re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/@\"']+@"), rf"\1{_HIDDEN}@"),
    (re.compile(r"(://[^\s?\"']+)\?[^\s\"']+"), rf"\1?{_HIDDEN}"),
    (re.compile(r"(?i)(X-Amz-[\w-]+|sig|signature|access_?key(?:_?id)?)=[^&\s\"']+"), rf"\1={_HIDDEN}"),
    (
        re.compile(
            r"(?i)([\"']?[\w.-]*(?:token|password|passwd|secret|api[_-]?key|authorization|client-key-data)[\w.-]*[\"']?"
            r"\s*[:=]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;}\"']+)"
        ),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}"), _HIDDEN),
    (re.compile(r"(\"?(?:data|stringData)\"?\s*:\s*)\{[^}]*\}?"), rf"\1{_HIDDEN}"),
)
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_=-]{24,}")


def _dense(word: str) -> bool:
    """Long words of mixed case with digits look like keys; Kubernetes names and uids are lower case."""
    return any(c.islower() for c in word) and any(c.isupper() for c in word) and any(c.isdigit() for c in word)


def redact(text: str, limit: int = MAX_MESSAGE) -> str:
    """``text`` without tokens, keys, signed URLs or Secret data, on one line and at most ``limit`` characters."""
    text = text[: limit * 64]
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    text = _LONG_WORD.sub(lambda match: _HIDDEN if _dense(match.group()) else match.group(), text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
