"""Objects: made, read, replaced, refused; names, versions, preconditions."""

from __future__ import annotations

import asyncio
import re

from conformance_api import ACCOUNTS, CM, DEPLOYMENTS, NAMESPACES, PODS, SERVICES, Api, cm, pod, service, workload
from conformance_cases import Table

TABLE = Table("objects")
story, row = TABLE.story, TABLE.row

WRONG_NAMES = {
    "uppercase": "Upper",
    "underscore": "a_b",
    "leading-dash": "-a",
    "trailing-dot": "a.",
    "space": "a b",
    "slash": "a/b",
    "longer-than-253": "a" * 254,
}
for _what, _name in WRONG_NAMES.items():
    row(f"name-{_what}", "POST", CM, cm(_name), status=422, reason="Invalid", text="metadata.name: Invalid value")
row("name-of-253-and-dots", "POST", CM, cm("a" * 120 + "." + "b" * 132), status=201)
row("name-missing", "POST", CM, cm(""), status=422, reason="Invalid", text="name or generateName is required")
row(
    "name-of-a-service-has-no-dots",
    "POST",
    SERVICES,
    service("a.b"),
    status=422,
    reason="Invalid",
    text="a.b",
)
row("name-of-a-namespace-has-no-dots", "POST", NAMESPACES, cm("a.b"), status=422, reason="Invalid", text="a.b")
row("name-of-a-pod-in-uppercase", "POST", PODS, pod("PP"), status=422, reason="Invalid", text='Pod "PP" is invalid')

_BAD_META = {
    "label-key": {"labels": {"bad key!": "x"}},
    "label-value": {"labels": {"a": "no spaces"}},
    "label-value-longer-than-63": {"labels": {"a": "x" * 64}},
    "annotation-key": {"annotations": {"bad key!": "x"}},
    "annotations-larger-than-256-kib": {"annotations": {"a": "x" * 262_145}},
}
for _what, _meta in _BAD_META.items():
    row(f"metadata-{_what}", "POST", CM, cm("a", **_meta), status=422, reason="Invalid", text="metadata.")

row("label-value-of-63", "POST", CM, cm("a", labels={"a": "x" * 63, "example.com/b": ""}), status=201)
row("exists-already", "POST", CM, cm("a"), given=((CM, cm("a")),), status=409, reason="AlreadyExists", text='"a"')
row("absent", "GET", f"{CM}/none", status=404, reason="NotFound", text='configmaps "none" not found')
row("absent-delete", "DELETE", f"{CM}/none", status=404, reason="NotFound", text='"none" not found')
row("absent-patch", "PATCH", f"{CM}/none", {}, type="application/merge-patch+json", status=404, reason="NotFound")
row("absent-put", "PUT", f"{CM}/none", cm("none"), status=404, reason="NotFound", text='configmaps "none" not found')
row(
    "namespace-absent",
    "POST",
    "/api/v1/namespaces/lazarus-conformance-none/configmaps",
    cm("a"),
    status=404,
    reason="NotFound",
    text='namespaces "lazarus-conformance-none" not found',
)
row("list-in-an-absent-namespace", "GET", "/api/v1/namespaces/lazarus-conformance-none/configmaps", status=200)
row("namespace-of-another", "POST", CM, cm("a", namespace="other"), status=400, reason="BadRequest", text="namespace")
row("kind-of-another", "POST", CM, {"kind": "Pod", "apiVersion": "v1"} | cm("a"), status=400, reason="BadRequest")
row("version-of-another", "POST", CM, {"kind": "ConfigMap", "apiVersion": "v2"} | cm("a"), status=400)
row("body-that-is-no-json", "POST", CM, b"{nope", status=400, reason="BadRequest")
row("field-of-a-wrong-type", "POST", CM, cm("a", {"x": 1}), status=400, reason="BadRequest", text="ConfigMap")
row("field-of-a-wrong-type-in-words", "POST", CM, cm("a", {"x": 1}), status=400, text="cannot unmarshal", since=23)
row("resource-version-on-create", "POST", CM, cm("a", resourceVersion="5"), status=500, text="should not be set")
row("put-under-another-name", "PUT", f"{CM}/a", cm("b"), given=((CM, cm("a")),), status=400, reason="BadRequest")
row("put-of-another-uid", "PUT", f"{CM}/a", cm("a", uid="z"), given=((CM, cm("a")),), status=409, reason="Conflict")
row("put-without-resource-version", "PUT", f"{CM}/a", cm("a", {"x": "2"}), given=((CM, cm("a")),), status=200)
row("post-to-a-name", "POST", f"{CM}/a", cm("a"), status=405, reason="MethodNotAllowed")
row("put-to-a-collection", "PUT", CM, cm("a"), status=405, reason="MethodNotAllowed")
row("post-across-namespaces", "POST", "/api/v1/configmaps", cm("a"), status=405, reason="MethodNotAllowed")
row("subresource-unknown", "GET", f"{CM}/a/foo", given=((CM, cm("a")),), status=404, reason="NotFound")
row("status-of-a-kind-without", "GET", f"{CM}/a/status", given=((CM, cm("a")),), status=404, reason="NotFound")
row("namespaces-have-no-deletecollection", "DELETE", NAMESPACES, status=405, reason="MethodNotAllowed")
row(
    "namespace-default-stays",
    "DELETE",
    f"{NAMESPACES}/default",
    query={"dryRun": "All"},
    status=403,
    reason="Forbidden",
)
row("namespace-kube-system-stays", "DELETE", f"{NAMESPACES}/kube-system", query={"dryRun": "All"}, status=403)


@story()
async def references_and_finalizers_are_checked(api: Api) -> None:
    nobody = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": ""}
    answers = [
        await api("POST", CM, cm("a", ownerReferences=[nobody])),
        await api("POST", CM, cm("b", finalizers=["unqualified"])),
    ]
    for answer in answers:
        answer.is_refused(422, "Invalid", "metadata.")


@story()
async def created_with_everything_that_the_server_adds(api: Api) -> None:
    made = await api.make(CM, cm("a", {"x": "ä"}))
    meta = made["metadata"]
    assert (made["kind"], made["apiVersion"], made["data"]) == ("ConfigMap", "v1", {"x": "ä"})
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", meta["uid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", meta["creationTimestamp"])
    assert meta["namespace"] == api.ns
    assert int(meta["resourceVersion"]) > 0
    assert (await api.get(f"{CM}/a")).ok() == made


@story()
async def status_tells_what_it_is_about(api: Api) -> None:
    details = (await api.get(f"{DEPLOYMENTS}/none")).body["details"]
    assert details == {"name": "none", "group": "apps", "kind": "deployments"}
    details = (await api("POST", CM, cm("Bad"))).body["details"]
    assert (details["name"], details["kind"]) == ("Bad", "ConfigMap")
    assert [(one["field"], one["reason"]) for one in details["causes"]] == [("metadata.name", "FieldValueInvalid")]


@story()
async def several_faults_are_told_at_once(api: Api) -> None:
    refused = await api("POST", CM, cm("Bad", labels={"no good!": "x"}))
    assert {one["field"] for one in refused.body["details"]["causes"]} == {"metadata.name", "metadata.labels"}


@story()
async def generate_name_makes_names_that_differ(api: Api) -> None:
    made = [await api.make(CM, {"metadata": {"generateName": "a-"}}) for _ in range(3)]
    names = [one["metadata"]["name"] for one in made]
    assert len(set(names)) == 3
    assert all(re.fullmatch(r"a-[a-z0-9]{5}", name) for name in names)


@story()
async def name_goes_before_generate_name(api: Api) -> None:
    assert (await api.make(CM, {"metadata": {"name": "b", "generateName": "a-"}}))["metadata"]["name"] == "b"


@story()
async def what_the_server_decides_is_not_taken_from_the_client(api: Api) -> None:
    sent = cm("a", creationTimestamp="2001-01-01T00:00:00Z", uid="mine", generation=7, selfLink="/x")
    meta = (await api.make(CM, sent))["metadata"]
    assert meta["uid"] != "mine"
    assert not meta["creationTimestamp"].startswith("2001")


@story()
async def a_name_used_again_is_another_object(api: Api) -> None:
    first = await api.make(CM, cm("a"))
    (await api.delete(f"{CM}/a")).ok()
    assert (await api.make(CM, cm("a")))["metadata"]["uid"] != first["metadata"]["uid"]


@story()
async def put_with_a_stale_resource_version_conflicts(api: Api) -> None:
    old = await api.make(CM, cm("a", {"x": "1"}))
    new = (await api("PUT", f"{CM}/a", old | {"data": {"x": "2"}})).ok()
    assert int(new["metadata"]["resourceVersion"]) > int(old["metadata"]["resourceVersion"])
    refused = await api("PUT", f"{CM}/a", old | {"data": {"x": "3"}})
    refused.is_refused(409, "Conflict", "the object has been modified")
    assert (await api.get(f"{CM}/a")).ok() == new


@story()
async def put_that_changes_nothing_keeps_the_resource_version(api: Api) -> None:
    made = await api.make(CM, cm("a", {"x": "1"}))
    again = (await api("PUT", f"{CM}/a", made)).ok()
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


@story()
async def put_replaces_everything(api: Api) -> None:
    await api.make(CM, cm("a", {"x": "1"}, labels={"l": "1"}))
    new = (await api("PUT", f"{CM}/a", cm("a", {"y": "2"}))).ok()
    assert new["data"] == {"y": "2"}
    assert "labels" not in new["metadata"]


@story()
async def of_two_writers_with_one_resource_version_one_wins(api: Api) -> None:
    made = await api.make(CM, cm("a"))
    answers = await asyncio.gather(*(api("PUT", f"{CM}/a", made | {"data": {"x": str(n)}}) for n in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]


@story()
async def of_two_creators_one_wins(api: Api) -> None:
    answers = await asyncio.gather(*(api("POST", CM, cm("a", {"x": str(n)})) for n in range(4)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]


@story()
async def delete_of_another_uid_conflicts(api: Api) -> None:
    made = await api.make(CM, cm("a"))
    other = "00000000-0000-4000-8000-000000000000"
    refused = await api.delete(f"{CM}/a", {"preconditions": {"uid": other}})
    refused.is_refused(409, "Conflict", "UID in ")
    await api.stays(f"{CM}/a")
    (await api.delete(f"{CM}/a", {"preconditions": {"uid": made["metadata"]["uid"]}})).ok()


@story()
async def delete_of_another_resource_version_conflicts(api: Api) -> None:
    made = await api.make(CM, cm("a"))
    new = (await api.patch(f"{CM}/a", {"data": {"x": "1"}})).ok()
    for meta, status in ((made["metadata"], 409), (new["metadata"], 200)):
        options = {"preconditions": {"resourceVersion": meta["resourceVersion"]}}
        assert (await api.delete(f"{CM}/a", options)).status == status


@story()
async def delete_answers_with_a_status_and_the_object_is_gone(api: Api) -> None:
    made = await api.make(CM, cm("a"))
    body = (await api.delete(f"{CM}/a")).ok()
    assert (body["kind"], body["status"]) == ("Status", "Success")
    assert body["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    (await api.get(f"{CM}/a")).is_refused(404, "NotFound")
    (await api.delete(f"{CM}/a")).is_refused(404, "NotFound")


@story()
async def delete_collection_takes_what_the_selector_says(api: Api) -> None:
    for name in ("a", "b"):
        await api.make(CM, cm(name, labels={"l": name}))
    (await api.delete(CM, labelSelector="l=a")).ok()
    await api.gone(f"{CM}/a")
    await api.stays(f"{CM}/b")


@story()
async def generation_counts_changes_of_the_spec_alone(api: Api) -> None:
    path = f"{DEPLOYMENTS}/a"
    made = await api.make(DEPLOYMENTS, workload("a", paused=True))
    assert made["metadata"]["generation"] == 1
    labelled = (await api.patch(path, {"metadata": {"labels": {"x": "y"}}})).ok()
    assert labelled["metadata"]["generation"] == 1
    changed = (await api.patch(path, {"spec": {"minReadySeconds": 5}})).ok()
    assert changed["metadata"]["generation"] == 2


@story()
async def config_maps_have_no_generation(api: Api) -> None:
    await api.make(CM, cm("a"))
    assert "generation" not in (await api.patch(f"{CM}/a", {"data": {"x": "1"}})).meta


@story("controllers")
async def a_fresh_namespace_gets_its_furniture(api: Api) -> None:
    async def there() -> bool:
        paths = (f"{CM}/kube-root-ca.crt", f"{ACCOUNTS}/default")
        return all([(await api.get(path)).status == 200 for path in paths])

    await api.eventually(there)


@story(since=22)
async def a_namespace_carries_its_name_as_a_label(api: Api) -> None:
    labels = (await api.get(f"{NAMESPACES}/{{ns}}")).meta["labels"]
    assert labels["kubernetes.io/metadata.name"] == api.ns


@story()
async def a_resource_version_can_be_asked_of_a_get(api: Api) -> None:
    await api.make(CM, cm("a"))

    async def there() -> bool:  # version 0 may be answered by a cache that does not know the object yet
        return (await api.get(f"{CM}/a", resourceVersion="0")).status == 200

    await api.eventually(there)


@story()
async def a_yaml_body_is_taken(api: Api) -> None:
    body = b"metadata:\n  name: a\ndata:\n  x: '1'\n"
    assert (await api("POST", CM, body, type="application/yaml")).ok(201)["data"] == {"x": "1"}
