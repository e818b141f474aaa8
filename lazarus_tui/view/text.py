"""Spans and lines: what every widget paints. A span is safe text with a tone; colours are the theme's business."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from lazarus_tui.view.sanitise import Safe, clean


class Tone(StrEnum):
    """What a piece of text means. ``GOOD``, ``WARN`` and ``BAD`` always come with a glyph or a word too."""

    PLAIN = "plain"
    STRONG = "strong"
    MUTED = "muted"
    ACCENT = "accent"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Span(NamedTuple):
    text: Safe
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]

BLANK: Line = ()


def span(text: object, tone: Tone = Tone.PLAIN, limit: int = 253) -> Span:
    return Span(clean(text, limit), tone)


def line(*parts: Span | str) -> Line:
    """A line of spans; bare strings become plain spans."""
    return tuple(part if isinstance(part, Span) else span(part, limit=2000) for part in parts)


def muted(text: object) -> Span:
    return span(text, Tone.MUTED, 2000)


def strong(text: object) -> Span:
    return span(text, Tone.STRONG, 2000)


def accent(text: object) -> Span:
    return span(text, Tone.ACCENT, 2000)


def heading(text: object) -> Line:
    return (accent(text),)


def plain(found: Line) -> str:
    """The text of a line without its tones."""
    return "".join(part.text for part in found)


def join(parts: Iterable[Span], separator: str = "  ") -> Line:
    found: list[Span] = []
    for part in parts:
        if found:
            found.append(Span(Safe(separator)))
        found.append(part)
    return tuple(found)


def wrap(text: str, width: int, tone: Tone = Tone.PLAIN, indent: int = 0) -> list[Line]:
    """``text`` broken at spaces into lines of at most ``width`` cells (ASCII prose), hanging by ``indent``."""
    width = max(width, indent + 8)
    found: list[str] = []
    current = ""
    for word in str(text).split():
        while len(word) > width - indent:
            if current:
                found.append(current)
                current = ""
            found.append(word[: width - indent])
            word = word[width - indent :]
        if current and len(current) + 1 + len(word) > width - indent:
            found.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    if current:
        found.append(current)
    return [line(" " * indent, span(part, tone, 4000)) for part in found]


def flow(parts: Iterable[Span | str], width: int, indent: int) -> list[Line]:
    """Parts beside each other, and below them, hanging by ``indent``, what ``width`` cells (ASCII) do not hold."""
    found: list[list[Span]] = [[]]
    used = 0
    for part in line(*parts):
        if used > indent and used + len(part.text) > width:
            found.append([Span(Safe(" " * indent))])
            used, part = indent, Span(Safe(part.text.lstrip()), part.tone)
        found[-1].append(part)
        used += len(part.text)
    return [tuple(one) for one in found]


def labelled(label: str, *parts: Span | str, width: int = 14) -> Line:
    """``label`` in a muted column of ``width`` cells, then the parts."""
    return line(muted(f" {label:<{width}} "), *parts)
