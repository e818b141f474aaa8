"""Resource modifiers: which rule applies to what, how values are read, and what a bad ConfigMap says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from lazarus_tui.sandbox.velero.modifiers import ModifierError, Rule, apply, parse

POD: dict[str, Any] = {
    "metadata": {"name": "web-1", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "a:1"}], "host/net": True, "list": [1, 2, 3]},
}


def rules(*given: dict[str, Any]) -> list[Rule]:
    text = yaml.safe_dump({"version": "v1", "resourceModifierRules": list(given)})
    return parse({"data": {"any-name": text}}, "velero/m")


def changed(
    patches: list[dict[str, Any]], conditions: dict[str, Any] | None = None
) -> tuple[dict[str, Any], list[str]]:
    rule = {"conditions": {"groupResource": "pods"} | (conditions or {}), "patches": patches}
    return apply(rules(rule), "pods", "shop", POD)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("3", 3),
        ("true", True),
        ("null", None),
        ('{"a": 1}', {"a": 1}),
        ("[1]", [1]),
        ('"3"', "3"),
        ("", ""),
        ("x", "x"),
    ],
)
def test_values_are_read_as_velero_reads_them(value: str, read: Any) -> None:
    body, errors = changed([{"operation": "add", "path": "/spec/new", "value": value}])
    assert (body["spec"]["new"], errors) == (read, [])


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (
            {"operation": "replace", "path": "/spec/containers/0/image", "value": "b:2"},
            ("containers", 0, "image", "b:2"),
        ),
        ({"operation": "add", "path": "/spec/list/-", "value": "4"}, ("list", 3, None, 4)),
        ({"operation": "add", "path": "/spec/list/0", "value": "0"}, ("list", 0, None, 0)),
        ({"operation": "remove", "path": "/spec/list/1"}, ("list", 1, None, 3)),
        ({"operation": "copy", "from": "/spec/list/2", "path": "/spec/list/0"}, ("list", 0, None, 3)),
    ],
)
def test_json_patches(patch: dict[str, Any], expected: tuple[Any, ...]) -> None:
    before = copy.deepcopy(POD)
    body, errors = changed([patch])
    field, index, key, value = expected
    found = body["spec"][field][index]
    assert (found[key] if key else found) == value
    assert errors == []
    assert before == POD  # the input is not touched


def test_escaped_pointers() -> None:
    body, _ = changed([{"operation": "remove", "path": "/spec/host~1net"}])
    assert "host/net" not in body["spec"]


def test_a_patch_that_fails_leaves_its_whole_rule_out_and_says_so() -> None:
    body, errors = changed(
        [
            {"operation": "replace", "path": "/metadata/name", "value": "renamed"},
            {"operation": "replace", "path": "/spec/absent", "value": "1"},
        ]
    )
    assert body == POD
    assert len(errors) == 1
    assert "missing path: /spec/absent" in errors[0]


def test_a_test_that_does_not_hold_skips_the_rule_without_an_error() -> None:
    patches = [
        {"operation": "test", "path": "/spec/containers/0/image", "value": "other"},
        {"operation": "replace", "path": "/metadata/name", "value": "renamed"},
    ]
    assert changed(patches) == (POD, [])


@pytest.mark.parametrize(
    ("conditions", "applies"),
    [
        ({"groupResource": "pods"}, True),
        ({"groupResource": "Pods"}, False),
        ({"groupResource": "p*"}, True),
        ({"groupResource": "*.apps"}, False),
        ({"groupResource": "pods", "namespaces": ["shop"]}, True),
        ({"groupResource": "pods", "namespaces": ["other"]}, False),
        ({"groupResource": "pods", "resourceNameRegex": "b-"}, True),
        ({"groupResource": "pods", "resourceNameRegex": "^b-"}, False),
        ({"groupResource": "pods", "labelSelector": {"matchLabels": {"app": "web"}}}, True),
        ({"groupResource": "pods", "labelSelector": {"matchLabels": {"app": "db"}}}, False),
        ({"groupResource": "pods", "matches": [{"path": "/spec/containers/0/image", "value": "a:1"}]}, True),
        ({"groupResource": "pods", "matches": [{"path": "/spec/absent", "value": "a:1"}]}, False),
    ],
)
def test_conditions(conditions: dict[str, Any], applies: bool) -> None:
    body, _ = changed([{"operation": "add", "path": "/spec/hit", "value": "true"}], conditions)
    assert ("hit" in body["spec"]) is applies


def test_all_conditions_look_at_the_object_before_any_rule() -> None:
    first = {
        "conditions": {"groupResource": "pods"},
        "patches": [{"operation": "replace", "path": "/metadata/name", "value": "x"}],
    }
    second = {
        "conditions": {"groupResource": "pods", "resourceNameRegex": "^web"},
        "mergePatches": [{"patchData": "spec: {second: true, host/net: null}"}],
    }
    body, errors = apply(rules(first, second), "pods", "shop", POD)
    assert body["metadata"]["name"] == "x"
    assert body["spec"]["second"] is True
    assert "host/net" not in body["spec"]
    assert errors == []


def test_strategic_patches_merge_lists_by_name_and_know_built_in_kinds_only() -> None:
    rule = {
        "conditions": {"groupResource": "pods"},
        "strategicPatches": [{"patchData": "spec: {containers: [{name: web, image: 'b:2'}, {name: side, image: c}]}"}],
    }
    body, errors = apply(rules(rule), "pods", "shop", POD)
    assert body["spec"]["containers"] == [{"name": "web", "image": "b:2"}, {"name": "side", "image": "c"}]
    assert errors == []

    custom = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}}
    rule["conditions"] = {"groupResource": "things.example.com"}
    body, errors = apply(rules(rule), "things.example.com", "shop", custom)
    assert body == custom
    assert "strategic patch" in errors[0]


@pytest.mark.parametrize("data", ["{", "[1]", "", "just text"])
def test_patch_data_that_is_no_object_fails_when_it_is_applied(data: str) -> None:
    rule = {"conditions": {"groupResource": "pods"}, "mergePatches": [{"patchData": data}]}
    body, errors = apply(rules(rule), "pods", "shop", POD)
    assert body == POD
    assert errors == ["error in applying merge patch: the patch is not an object"]


HEAD = "version: v1\nresourceModifierRules: "


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "illegal resource modifiers velero/m configmap"),
        ({"a": "version: v1", "b": ""}, "illegal resource modifiers velero/m configmap"),
        ({"a": "{"}, "Error in parsing resource modifiers provided in configmap velero/m"),
        ({"a": "version: v2\nresourceModifierRules: [{}]"}, "unsupported resource modifier version v2"),
        ({"a": HEAD + "[]"}, "cannot be empty"),
        ({"a": "version: v1\nrules: []"}, "unknown field"),
        (
            {"a": HEAD + "[{conditions: {groupResource: a}, patches: [{}], mergePatches: [{}]}]"},
            "only one of patches, mergePatches, strategicPatches can be specified",
        ),
        ({"a": HEAD + "[{conditions: {resourceNameRegex: a}}]"}, "group resource cannot be empty"),
        ({"a": HEAD + "[{conditions: {groupResource: a, resourceNameRegex: '('}}]"}, "error in compiling regex"),
    ],
)
def test_a_bad_configmap_says_what_is_wrong(data: dict[str, str], message: str) -> None:
    with pytest.raises(ModifierError, match=message):
        parse({"data": data}, "velero/m")
