"""Server-side apply: who owns which field."""

from __future__ import annotations

from typing import Any

from conformance_api import APPLY, CM, DEPLOYMENTS, WIDGETS, Api, Reply, cm, workload
from conformance_cases import Table
from conformance_definitions import widget

TABLE = Table("apply")
story, row = TABLE.story, TABLE.row


def typed(obj: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", **obj}


async def apply(api: Api, obj: dict[str, Any], manager: str = "one", **query: str) -> Reply:
    at = f"{CM}/{obj['metadata']['name']}"
    return await api.patch(at, typed(obj), APPLY, fieldManager=manager, **query)


def managers(obj: dict[str, Any]) -> dict[str, Any]:
    return {one["manager"]: one for one in obj["metadata"]["managedFields"]}


@story()
async def makes_what_is_not_there(api: Api) -> None:
    made = (await apply(api, cm("a", {"x": "1"}))).ok(201)
    found = managers(made)["one"]
    assert (found["operation"], found["apiVersion"], found["fieldsType"]) == ("Apply", "v1", "FieldsV1")
    assert found["fieldsV1"] == {"f:data": {"f:x": {}}}


@story()
async def removes_what_one_no_longer_wants(api: Api) -> None:
    (await apply(api, cm("a", {"x": "1", "y": "2"}))).ok(201)
    assert (await apply(api, cm("a", {"x": "1"}))).ok()["data"] == {"x": "1"}


@story()
async def keeps_what_others_own(api: Api) -> None:
    (await apply(api, cm("a", {"x": "1"}))).ok(201)
    both = (await apply(api, cm("a", {"y": "2"}), "two")).ok()
    assert both["data"] == {"x": "1", "y": "2"}
    assert set(managers(both)) == {"one", "two"}


@story()
async def conflicts_name_the_owner_and_the_field(api: Api) -> None:
    (await apply(api, cm("a", {"x": "1"}))).ok(201)
    refused = await apply(api, cm("a", {"x": "2"}), "two")
    refused.is_refused(409, "Conflict", 'conflict with "one"')
    (cause,) = refused.body["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".data.x")


@story()
async def force_takes_the_field_over(api: Api) -> None:
    (await apply(api, cm("a", {"x": "1", "y": "1"}))).ok(201)
    taken = (await apply(api, cm("a", {"x": "2"}), "two", force="true")).ok()
    assert taken["data"] == {"x": "2", "y": "1"}
    assert managers(taken)["one"]["fieldsV1"] == {"f:data": {"f:y": {}}}


@story()
async def agreeing_shares_the_field(api: Api) -> None:
    (await apply(api, cm("a", {"x": "1"}))).ok(201)
    shared = (await apply(api, cm("a", {"x": "1"}), "two")).ok()
    assert all(managers(shared)[who]["fieldsV1"] == {"f:data": {"f:x": {}}} for who in ("one", "two"))
    assert (await apply(api, cm("a"), "two")).ok()["data"] == {"x": "1"}


@story()
async def writes_of_other_ways_own_their_fields(api: Api) -> None:
    await api.make(CM, cm("a", {"x": "1"}), fieldManager="hand")
    refused = await apply(api, cm("a", {"x": "2"}))
    refused.is_refused(409, "Conflict", 'conflict with "hand"')


@story()
async def a_patch_takes_ownership_without_asking(api: Api) -> None:
    (await apply(api, cm("a", {"x": "1"}))).ok(201)
    patched = (await api.patch(f"{CM}/a", {"data": {"x": "2"}}, fieldManager="hand")).ok()
    assert managers(patched)["hand"]["operation"] == "Update"
    assert managers(patched)["hand"]["fieldsV1"] == {"f:data": {"f:x": {}}}


@story()
async def the_same_again_changes_nothing(api: Api) -> None:
    made = (await apply(api, cm("a", {"x": "1"}))).ok(201)
    again = (await apply(api, cm("a", {"x": "1"}))).ok()
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


@story()
async def dry_runs_keep_nothing(api: Api) -> None:
    (await apply(api, cm("a", {"x": "1"}), dryRun="All")).ok(201)
    assert (await api.get(f"{CM}/a")).status == 404


@story()
async def containers_are_told_apart_by_name(api: Api) -> None:
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", **workload("a")}
    made = (await api.patch(f"{DEPLOYMENTS}/a", obj, APPLY, fieldManager="one")).ok(201)
    fields = managers(made)["one"]["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert set(fields) == {'k:{"name":"c"}'}


@story()
async def custom_kinds_too(api: Api) -> None:
    made = (await api.patch(f"{WIDGETS}/a", widget("a"), APPLY, fieldManager="one")).ok(201)
    assert set(managers(made)["one"]["fieldsV1"]["f:spec"]) - {"."} == {"f:size"}
    other = await api.patch(f"{WIDGETS}/a", widget("a", size=4), APPLY, fieldManager="two")
    other.is_refused(409, "Conflict", ".spec.size")


_ONE = {"fieldManager": "one"}
_AT = f"{CM}/a"
row("without-a-kind", "PATCH", _AT, {"data": {}}, type=APPLY, query=_ONE, status=400, reason="BadRequest")
row("of-another-name", "PATCH", _AT, typed(cm("z")), type=APPLY, query=_ONE, status=400, reason="BadRequest")
_MANAGED = typed(cm("a", managedFields=[{}]))
row("with-managed-fields", "PATCH", _AT, _MANAGED, type=APPLY, query=_ONE, status=400, reason="BadRequest")
_STALE = typed(cm("a", {"n": "1"}, resourceVersion="1"))
row("of-a-stale-version", "PATCH", _AT, _STALE, type=APPLY, query=_ONE, given=((CM, cm("a")),), status=409)
