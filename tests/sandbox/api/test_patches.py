"""JSON patch, merge patch and strategic merge patch: by example and by property."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.patches import json_patch, merge
from lazarus_tui.sandbox.api.strategic import strategic_merge

from .conftest import JSON_PATCH, MERGE, STRATEGIC, WIDGETS, World, config_map, workload

CM = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~", max_size=3)
KEYS = st.text("abc/~", min_size=1, max_size=2)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return value


@given(target=OBJECTS, patch=OBJECTS)
def test_merge_is_idempotent_and_changes_no_argument(target: dict[str, Any], patch: dict[str, Any]) -> None:
    before = json.dumps([target, patch])
    once = merge(target, patch)
    assert json.dumps([target, patch]) == before
    assert merge(once, patch) == once


@given(target=OBJECTS, patch=OBJECTS)
def test_merge_keeps_what_is_not_named_and_sets_what_is(target: dict[str, Any], patch: dict[str, Any]) -> None:
    result = merge(target, patch)
    for key in target.keys() - patch.keys():
        assert result[key] == target[key]
    for key, value in patch.items():
        if value is None:
            assert key not in result
        elif not isinstance(value, dict):
            assert result[key] == value


@given(value=OBJECTS)
def test_merging_into_nothing_gives_the_patch_without_its_nulls(value: dict[str, Any]) -> None:
    assert merge({}, value) == without_nulls(value)


def pointer(path: list[Any]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def paths(value: Any, here: list[Any]) -> list[list[Any]]:
    found = [here]
    if isinstance(value, dict):
        for key, child in value.items():
            found += paths(child, [*here, key])
    elif isinstance(value, list):
        for index, child in enumerate(value):
            found += paths(child, [*here, index])
    return found


def read(value: Any, path: list[Any]) -> Any:
    for part in path:
        value = value[part]
    return value


@given(document=OBJECTS, data=st.data())
def test_every_place_can_be_tested_replaced_and_put_back(document: dict[str, Any], data: st.DataObject) -> None:
    before = json.dumps(document)
    path = data.draw(st.sampled_from(paths(document, [])))
    new = data.draw(VALUES)
    where, old = pointer(path), read(document, path)
    changed = json_patch(
        document,
        [{"op": "test", "path": where, "value": old}, {"op": "replace", "path": where, "value": new}],
    )
    assert json.dumps(read(changed, path)) == json.dumps(new)
    assert json.dumps(document) == before
    assert json_patch(changed, [{"op": "replace", "path": where, "value": old}]) == document


@given(document=OBJECTS.filter(bool), data=st.data())
def test_remove_and_add_are_inverse(document: dict[str, Any], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([one for one in paths(document, []) if one]))
    where, old = pointer(path), read(document, path)
    removed = json_patch(document, [{"op": "remove", "path": where}])
    assert removed != document
    assert json_patch(removed, [{"op": "add", "path": where, "value": old}]) == document


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ({"a": 1}, 400),
        ([{"op": "remove", "path": "/nope/x"}], 422),
        ([{"op": "zap", "path": "/data"}], 422),
        ([{"op": "add", "path": "data", "value": 1}], 422),
        ([{"op": "add", "path": "/list/9", "value": 1}], 422),
        ([{"op": "add", "path": "/list/01", "value": 1}], 422),
        ([{"op": "replace", "path": "/list/-", "value": 1}], 422),
        ([{"op": "test", "path": "/a", "value": True}], 422),
        ([{"op": "move", "from": "/map", "path": "/map/inner"}], 422),
        ([{"op": "add", "path": "/a"}], 422),
        ([{"op": "remove", "path": ""}], 422),
        (["x"], 422),
    ],
)
def test_patches_that_do_not_fit(operations: Any, status: int) -> None:
    document = {"a": 1, "list": [1, 2], "map": {}}
    with pytest.raises(ApiError) as caught:
        json_patch(document, operations)
    assert caught.value.status == status
    assert document == {"a": 1, "list": [1, 2], "map": {}}


def test_move_copy_and_append() -> None:
    operations = [
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "move", "from": "/a", "path": "/c"},
        {"op": "add", "path": "/list/-", "value": 3},
        {"op": "add", "path": "/list/0", "value": 0},
    ]
    assert json_patch({"a": {"x": 1}, "list": [1, 2]}, operations) == {
        "b": {"x": 1},
        "c": {"x": 1},
        "list": [0, 1, 2, 3],
    }


async def test_over_the_wire(world: World) -> None:
    made = (await world.call("POST", CM, config_map("a", {"x": "1", "y": "2"}))).body
    merged = await world.call("PATCH", f"{CM}/a", {"data": {"x": None, "z": "3"}}, type=MERGE)
    assert merged.body["data"] == {"y": "2", "z": "3"}
    guard = [{"op": "test", "path": "/data/y", "value": "9"}, {"op": "remove", "path": "/data/y"}]
    failed = await world.call("PATCH", f"{CM}/a", guard, type=JSON_PATCH)
    assert (failed.status, failed.reason) == (422, "Invalid")
    guard[0]["value"] = "2"
    assert (await world.call("PATCH", f"{CM}/a", guard, type=JSON_PATCH)).body["data"] == {"z": "3"}
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"q": "1"}}
    assert (await world.call("PATCH", f"{CM}/a", stale, type=MERGE)).status == 409


@pytest.mark.parametrize(
    ("patch", "media", "status"),
    [
        ({"metadata": {"name": "zz"}}, MERGE, 400),
        ({"metadata": {"namespace": "zz"}}, MERGE, 400),
        ({"metadata": {"uid": "zz"}}, MERGE, 422),
        ([1], MERGE, 400),
        ({}, "application/json", 415),
        ({"data": {"x": 1}}, MERGE, 400),
        ([{"op": "replace", "path": "", "value": 7}], JSON_PATCH, 422),
    ],
)
async def test_refused_patches(world: World, patch: Any, media: str, status: int) -> None:
    made = (await world.call("POST", CM, config_map("a"))).body
    assert (await world.call("PATCH", f"{CM}/a", patch, type=media)).status == status
    assert (await world.call("GET", f"{CM}/a")).body == made
    assert (await world.call("PATCH", f"{CM}/none", {}, type=MERGE)).status == 404


async def test_force_belongs_to_apply(world: World) -> None:
    await world.call("POST", CM, config_map("a"))
    assert (await world.call("PATCH", f"{CM}/a", {}, type=MERGE, force="true")).status == 422


async def test_strategic_merge_finds_containers_by_name(world: World) -> None:
    body = workload("Deployment", "web")
    body["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "b"})
    await world.call("POST", DEPLOYMENTS, body)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "c"}]}}}}
    reply = await world.call("PATCH", f"{DEPLOYMENTS}/web", patch, type=STRATEGIC)
    containers = reply.body["spec"]["template"]["spec"]["containers"]
    assert [(one["name"], one["image"]) for one in containers] == [("main", "lazarus.dev/pause:1"), ("side", "c")]
    gone = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
    reply = await world.call("PATCH", f"{DEPLOYMENTS}/web", gone, type=STRATEGIC)
    assert [one["name"] for one in reply.body["spec"]["template"]["spec"]["containers"]] == ["main"]


async def test_custom_kinds_have_no_strategic_merge(widgets: World) -> None:
    await widgets.call("POST", WIDGETS, {"metadata": {"name": "w"}, "spec": {"size": 1}})
    assert (await widgets.call("PATCH", f"{WIDGETS}/w", {"spec": {"size": 2}}, type=STRATEGIC)).status == 415


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": {"$patch": "replace", "z": 1}}, {"a": {"z": 1}}),
        ({"a": {"b": 1}}, {"a": {"$patch": "delete"}}, {"a": {}}),
        ({"args": ["a", "b"]}, {"args": ["c"]}, {"args": ["c"]}),
        ({"finalizers": ["a"]}, {"finalizers": ["b", "a"]}, {"finalizers": ["a", "b"]}),
        ({"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"]}, {"finalizers": ["b"]}),
        (
            {"env": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]},
            {
                "env": [{"name": "b", "value": "3"}, {"name": "c"}],
                "$setElementOrder/env": [{"name": "c"}, {"name": "a"}],
            },
            {"env": [{"name": "c"}, {"name": "a", "value": "1"}, {"name": "b", "value": "3"}]},
        ),
        ({"env": [{"name": "a"}]}, {"env": [{"$patch": "replace"}, {"name": "b"}]}, {"env": [{"name": "b"}]}),
        ({"ports": [{"port": 80}]}, {"ports": [{"port": 80, "name": "w"}]}, {"ports": [{"port": 80, "name": "w"}]}),
        (
            {"ports": [{"containerPort": 1}]},
            {"ports": [{"containerPort": 2}]},
            {"ports": [{"containerPort": 2}, {"containerPort": 1}]},
        ),
        (
            {"env": [{"name": "a"}, {"name": "b"}, {"name": "c"}]},
            {"env": [{"name": "c", "value": "3"}, {"name": "new"}, {"name": "b", "value": "2"}]},
            {"env": [{"name": "a"}, {"name": "c", "value": "3"}, {"name": "new"}, {"name": "b", "value": "2"}]},
        ),
        (
            {"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}},
            {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
            {"strategy": {"type": "Recreate"}},
        ),
    ],
)
def test_strategic_merge_by_example(target: Any, patch: Any, expected: Any) -> None:
    before = json.dumps(target)
    assert strategic_merge(target, patch) == expected
    assert json.dumps(target) == before
