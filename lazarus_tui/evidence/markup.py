"""HTML for evidence: one file, no scripts, nothing loaded; every text from outside is escaped here and nowhere else."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Sequence

# Control, format, surrogate, private and separator characters could hide or turn around what a reader sees.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Characters of one text that are shown; the record has all of it.
LONGEST = 2000
UNKNOWN = "not recorded"

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#111;"
    "background:#fff}h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #ccc}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.2rem .6rem;"
    "border-bottom:1px solid #ddd;overflow-wrap:anywhere}th{font-weight:600}code{font-family:ui-monospace,monospace}"
    ".PASSED{color:#0a5d1a}.FAILED{color:#a40000}.INCONCLUSIVE{color:#7a4d00}.NOT{color:#444}.v{font-weight:700}"
    "svg text{font:12px system-ui,sans-serif}@media print{body{margin:0}}"
)


class Markup(str):
    """Text that is HTML already; a plain ``str`` is not, and gets escaped."""

    __slots__ = ()


def text(value: object) -> Markup:
    """``value`` as text of a page. Markup stays; None is what was not recorded."""
    if isinstance(value, Markup):
        return value
    said = UNKNOWN if value is None or value == "" else str(value)
    cut = said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"
    return Markup(html.escape("".join(map(_visible, cut))))


def _visible(char: str) -> str:
    if unicodedata.category(char) not in _HIDDEN:
        return char
    return " " if char in "\n\t" else f"\\u{ord(char):04x}"


def join(parts: Iterable[object]) -> Markup:
    return Markup("".join(map(text, parts)))


def element(name: str, *inside: object, **attributes: str) -> Markup:
    """``<name …>inside</name>``; ``cls`` stands for the attribute class."""
    said = "".join(f' {key.replace("cls", "class")}="{text(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{said}>{join(inside)}</{name}>")


def verdict(value: object) -> Markup:
    """A verdict in words; the colour only repeats it."""
    known = str(value or "")
    kind = known if known in ("PASSED", "FAILED", "INCONCLUSIVE") else "NOT"
    return element("span", value, cls=f"v {kind}")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    body = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
    if not body:
        return element("p", "none")
    return element("table", element("tr", *(element("th", cell) for cell in header)), *body)


def pairs(rows: Iterable[tuple[str, object]]) -> Markup:
    return element("table", *(element("tr", element("th", key), element("td", value)) for key, value in rows))


def listing(items: Iterable[object]) -> Markup:
    found = [element("li", item) for item in items]
    return element("ul", *found) if found else element("p", "none")


def section(title: str, *inside: object) -> Markup:
    return join([element("h2", title), *inside])


def document(title: str, *inside: object) -> str:
    """A whole page. The policy forbids a reader to load or run anything, whatever stands in it."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><title>{text(title)}</title><style>{_STYLE}</style>'
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{join(inside)}\n</body></html>\n'
