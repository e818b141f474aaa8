"""The part of the Common Expression Language that rules of CustomResourceDefinitions are written in.

Operators, ``has``, ``size``, ``all``, ``exists`` and the string functions; anything else does not compile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Env = Mapping[str, Any]
Evaluate = Callable[[Env], Any]

_TOKENS = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<string>r?"(?:[^"\\]|\\.)*"|r?'(?:[^'\\]|\\.)*')"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<op>&&|\|\||==|!=|<=|>=|[-+*<>!?:.,()\[\]]))"""
)
_LEVELS = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*",))
_LITERALS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
# Words that are escaped when a field is called like them; and characters names cannot hold.
_WORDS = re.compile(r"__(true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|"
                    r"namespace|return|var|void|while)__")  # fmt: skip
_SIGNS = {"__underscores__": "__", "__dot__": ".", "__dash__": "-", "__slash__": "/"}


class CelError(ValueError):
    """An expression that does not compile, or fails on a value."""


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise CelError(f"syntax error at {text[at : at + 12].strip()!r}")
        found.append((match.lastgroup or "", match.group(match.lastgroup or 0)))
        at = match.end()
    return [*found, ("end", "")]


def _field(name: str) -> str:
    """A field's own name, from how it is written in an expression."""
    whole = _WORDS.fullmatch(name)
    if whole:
        return whole[1]
    for sign, text in _SIGNS.items():
        name = name.replace(sign, text)
    return name


def _text(token: str) -> str:
    if token[0] == "r":
        return token[2:-1]
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), token[1:-1])


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens, self._at = _tokens(text), 0
        self.names: set[str] = set()
        self._bound: list[str] = []

    def whole(self) -> Evaluate:
        made = self._choice()
        if self._tokens[self._at][0] != "end":
            raise CelError(f"syntax error at {self._tokens[self._at][1]!r}")
        return made

    def _peek(self) -> str:
        kind, text = self._tokens[self._at]
        return text if kind in ("op", "name") else ""

    def _next(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, text: str) -> bool:
        if self._peek() != text:
            return False
        self._at += 1
        return True

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise CelError(f"expected {text!r} before {self._tokens[self._at][1]!r}")

    def _choice(self) -> Evaluate:
        test = self._binary(0)
        if not self._take("?"):
            return test
        yes = self._choice()
        self._need(":")
        no = self._choice()
        return lambda env: yes(env) if _truth(test(env)) else no(env)

    def _binary(self, level: int) -> Evaluate:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek() in _LEVELS[level]:
            left = _operation(self._next()[1], left, self._binary(level + 1))
        return left

    def _unary(self) -> Evaluate:
        if self._take("!"):
            negated = self._unary()
            return lambda env: not _truth(negated(env))
        if self._take("-"):
            number = self._unary()
            return lambda env: -_number(number(env))
        return self._postfix(self._primary())

    def _postfix(self, value: Evaluate) -> Evaluate:
        while True:
            if self._take("."):
                name = self._name()
                value = self._method(value, name) if self._take("(") else _select(value, _field(name))
            elif self._take("["):
                value = _index(value, self._choice())
                self._need("]")
            else:
                return value

    def _name(self) -> str:
        kind, text = self._next()
        if kind != "name":
            raise CelError(f"expected a name before {text!r}")
        return text

    def _method(self, value: Evaluate, name: str) -> Evaluate:
        if name in ("all", "exists"):
            variable = self._name()
            self._need(",")
            self._bound.append(variable)
            body = self._choice()
            self._bound.pop()
            self._need(")")
            return _quantifier(name, value, variable, body)
        arguments = self._arguments()
        if name == "size" and not arguments:
            return lambda env: _size(value(env))
        if name in _STRINGS and len(arguments) == 1:
            return _string_call(_STRINGS[name], value, arguments[0])
        raise CelError(f"undeclared reference to '{name}'")

    def _arguments(self) -> list[Evaluate]:
        found: list[Evaluate] = []
        while not self._take(")"):
            if found:
                self._need(",")
            found.append(self._choice())
        return found

    def _primary(self) -> Evaluate:
        kind, text = self._next()
        if kind == "number":
            number = float(text) if "." in text else int(text)
            return lambda _: number
        if kind == "string":
            string = _text(text)
            return lambda _: string
        if text == "(":
            inner = self._choice()
            self._need(")")
            return inner
        if text == "[":
            return self._list()
        if kind == "name":
            return self._call(text) if self._take("(") else self._variable(text)
        raise CelError(f"syntax error at {text!r}" if text else "syntax error: unexpected end")

    def _list(self) -> Evaluate:
        items: list[Evaluate] = []
        while not self._take("]"):
            if items:
                self._need(",")
            items.append(self._choice())
        return lambda env: [item(env) for item in items]

    def _variable(self, name: str) -> Evaluate:
        if name in _LITERALS:
            return lambda _: _LITERALS[name]
        if name not in ("self", "oldSelf", *self._bound):
            raise CelError(f"undeclared reference to '{name}'")
        self.names.add(name)
        return lambda env: env[name]

    def _call(self, name: str) -> Evaluate:
        start = self._at
        arguments = self._arguments()
        if name == "size" and len(arguments) == 1:
            return lambda env: _size(arguments[0](env))
        if name == "has" and len(arguments) == 1:
            if self._tokens[self._at - 2][0] != "name" or self._tokens[self._at - 3][1] != "." or start > self._at - 4:
                raise CelError("has() needs a field selection")
            return _has(arguments[0])
        raise CelError(f"undeclared reference to '{name}'")


def _operation(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    if sign in ("||", "&&"):
        return _junction(left, right, decisive=sign == "||")
    compute = _OPERATORS[sign]

    def run(env: Env) -> Any:
        try:
            return compute(left(env), right(env))
        except TypeError:
            raise CelError("no such overload") from None

    return run


def _junction(left: Evaluate, right: Evaluate, *, decisive: bool) -> Evaluate:
    """Or (``decisive`` true) and and: a side that decides makes the failure of the other one unimportant."""

    def run(env: Env) -> bool:
        try:
            if _truth(left(env)) is decisive:
                return decisive
        except CelError:
            if _truth(right(env)) is decisive:
                return decisive
            raise
        return _truth(right(env))

    return run


def _select(value: Evaluate, name: str) -> Evaluate:
    def run(env: Env) -> Any:
        found = value(env)
        if not isinstance(found, dict) or name not in found:
            raise CelError(f"no such key: {name}")
        return found[name]

    return run


def _has(selection: Evaluate) -> Evaluate:
    def run(env: Env) -> bool:
        try:
            return selection(env) is not None
        except CelError:
            return False

    return run


def _index(value: Evaluate, at: Evaluate) -> Evaluate:
    def run(env: Env) -> Any:
        try:
            return value(env)[at(env)]
        except (KeyError, IndexError, TypeError):
            raise CelError("no such key or index") from None

    return run


def _quantifier(name: str, value: Evaluate, variable: str, body: Evaluate) -> Evaluate:
    combine = all if name == "all" else any
    return lambda env: combine(_truth(body({**env, variable: one})) for one in value(env))


def _string_call(call: Callable[[str, str], bool], value: Evaluate, argument: Evaluate) -> Evaluate:
    def run(env: Env) -> bool:
        one, other = value(env), argument(env)
        if not isinstance(one, str) or not isinstance(other, str):
            raise CelError("no such overload")
        return call(one, other)

    return run


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise CelError("no such overload: not a boolean")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CelError("no such overload: not a number")
    return value


def _size(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise CelError("no such overload: size")
    return len(value)


def _matches(value: str, pattern: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error as error:
        raise CelError(f"invalid pattern: {error}") from None


_STRINGS: Mapping[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
    "matches": _matches,
}
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "in": lambda one, other: one in other,
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
}


class Expression:
    """A compiled expression. ``transition``: it looks at the old value and holds only for updates."""

    def __init__(self, text: str) -> None:
        parser = _Parser(text)
        self._evaluate = parser.whole()
        self.transition = "oldSelf" in parser.names

    def evaluate(self, value: Any, old: Any = None) -> Any:
        """``CelError`` when it cannot be evaluated on these values."""
        return self._evaluate({"self": value, "oldSelf": old})


@lru_cache(maxsize=1024)
def compiled(text: str) -> Expression:
    """``CelError`` when it does not compile."""
    return Expression(text)
