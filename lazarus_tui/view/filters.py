"""The filter line: ``x`` regex, ``!x`` inverse, ``-l k=v,k!=v`` labels, ``-f x`` fuzzy. Made for a person's typing:
a regex that is not finished yet is taken literally instead of failing.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# Longer filters and texts are cut: a runaway expression would freeze the pane.
_FILTER_LIMIT = 120
_TEXT_LIMIT = 400

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Filter:
    """``matches(text, labels)``; ``shown`` is what the title says. An empty filter matches everything."""

    shown: str = ""
    matches: Callable[[str, Labels], bool] = lambda text, labels: True
    note: str = ""

    def __bool__(self) -> bool:
        return bool(self.shown)


def parse(typed: str) -> Filter:
    """The filter for what stands in the prompt (with or without the leading ``/``)."""
    body = typed[:_FILTER_LIMIT].removeprefix("/").strip()
    if not body or body == "!":
        return Filter()
    if body.startswith("-l"):
        return _labels(body)
    if body.startswith("-f"):
        return _fuzzy(body)
    inverse = body.startswith("!")
    find, note = _expression(body[1:] if inverse else body)

    def matches(text: str, labels: Labels) -> bool:
        return (find(text[:_TEXT_LIMIT]) is None) == inverse

    return Filter("/" + body, matches, note)


def _expression(body: str) -> tuple[Callable[[str], object], str]:
    if re.search(r"[+*}]\)?[+*{]", body):  # nested repetition: the slow kind
        return re.compile(re.escape(body), re.IGNORECASE).search, "taken literally"
    try:
        with warnings.catch_warnings():  # Python has doubts about "[[": nothing for a terminal that is painted on
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(body, re.IGNORECASE).search, ""
    except re.error:
        return re.compile(re.escape(body), re.IGNORECASE).search, "taken literally"


def _labels(body: str) -> Filter:
    wanted: list[tuple[str, str | None, bool]] = []
    for part in body[2:].replace(" ", "").split(","):
        key, sign, value = part.partition("!=") if "!=" in part else part.partition("=")
        if key:
            wanted.append((key, value.removeprefix("=") if sign else None, sign != "!="))

    def matches(text: str, labels: Labels) -> bool:
        return all(
            (labels.get(key) == value) == equal if value is not None else key in labels for key, value, equal in wanted
        )

    return Filter("/" + body, matches) if wanted else Filter()


def _fuzzy(body: str) -> Filter:
    letters = body[2:].replace(" ", "").casefold()

    def matches(text: str, labels: Labels) -> bool:
        rest = iter(text[:_TEXT_LIMIT].casefold())
        return all(letter in rest for letter in letters)

    return Filter("/" + body, matches) if letters else Filter()
