"""``x-kubernetes-validations``: the rules of a schema, kept as a tree of the places that have any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lazarus_tui.sandbox.api.cel import CelError, Expression, compiled
from lazarus_tui.sandbox.api.errors import Cause

Schema = Mapping[str, Any]

_MARK = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True)
class _Rule:
    expression: Expression
    message: str
    said: Expression | None
    reason: str
    where: str

    def cause(self, kind: str, value: Any, old: Any, path: str) -> Cause | None:
        try:
            if self.expression.evaluate(value, old) is True:
                return None
            message = self._message(value, old)
        except CelError as error:
            message = f"rule evaluation error: {error}"
        return Cause((path + self.where).lstrip(".") or "<nil>", _worded(self.reason, kind, message), self.reason)

    def _message(self, value: Any, old: Any) -> str:
        if self.said is None:
            return self.message
        try:
            return str(self.said.evaluate(value, old))
        except CelError:
            return self.message


def _worded(reason: str, kind: str, message: str) -> str:
    if reason == "FieldValueForbidden":
        return f"Forbidden: {message}"
    if reason == "FieldValueRequired":
        return f"Required value: {message}"
    head = "Duplicate value" if reason == "FieldValueDuplicate" else "Invalid value"
    return f'{head}: "{kind}": {message}'


@dataclass(frozen=True, slots=True)
class RuleTree:
    """Rules at one place of a schema and below it."""

    kind: str
    rules: tuple[_Rule, ...] = ()
    properties: Mapping[str, RuleTree] = field(default_factory=dict)
    others: RuleTree | None = None
    items: RuleTree | None = None
    keys: tuple[str, ...] = ()

    def causes(self, value: Any, old: Any, path: str = "") -> Iterator[Cause]:
        """What is wrong with ``value``; what was there before and has not changed is let be."""
        if value is None or (old is not None and value == old):
            return
        for rule in self.rules:
            if rule.expression.transition and old is None:
                continue
            cause = rule.cause(self.kind, value, old, path)
            if cause is not None:
                yield cause
        if isinstance(value, dict):
            yield from self._of_object(value, old if isinstance(old, dict) else {}, path)
        elif isinstance(value, list) and self.items is not None:
            yield from self._of_list(self.items, value, old, path)

    def _of_object(self, value: Mapping[str, Any], old: Mapping[str, Any], path: str) -> Iterator[Cause]:
        for name, child in value.items():
            tree = self.properties.get(name, self.others)
            if tree is not None:
                yield from tree.causes(child, old.get(name), f"{path}.{name}")

    def _of_list(self, tree: RuleTree, value: list[Any], old: Any, path: str) -> Iterator[Cause]:
        known = {self._name(one): one for one in old} if self.keys and isinstance(old, list) else {}
        for index, one in enumerate(value):
            yield from tree.causes(one, known.get(self._name(one)), f"{path}[{index}]")

    def _name(self, item: Any) -> bytes:
        return msgspec.json.encode([item.get(key) if isinstance(item, dict) else None for key in self.keys])


def rule_tree(schema: Schema) -> RuleTree | None:
    """The rules of a schema that compiles; None when it has none."""
    rules = tuple(_rule(one) for one in schema.get(_MARK) or ())
    properties = {name: tree for name, child in (schema.get("properties") or {}).items() if (tree := rule_tree(child))}
    extra, inner = schema.get("additionalProperties"), schema.get("items")
    others = rule_tree(extra) if isinstance(extra, Mapping) else None
    items = rule_tree(inner) if isinstance(inner, Mapping) else None
    if not (rules or properties or others or items):
        return None
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    return RuleTree(schema.get("type", "object"), rules, properties, others, items, keys)


def _rule(one: Mapping[str, Any]) -> _Rule:
    text = " ".join(str(one["rule"]).split("\n")).strip()
    said = one.get("messageExpression")
    return _Rule(
        compiled(one["rule"]),
        one.get("message") or f"failed rule: {text}",
        compiled(said) if said else None,
        one.get("reason") or "FieldValueInvalid",
        one.get("fieldPath") or "",
    )


def unreadable_rules(schema: Schema, path: str) -> Iterator[Cause]:
    """Rules that do not compile here; the expression is named, because a rule that is not kept must not seem kept."""
    for index, one in enumerate(schema.get(_MARK) or ()):
        where = f"{path}.{_MARK}[{index}]"
        if one.get("optionalOldSelf"):
            yield Cause(f"{where}.optionalOldSelf", "Invalid value: true: not supported here")
        for part in ("rule", "messageExpression"):
            if not one.get(part) and part == "rule":
                yield Cause(f"{where}.rule", "Required value", "FieldValueRequired")
            elif one.get(part):
                yield from _unreadable(str(one[part]), f"{where}.{part}")
    for name, child in (schema.get("properties") or {}).items():
        yield from unreadable_rules(child, f"{path}.properties[{name}]")
    for part in ("additionalProperties", "items"):
        if isinstance(schema.get(part), Mapping):
            yield from unreadable_rules(schema[part], f"{path}.{part}")


def _unreadable(text: str, where: str) -> Iterator[Cause]:
    try:
        compiled(text)
    except CelError as error:
        yield Cause(where, f'Invalid value: "{text}": compilation failed: {error}')
