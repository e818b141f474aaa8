"""The one sanitiser: text from outside becomes ``Safe`` text that cannot move a cursor, hide itself or flood a pane.

Rich and Textual strip only BEL, BS, VT, FF and CR, so an ESC in a pod's log would reach the terminal. Here every
control, format, surrogate and invisible character becomes a visible form; nothing is dropped without a trace.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NewType

from lazarus_tui.model.counting import how_many

Safe = NewType("Safe", str)

NAME_LIMIT = 253  # the longest name the API accepts
LINE_LIMIT = 2000
ELLIPSIS = "…"

# Letters by category, yet drawn as nothing: Hangul fillers, grapheme joiner, Mongolian selectors, Braille blank.
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u034f\u180b\u180c\u180d\u180e\u180f\u2800")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARK_CATEGORIES = frozenset({"Mn", "Me", "Mc"})
# More marks than this on one letter are a flood, not a script.
_MARKS_IN_A_ROW = 3


def clean(value: object, limit: int = NAME_LIMIT) -> Safe:
    """One line of at most ``limit`` characters; a longer one ends with ``…``. ``None`` is the empty text."""
    text = "" if value is None else str(value)
    if len(text) <= limit and text.isascii() and text.isprintable():
        return Safe(text)
    shown = "".join(_visible(unicodedata.normalize("NFC", text[: limit * 2]), "␤", "␉"))
    if len(shown) > limit or len(text) > limit * 2:
        shown = shown[: limit - 1] + ELLIPSIS
    return Safe(shown)


def clean_lines(value: object, *, limit: int = LINE_LIMIT, lines: int = 10_000) -> list[Safe]:
    """Many lines, each capped; where lines are left out, the last one says how many."""
    parts = ("" if value is None else str(value)).split("\n")
    shown = [clean(part.removesuffix("\r").expandtabs(4), limit) for part in parts[:lines]]
    if len(parts) > lines:
        shown.append(Safe(f"{ELLIPSIS} {how_many(len(parts) - lines, 'more line is', 'more lines are')} not shown"))
    return shown


def _visible(text: str, newline: str, tab: str) -> Iterator[str]:
    marks = 0
    for char in text:
        if char.isascii() and char.isprintable():
            marks = 0
            yield char
            continue
        category = unicodedata.category(char)
        marks = marks + 1 if category in _MARK_CATEGORIES else 0
        if category in _HIDDEN_CATEGORIES or char in _INVISIBLE or marks > _MARKS_IN_A_ROW or _selector(char):
            yield _form(char, newline, tab)
        elif category == "Zs":
            yield " "
        else:
            yield char


def _selector(char: str) -> bool:
    """Variation selectors change a character's width under a terminal's feet."""
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _form(char: str, newline: str, tab: str) -> str:
    code = ord(char)
    if char == "\n":
        return newline
    if char == "\t":
        return tab
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
