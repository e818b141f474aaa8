"""Patches of all forms, the subresources status and scale, dry runs, field validation."""

from __future__ import annotations

from conformance_api import (
    APPLY,
    CM,
    DEPLOYMENTS,
    JSON,
    JSON_PATCH,
    MERGE,
    PODS,
    STRATEGIC,
    WIDGETS,
    Api,
    cm,
    pod,
    workload,
)
from conformance_cases import SUPPORTED, Table
from conformance_definitions import widget

TABLE = Table("patches")
story, row = TABLE.story, TABLE.row

_A = ((CM, cm("a", {"x": "1"})),)
_AT = f"{CM}/a"

for _what, _operations in {
    "test-that-fails": [{"op": "test", "path": "/data/x", "value": "2"}, {"op": "remove", "path": "/data"}],
    "remove-of-nothing": [{"op": "remove", "path": "/nope/x"}],
    "operation-unknown": [{"op": "zap", "path": "/data"}],
}.items():
    row(f"json-{_what}", "PATCH", _AT, _operations, type=JSON_PATCH, given=_A, status=422, reason="Invalid")
row("json-that-is-no-list", "PATCH", _AT, {"a": 1}, type=JSON_PATCH, given=_A, status=400, reason="BadRequest")
row("merge-that-is-a-list", "PATCH", _AT, [1], type=MERGE, given=_A, status=400, reason="BadRequest", since=SUPPORTED)
row("type-plain-json", "PATCH", _AT, {}, type=JSON, given=_A, status=415, reason="UnsupportedMediaType")
row("type-unknown", "PATCH", _AT, {}, type="text/plain", given=_A, status=415, reason="UnsupportedMediaType")
_OF_META = {
    "name": ({"name": "z"}, 400, "BadRequest"),
    "namespace": ({"namespace": "z"}, 400, "BadRequest"),
    "uid": ({"uid": "z"}, 422, "Invalid"),
    "stale-resource-version": ({"resourceVersion": "1"}, 409, "Conflict"),
}
for _what, (_meta, _status, _reason) in _OF_META.items():
    row(f"of-{_what}", "PATCH", _AT, {"metadata": _meta}, type=MERGE, given=_A, status=_status, reason=_reason)
row(
    "force-without-apply", "PATCH", _AT, {}, type=MERGE, given=_A, query={"force": "true"}, status=422, reason="Invalid"
)
row(
    "result-that-is-wrong",
    "PATCH",
    _AT,
    {"metadata": {"labels": {"b d": "1"}}},
    type=MERGE,
    given=_A,
    status=422,
    reason="Invalid",
)
row(
    "strategic-of-a-custom-kind",
    "PATCH",
    f"{WIDGETS}/a",
    {"spec": {"size": 4}},
    type=STRATEGIC,
    given=((WIDGETS, widget("a")),),
    status=415,
    reason="UnsupportedMediaType",
)
row("collections-are-not-patched", "PATCH", CM, {}, type=MERGE, status=405, reason="MethodNotAllowed")


@story()
async def json_operations_in_their_order(api: Api) -> None:
    await api.make(CM, cm("a", {"x": "1"}))
    operations = [
        {"op": "test", "path": "/data/x", "value": "1"},
        {"op": "add", "path": "/data/y", "value": "2"},
        {"op": "copy", "from": "/data/y", "path": "/data/z"},
        {"op": "move", "from": "/data/x", "path": "/data/w"},
        {"op": "replace", "path": "/data/y", "value": "3"},
        {"op": "add", "path": "/metadata/labels", "value": {"a~b": "x"}},
        {"op": "replace", "path": "/metadata/labels/a~0b", "value": "y"},
    ]
    refused = await api.patch(_AT, operations, JSON_PATCH)
    assert refused.status == 422  # "a~b" is no label
    found = (await api.patch(_AT, operations[:5], JSON_PATCH)).ok()
    assert found["data"] == {"y": "3", "z": "2", "w": "1"}


@story()
async def json_pointers_escape_slashes(api: Api) -> None:
    await api.make(CM, cm("a", annotations={"example.com/k": "1", "o": "1"}))
    path = "/metadata/annotations/example.com~1k"
    found = (await api.patch(_AT, [{"op": "remove", "path": path}], JSON_PATCH)).ok()
    assert found["metadata"]["annotations"] == {"o": "1"}


@story()
async def json_test_that_fails_changes_nothing(api: Api) -> None:
    made = await api.make(CM, cm("a", {"x": "1"}))
    operations = [{"op": "remove", "path": "/data/x"}, {"op": "test", "path": "/metadata/uid", "value": "other"}]
    assert (await api.patch(_AT, operations, JSON_PATCH)).status == 422
    assert (await api.get(_AT)).ok() == made


@story()
async def merge_sets_and_null_removes(api: Api) -> None:
    await api.make(CM, cm("a", {"x": "1", "y": "2"}, labels={"l": "1"}))
    found = (await api.patch(_AT, {"data": {"x": None, "z": "3"}, "metadata": {"labels": None}})).ok()
    assert found["data"] == {"y": "2", "z": "3"}
    assert "labels" not in found["metadata"]


@story()
async def merge_replaces_lists(api: Api) -> None:
    await api.make(CM, cm("a", finalizers=["example.com/a", "example.com/b"]))
    found = (await api.patch(_AT, {"metadata": {"finalizers": ["example.com/b"]}})).ok()
    assert found["metadata"]["finalizers"] == ["example.com/b"]
    (await api.patch(_AT, {"metadata": {"finalizers": None}})).ok()


@story()
async def a_patch_that_changes_nothing_keeps_the_resource_version(api: Api) -> None:
    made = await api.make(CM, cm("a", {"x": "1"}))
    for body, type in (({"data": {"x": "1"}}, MERGE), ({}, STRATEGIC), ([], JSON_PATCH)):
        found = (await api.patch(_AT, body, type)).ok()
        assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


@story()
async def a_current_resource_version_in_a_patch_passes(api: Api) -> None:
    made = await api.make(CM, cm("a"))
    version = made["metadata"]["resourceVersion"]
    body = {"metadata": {"resourceVersion": version, "uid": made["metadata"]["uid"]}, "data": {"x": "1"}}
    (await api.patch(_AT, body)).ok()
    (await api.patch(_AT, body | {"data": {"x": "2"}})).is_refused(409, "Conflict", "has been modified")


def _two_containers() -> dict[str, object]:
    made = workload("a")
    made["spec"]["template"]["spec"]["containers"] = [
        {"name": "one", "image": "i:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"name": "two", "image": "i:1"},
    ]
    return made


async def _strategic(api: Api, spec: dict[str, object]) -> list[dict[str, object]]:
    await api.make(DEPLOYMENTS, _two_containers())
    body = {"spec": {"template": {"spec": spec}}}
    found = (await api.patch(f"{DEPLOYMENTS}/a", body, STRATEGIC)).ok()
    return list(found["spec"]["template"]["spec"]["containers"])


@story()
async def strategic_finds_containers_by_name(api: Api) -> None:
    found = await _strategic(api, {"containers": [{"name": "two", "image": "i:2"}]})
    assert {one["name"]: one["image"] for one in found} == {"one": "i:1", "two": "i:2"}


@story()
async def strategic_merges_environment_by_name(api: Api) -> None:
    env = [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]
    found = await _strategic(api, {"containers": [{"name": "one", "env": env}]})
    (one,) = (container for container in found if container["name"] == "one")
    assert {item["name"]: item["value"] for item in one["env"]} == {"A": "1", "B": "3", "C": "4"}  # type: ignore[attr-defined]


@story()
async def strategic_directive_delete(api: Api) -> None:
    found = await _strategic(api, {"containers": [{"name": "one", "$patch": "delete"}]})
    assert [one["name"] for one in found] == ["two"]


@story()
async def strategic_directive_replace(api: Api) -> None:
    found = await _strategic(api, {"containers": [{"name": "new", "image": "i"}, {"$patch": "replace"}]})
    assert [one["name"] for one in found] == ["new"]


@story()
async def strategic_directive_of_primitive_lists(api: Api) -> None:
    await api.make(CM, cm("a", finalizers=["example.com/a", "example.com/b"]))
    body = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}
    assert (await api.patch(_AT, body, STRATEGIC)).meta["finalizers"] == ["example.com/b"]
    added = await api.patch(_AT, {"metadata": {"finalizers": ["example.com/c"]}}, STRATEGIC)
    assert set(added.meta["finalizers"]) == {"example.com/b", "example.com/c"}
    (await api.patch(_AT, {"metadata": {"finalizers": None}})).ok()


@story()
async def strategic_directive_retain_keys(api: Api) -> None:
    await api.make(DEPLOYMENTS, workload("a"))
    body = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    found = (await api.patch(f"{DEPLOYMENTS}/a", body, STRATEGIC)).ok()
    assert found["spec"]["strategy"] == {"type": "Recreate"}


@story()
async def status_is_not_written_with_the_object(api: Api) -> None:
    path = f"{WIDGETS}/a"
    made = await api.make(WIDGETS, widget("a") | {"status": {"phase": "Mine"}})
    assert "status" not in made
    assert "status" not in (await api.patch(path, {"status": {"phase": "Mine"}})).ok()


@story()
async def the_object_is_not_written_with_its_status(api: Api) -> None:
    path = f"{WIDGETS}/a"
    made = await api.make(WIDGETS, widget("a"))
    found = (await api.patch(f"{path}/status", {"status": {"phase": "On"}, "spec": {"size": 5}})).ok()
    assert (found["status"], found["spec"]["size"]) == ({"phase": "On"}, 3)
    assert found["metadata"]["generation"] == made["metadata"]["generation"] == 1
    put = found | {"spec": {"size": 6}, "status": {"phase": "Off"}}
    again = (await api("PUT", f"{path}/status", put)).ok()
    assert (again["status"], again["spec"]["size"]) == ({"phase": "Off"}, 3)


@story()
async def status_of_a_builtin_kind(api: Api) -> None:
    await api.account()
    await api.make(PODS, pod("p"))
    patch = {"status": {"message": "told"}, "spec": {"containers": [{"name": "c", "image": "other"}]}}
    found = (await api.patch(f"{PODS}/p/status", patch, STRATEGIC)).ok()
    assert found["status"]["message"] == "told"
    assert found["spec"]["containers"][0]["image"] == "lazarus.dev/pause:1"


@story()
async def scale_is_read_and_written(api: Api) -> None:
    await api.make(DEPLOYMENTS, workload("a", paused=True))
    path = f"{DEPLOYMENTS}/a/scale"
    scale = (await api.get(path)).ok()
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {})
    assert scale["status"]["selector"] == "app=a"
    for _ in range(50):  # a controller may write its status between the read and the write
        put = await api("PUT", path, (await api.get(path)).ok() | {"spec": {"replicas": 2}})
        if put.status != 409:
            break
    assert put.ok()["spec"] == {"replicas": 2}
    found = (await api.get(f"{DEPLOYMENTS}/a")).ok()
    assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (2, 2)
    assert (await api.patch(path, {"spec": {"replicas": 0}})).ok()["spec"] == {}


@story()
async def scale_of_a_custom_kind(api: Api) -> None:
    await api.make(WIDGETS, widget("a", replicas=1))
    found = (await api.patch(f"{WIDGETS}/a/scale", {"spec": {"replicas": 4}})).ok()
    assert (found["kind"], found["spec"]) == ("Scale", {"replicas": 4})
    assert (await api.get(f"{WIDGETS}/a")).ok()["spec"]["replicas"] == 4


row(
    "scale-below-zero",
    "PATCH",
    f"{DEPLOYMENTS}/a/scale",
    {"spec": {"replicas": -1}},
    type=MERGE,
    given=((DEPLOYMENTS, workload("a")),),
    status=422,
    reason="Invalid",
)
for _option in ("dryRun", "fieldValidation"):
    _since = 0 if _option == "dryRun" else 25
    row(
        f"{_option.lower()}-unknown",
        "POST",
        CM,
        cm("a"),
        query={_option: "Maybe"},
        status=422,
        text=_option,
        since=_since,
    )
row("manager-too-long", "POST", CM, cm("a"), query={"fieldManager": "x" * 129}, status=422, reason="Invalid")
_TYPO = {"metadata": {"name": "a"}, "spec": pod("a")["spec"] | {"contaners": []}}
_STRICT = {"fieldValidation": "Strict"}
row(
    "unknown-field-strictly",
    "POST",
    PODS,
    _TYPO,
    query=_STRICT,
    status=400,
    reason="BadRequest",
    text="spec.contaners",
    since=25,
)
_TWICE = b'{"metadata":{"name":"a"},"data":{"x":"1","x":"2"}}'
row(
    "field-twice-strictly", "POST", CM, _TWICE, query=_STRICT, status=400, text='duplicate field \\"data.x\\"', since=25
)


@story()
async def unknown_fields_are_dropped(api: Api) -> None:
    made = await api.make(CM, cm("a") | {"unknown": 1}, fieldValidation="Ignore")
    assert "unknown" not in made


@story(since=25)
async def unknown_fields_are_warned_of(api: Api) -> None:
    answer = await api("POST", CM, cm("a") | {"unknown": 1}, fieldValidation="Warn")
    assert "unknown" not in answer.ok(201)
    warning = answer.headers.get("warning", "")
    assert warning.startswith("299 - ")
    assert 'unknown field \\"unknown\\"' in warning


@story()
async def dry_runs_answer_and_keep_nothing(api: Api) -> None:
    made = (await api("POST", CM, cm("a"), dryRun="All")).ok(201)
    assert made["metadata"]["uid"]
    (await api.get(_AT)).is_refused(404, "NotFound")
    kept = await api.make(CM, cm("a", {"x": "1"}))
    assert (await api.patch(_AT, {"data": {"x": "2"}}, dryRun="All")).ok()["data"] == {"x": "2"}
    assert (await api("PUT", _AT, kept | {"data": {}}, dryRun="All")).status == 200
    (await api.delete(_AT, dryRun="All")).ok()
    (await api.delete(_AT, {"dryRun": ["All"]})).ok()
    assert (await api.get(_AT)).ok() == kept


@story()
async def dry_runs_are_refused_like_the_real_thing(api: Api) -> None:
    await api.make(CM, cm("a"))
    (await api("POST", CM, cm("a"), dryRun="All")).is_refused(409, "AlreadyExists")
    (await api("POST", CM, cm("B"), dryRun="All")).is_refused(422, "Invalid")
    stale = {"preconditions": {"resourceVersion": "1"}, "dryRun": ["All"]}
    (await api.delete(_AT, stale)).is_refused(409, "Conflict")


@story()
async def apply_needs_somebody_who_applies(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap"} | cm("a")
    (await api.patch(_AT, body, APPLY)).is_refused(422, "Invalid", "fieldManager")
