"""Label and field selectors: parsed once per request, then plain functions over objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lazarus_tui.sandbox.api import names
from lazarus_tui.sandbox.api.errors import ApiError, bad_request
from lazarus_tui.sandbox.api.kinds import Kind

Labels = Mapping[str, str]

_TOKEN = re.compile(r"\s*(?:(!=|==|=|!|,|\(|\)|<|>)|([^\s,=!()<>]+))")
_SETS = ("in", "notin")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One comma-separated part. ``operator``: in, notin, exists, absent, gt, lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        present = labels.get(self.key)
        if self.operator == "in":
            return present is not None and present in self.values
        if self.operator == "notin":
            return present is None or present not in self.values
        if self.operator == "exists":
            return present is not None
        if self.operator == "absent":
            return present is None
        return self._compares(present)

    def _compares(self, present: str | None) -> bool:
        (bound,) = self.values
        try:
            left, right = int(present or ""), int(bound)
        except ValueError:
            return False
        return left > right if self.operator == "gt" else left < right


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def _next(self) -> str:
        token = self._tokens[self._at] if self._at < len(self._tokens) else ""
        self._at += 1
        return token

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self._peek():
            found.append(self._requirement())
            token = self._next()
            if not token:
                break
            if token != ",":
                raise bad_request(f"unable to parse requirement: found '{token}', expected: ',' or 'end of string'")
            if not self._peek():
                raise bad_request("unable to parse requirement: found '', expected: identifier after ','")
        return found

    def _requirement(self) -> Requirement:
        token = self._next()
        absent = token == "!"
        key = self._next() if absent else token
        if wrong := names.qualified_key(key):
            raise bad_request(f'unable to parse requirement: <nil>: Invalid value: "{key}": {wrong}')
        if absent:
            return Requirement(key, "absent")
        if self._peek() in ("", ","):
            return Requirement(key, "exists")
        operator = self._next()
        if operator in _SETS:
            return Requirement(key, operator, self._set())
        return _compared(key, operator, self._value())

    def _value(self) -> str:
        return self._next() if self._peek() not in ("", ",") else ""

    def _set(self) -> frozenset[str]:
        if (token := self._next()) != "(":
            raise bad_request(f"unable to parse requirement: found '{token}' expected: '('")
        values: set[str] = set()
        while True:
            values.add(_checked("" if self._peek() in (",", ")") else self._next()))
            token = self._next()
            if token == ")":
                return frozenset(values)
            if token != ",":
                raise bad_request(f"unable to parse requirement: found '{token}', expected: ',' or ')'")


def _compared(key: str, operator: str, value: str) -> Requirement:
    if operator in ("=", "=="):
        return Requirement(key, "in", frozenset({_checked(value)}))
    if operator == "!=":
        return Requirement(key, "notin", frozenset({_checked(value)}))
    if operator in (">", "<") and re.fullmatch(r"-?\d+", value):
        return Requirement(key, "gt" if operator == ">" else "lt", frozenset({value}))
    raise bad_request(f"unable to parse requirement: found '{operator}', expected: in, notin, =, ==, !=, gt, lt")


def _checked(value: str) -> str:
    if wrong := names.label_value(value):
        raise bad_request(f'unable to parse requirement: values[0]: Invalid value: "{value}": {wrong}')
    return value


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise bad_request(f"unable to parse requirement: unexpected {text[at]!r}")
        tokens.append(match.group(1) or match.group(2))
        at = match.end()
    return tokens


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        return all(one.matches(labels) for one in self.requirements)

    def matches_object(self, obj: Mapping[str, Any]) -> bool:
        return self.matches(obj["metadata"].get("labels") or {})


def parse_labels(text: str) -> LabelSelector:
    """``a=b,c in (d,e),!f``; raises ``ApiError`` 400."""
    return LabelSelector(tuple(_Parser(text).requirements()))


def labels_equal(labels: Labels) -> LabelSelector:
    """Every given label present with its value."""
    return LabelSelector(tuple(Requirement(key, "in", frozenset({value})) for key, value in labels.items()))


def from_selector(selector: Mapping[str, Any] | None) -> LabelSelector:
    """A ``metav1.LabelSelector``; None matches nothing by Kubernetes' rule, so callers decide before they call."""
    requirements = list(labels_equal((selector or {}).get("matchLabels") or {}).requirements)
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    for one in (selector or {}).get("matchExpressions") or ():
        operator = operators.get(one.get("operator", ""))
        if operator is None:
            raise bad_request(f'"{one.get("operator")}" is not a valid label selector operator')
        requirements.append(Requirement(one["key"], operator, frozenset(one.get("values") or ())))
    return LabelSelector(tuple(requirements))


@dataclass(frozen=True, slots=True)
class FieldTest:
    """``path`` equals (or with ``negated`` differs from) ``value``."""

    path: tuple[str, ...]
    value: str
    negated: bool

    def matches(self, obj: Mapping[str, Any]) -> bool:
        return (_field_text(obj, self.path) == self.value) is not self.negated


def _field_text(obj: Mapping[str, Any], path: tuple[str, ...]) -> str:
    if path == ("source",):
        return str((obj.get("source") or {}).get("component") or obj.get("reportingComponent") or "")
    if path == ("status", "successful"):
        path = ("status", "succeeded")
    value: Any = obj
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        return "0" if path in (("status", "replicas"), ("status", "succeeded")) else _empty(path)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _empty(path: tuple[str, ...]) -> str:
    return "false" if path[-1] in ("unschedulable", "hostNetwork") else ""


_FIELD_PART = re.compile(r"([^=!]+)(==|!=|=)(.*)", re.DOTALL)


def parse_fields(text: str, kind: Kind) -> tuple[FieldTest, ...]:
    """``metadata.name=x,status.phase!=Running``; 400 for a field this kind cannot be selected by."""
    tests = []
    for part in _split_fields(text):
        match = _FIELD_PART.fullmatch(part)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        name, operator, value = match.group(1), match.group(2), re.sub(r"\\([\\,=])", r"\1", match.group(3))
        allowed = name == "metadata.name" or name in kind.fields or (name == "metadata.namespace" and kind.namespaced)
        if not allowed:
            why = f"field label not supported: {name}"
            raise ApiError(
                400,
                "BadRequest",
                f'Unable to find "{kind.api_version}, Resource={kind.plural}" that match '
                f'label selector "", field selector "{text}": {why}',
            )
        tests.append(FieldTest(tuple(name.split(".")), value, operator == "!="))
    return tuple(tests)


def renamed_fields(text: str, names: Mapping[str, str]) -> str:
    """A field selector with other names for the first part of its paths."""
    parts = (re.match(r"([^.=!]*)(.*)", part, re.DOTALL) for part in _split_fields(text))
    return ",".join(names.get(found[1], found[1]) + found[2] for found in parts if found)


def _split_fields(text: str) -> list[str]:
    return [part for part in re.split(r"(?<!\\),", text) if part]


ObjectTest = Callable[[Mapping[str, Any]], bool]


def matcher(labels: str, fields: str, kind: Kind) -> ObjectTest | None:
    """One test for both selectors; None when everything matches."""
    selector, tests = parse_labels(labels), parse_fields(fields, kind)
    if not selector.requirements and not tests:
        return None
    if not tests:
        return selector.matches_object
    return lambda obj: selector.matches_object(obj) and all(test.matches(obj) for test in tests)
