"""Calico's selector expressions, as far as they can be told: true, false, or None for what is not known.

Grammar: https://docs.tigera.io/calico/latest/reference/resources/globalnetworkpolicy#selectors
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_TOKEN = re.compile(
    r"""\s*(?:(?P<op>&&|\|\||==|!=|!|\(|\)|\{|\}|,)|(?P<text>"[^"]*"|'[^']*')|(?P<word>[A-Za-z0-9_./\-]+))"""
)
_WORDS = frozenset({"in", "contains", "starts", "ends", "with", "not"})


class _Strange(ValueError):
    """Something that this does not know."""


def evaluate(text: str, labels: Mapping[str, str], *, whole: bool) -> bool | None:
    """Whether it selects something with ``labels``. ``whole``: these are all of them; else others may be there.

    An empty expression selects everything; what cannot be parsed is not known.
    """
    if not text.strip():
        return True
    try:
        return _Reading(_tokens(text), labels, whole).all()
    except (_Strange, RecursionError):  # nobody nests that deep
        return None


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _Strange(text[at:])
        found.append(match[0].strip())
        at = match.end()
    return found


class _Reading:
    """One expression, from left to right; ``||`` binds weaker than ``&&``."""

    def __init__(self, tokens: list[str], labels: Mapping[str, str], whole: bool) -> None:
        self._rest, self._labels, self._whole = tokens, labels, whole

    def all(self) -> bool | None:
        found = self._any()
        if self._rest:
            raise _Strange(self._rest[0])
        return found

    def _any(self) -> bool | None:
        found = [self._both()]
        while self._taken("||"):
            found.append(self._both())
        return True if True in found else None if None in found else False

    def _both(self) -> bool | None:
        found = [self._one()]
        while self._taken("&&"):
            found.append(self._one())
        return False if False in found else None if None in found else True

    def _one(self) -> bool | None:
        if self._taken("!"):
            inner = self._one()
            return None if inner is None else not inner
        if self._taken("("):
            found = self._any()
            self._must(")")
            return found
        word = self._word()
        if word in ("all", "global", "has") and self._taken("("):
            return self._call(word)
        return self._comparison(word)

    def _call(self, name: str) -> bool | None:
        if name == "has":
            key = self._word()
            self._must(")")
            return True if key in self._labels else False if self._whole else None
        self._must(")")
        return name == "all"

    def _comparison(self, key: str) -> bool | None:
        value, known = self._labels.get(key), key in self._labels or self._whole
        if self._taken("=="):
            wanted = self._text()
            return value == wanted if known else None
        if self._taken("!="):
            wanted = self._text()
            return value != wanted if known else None
        negated = self._taken("not")
        if self._taken("in"):
            among = self._set()
            return (value in among) is not negated if known else None
        raise _Strange(key)

    def _set(self) -> list[str]:
        self._must("{")
        found: list[str] = []
        while not self._taken("}"):
            found.append(self._text())
            self._taken(",")
        return found

    def _taken(self, token: str) -> bool:
        if self._rest and self._rest[0] == token:
            del self._rest[0]
            return True
        return False

    def _must(self, token: str) -> None:
        if not self._taken(token):
            raise _Strange(token)

    def _word(self) -> str:
        token = self._next()
        if not token[0].isalnum() or token in _WORDS:
            raise _Strange(token)
        return token

    def _text(self) -> str:
        token = self._next()
        if token[0] not in "\"'":
            raise _Strange(token)
        return token[1:-1]

    def _next(self) -> str:
        if not self._rest:
            raise _Strange("it ends")
        return self._rest.pop(0)
