"""Rules of custom kinds: the expressions, when they are asked, and what is refused at the definition already."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import CRDS
from lazarus_tui.sandbox.api.cel import CelError, compiled
from lazarus_tui.sandbox.api.errors import ApiError

from .conftest import MERGE, WIDGETS, World, widget_definition

SELF = {
    "a": 1,
    "b": "text",
    "list": ["x", "y"],
    "namespace": "n",
    "with-dash": True,
    "flag": False,
    "parts": [{"n": 2}],
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("has(self.a) && !has(self.z)", True),
        ("has(self.z) || self.a == 1", True),
        ("self.z == 1 || true", True),
        ("false && self.z == 1", False),
        ("self.z == 1 && false", False),
        ("size(self.list) == 2 && self.list.size() > 1", True),
        ("self.a >= 1 && self.a <= 1 && self.a < 2 && !(self.a > 1)", True),
        ("self.b.startsWith('te') && self.b.endsWith(\"xt\") && self.b.contains('ex')", True),
        ("self.b.matches('^t[a-z]+$')", True),
        ("'x' in self.list && !('z' in self.list)", True),
        ("self.b in ['other', 'text']", True),
        ("self.__namespace__ == 'n' && self.with__dash__dash", True),
        ("self.flag ? self.a == 2 : self.a == 1", True),
        ("self.list.all(x, x != 'z') && self.list.exists(x, x == 'y')", True),
        ("self.parts.all(p, p.n + 1 == 3)", True),
        ("self.list[1] == 'y' && self.a * 2 - 1 == 1", True),
        ("-self.a == -1", True),
        ("self.b == 'other'", False),
        ("!has(oldSelf.b) || self.b != oldSelf.b", False),
    ],
)
def test_expressions(text: str, wanted: bool) -> None:
    assert compiled(text).evaluate(SELF, SELF) is wanted


@pytest.mark.parametrize("text", ["self.z == 1", "self.b > 1", "!self.a", "self.b.startsWith(1)", "self.list[7] == 1"])
def test_an_expression_that_cannot_be_evaluated_is_no_yes(text: str) -> None:
    with pytest.raises(CelError):
        compiled(text).evaluate(SELF)


@pytest.mark.parametrize(
    "text",
    [
        "self.a ==",
        "url(self.b).getHost() == ''",
        "other.a",
        "self.list.map(x, x)",
        "has(self)",
        "self.a # 1",
        "(self.a",
    ],
)
def test_what_is_not_known_does_not_compile(text: str) -> None:
    with pytest.raises(CelError):
        compiled(text)


def definition(spec: dict[str, Any], **version: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": {"type": "object"} | spec}}
    return widget_definition(schema={"openAPIV3Schema": schema}, **version)


RULES: dict[str, Any] = {
    "properties": {
        "name": {
            "type": "string",
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "name is immutable"}],
        },
        "one": {"type": "string"},
        "other": {"type": "string"},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["id"],
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "size": {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= oldSelf"}]},
                },
            },
        },
    },
    "x-kubernetes-validations": [
        {
            "rule": "(has(self.one) && !has(self.other)) || (!has(self.one) && has(self.other))",
            "message": "exactly one of one and other",
        },
        {"rule": "!has(oldSelf.name) || has(self.name)", "message": "name is required once set"},
    ],
}


@pytest.fixture
def ruled(world: World) -> World:
    world.api.create(CRDS, definition(RULES))
    return world


async def test_a_broken_rule_is_named_at_its_place(ruled: World) -> None:
    refused = await ruled.call("POST", WIDGETS, {"metadata": {"name": "w"}, "spec": {"one": "a", "other": "b"}})
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert refused.body["message"] == (
        'Widget.example.com "w" is invalid: spec: Invalid value: "object": exactly one of one and other'
    )
    assert (await ruled.call("POST", WIDGETS, {"metadata": {"name": "w"}, "spec": {"one": "a"}})).status == 201


async def test_transition_rules_hold_from_the_second_write_on(ruled: World) -> None:
    made = await ruled.call("POST", WIDGETS, {"metadata": {"name": "w"}, "spec": {"one": "a", "name": "x"}})
    assert made.status == 201
    for spec, text in (
        ({"name": "y"}, 'spec.name: Invalid value: "string": name is immutable'),
        ({"name": None}, "name is required once set"),
    ):
        refused = await ruled.call("PATCH", f"{WIDGETS}/w", {"spec": spec}, type=MERGE)
        assert refused.status == 422
        assert text in refused.body["message"]
    same = await ruled.call(
        "PATCH", f"{WIDGETS}/w", {"spec": {"name": "x"}, "metadata": {"labels": {"a": "b"}}}, type=MERGE
    )
    assert same.status == 200


async def test_items_of_keyed_lists_are_compared_with_their_own_past(ruled: World) -> None:
    spec = {"one": "a", "parts": [{"id": "a", "size": 5}, {"id": "b", "size": 1}]}
    await ruled.call("POST", WIDGETS, {"metadata": {"name": "w"}, "spec": spec})
    swapped = {"spec": {"parts": [{"id": "b", "size": 1}, {"id": "a", "size": 6}, {"id": "c", "size": 0}]}}
    assert (await ruled.call("PATCH", f"{WIDGETS}/w", swapped, type=MERGE)).status == 200
    smaller = {"spec": {"parts": [{"id": "b", "size": 1}, {"id": "a", "size": 2}]}}
    refused = await ruled.call("PATCH", f"{WIDGETS}/w", smaller, type=MERGE)
    assert refused.body["details"]["causes"] == [
        {
            "field": "spec.parts[1].size",
            "message": 'Invalid value: "integer": failed rule: self >= oldSelf',
            "reason": "FieldValueInvalid",
        }
    ]


def test_reason_path_and_message_of_a_rule(world: World) -> None:
    rule = {
        "rule": "self.size < 3",
        "messageExpression": "'no ' + self.what",
        "reason": "FieldValueForbidden",
        "fieldPath": ".size",
    }
    known = {"size": {"type": "integer"}, "what": {"type": "string"}}
    world.api.create(CRDS, definition({"properties": known, "x-kubernetes-validations": [rule]}))
    served = world.registry.find("example.com", "v1", "widgets")
    assert served is not None
    with pytest.raises(ApiError) as caught:
        world.api.create(
            served.kind.resource, {"metadata": {"name": "w"}, "spec": {"size": 5, "what": "go"}}, "default"
        )
    assert caught.value.details["causes"] == [
        {"field": "spec.size", "message": "Forbidden: no go", "reason": "FieldValueForbidden"}
    ]


def test_a_definition_with_an_unknown_expression_is_refused_by_name(world: World) -> None:
    bad = {"x-kubernetes-validations": [{"rule": "isURL(self.a)"}]}
    with pytest.raises(ApiError) as caught:
        world.api.create(CRDS, definition(bad))
    assert caught.value.status == 422
    cause = caught.value.details["causes"][0]
    assert cause["field"] == (
        "spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule"
    )
    assert 'Invalid value: "isURL(self.a)": compilation failed: undeclared reference' in cause["message"]
