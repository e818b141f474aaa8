"""``Warning`` headers: what a client should know although its request was granted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lazarus_tui.model.http import HttpResponse
from lazarus_tui.sandbox.api.answers import Answer, StreamAnswer

# Upstream's cap on the text of all warnings of one answer.
_MAX_TEXT = 4096


def with_warnings(answer: Answer, texts: Iterable[str]) -> Answer:
    """``answer`` with one warning per different text, as far as they fit."""
    if not isinstance(answer, HttpResponse | StreamAnswer):
        return answer
    said = ", ".join(_fitting(dict.fromkeys(texts)))
    return replace(answer, headers={**answer.headers, "warning": said}) if said else answer


def _fitting(texts: Iterable[str]) -> Iterable[str]:
    left = _MAX_TEXT
    for text in texts:
        quoted = _quoted(text)
        left -= len(quoted)
        if left < 0:
            return
        yield f"299 - {quoted}"


def _quoted(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    escaped = printable.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
