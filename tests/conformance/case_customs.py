"""Custom kinds: definitions, schemas, what is dropped and filled in, status with and without its subresource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance_api import CRDS, GADGETS, MERGE, WIDGETS, Api
from conformance_cases import SUPPORTED, Table
from conformance_definitions import SCHEMA, definition, established, gadget, widget

TABLE = Table("customs")
story, row = TABLE.story, TABLE.row

_WRONG: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "type": ({"size": "three"}, "spec.size"),
    "minimum": ({"size": 0}, "should be greater than or equal to 1"),
    "maximum": ({"size": 10}, "should be less than or equal to 9"),
    "required": ({"size": None}, "spec.size: Required value"),
    "enum": ({"colour": "red"}, 'Unsupported value: "red"'),
    "pattern": ({"code": "A1"}, "should match"),
    "items": ({"tags": [1]}, "spec.tags"),
    "too-many-items": ({"tags": ["a", "b", "c"]}, "spec.tags"),
    "null-where-none-may-be": ({"code": 5}, "spec.code"),
    "int-or-string": ({"limits": {"cpu": 1.5}}, "spec.limits.cpu"),
}
_NO_PAGE = "404 page not found"  # plain text: no API has seen the request
for _what, (_spec, _text) in _WRONG.items():
    row(f"schema-{_what}", "POST", WIDGETS, widget("a", **_spec), status=422, reason="Invalid", text=_text)
row("schema-items-by-number", "POST", WIDGETS, widget("a", tags=[1]), status=422, text="spec.tags[0]", since=SUPPORTED)
row("kind-of-another", "POST", WIDGETS, gadget("a"), status=400, reason="BadRequest", since=SUPPORTED)
row("group-unknown", "GET", "/apis/none.example.com/v1/things", status=404, text=_NO_PAGE)
row("version-unknown", "GET", "/apis/{group}/v9/widgets", status=404, text=_NO_PAGE)
row("kind-unknown", "GET", "/apis/{group}/v1/none", status=404, text=_NO_PAGE)
row("kind-unknown-of-the-server-itself", "GET", "/apis/apps/v1/none", status=404, reason="NotFound")
row("absent", "GET", f"{WIDGETS}/none", status=404, reason="NotFound", text='" not found')
row("status-of-a-kind-without", "GET", f"{GADGETS}/a/status", given=((GADGETS, gadget("a")),), status=404)
row(
    "unknown-field-strictly",
    "POST",
    WIDGETS,
    widget("a", unknown=1),
    query={"fieldValidation": "Strict"},
    status=400,
    reason="BadRequest",
    text="spec.unknown",
    since=25,
)
row(
    "put-without-resource-version",
    "PUT",
    f"{WIDGETS}/a",
    widget("a"),
    given=((WIDGETS, widget("a")),),
    status=422,
    reason="Invalid",
    text="metadata.resourceVersion: Invalid value",
)
row(
    "patch-against-the-schema",
    "PATCH",
    f"{WIDGETS}/a",
    {"spec": {"size": 99}},
    type=MERGE,
    given=((WIDGETS, widget("a")),),
    status=422,
    reason="Invalid",
    text="spec.size",
)

_GROUP = "refused.lazarus.example.com"
_BAD: Mapping[str, Mapping[str, Any]] = {
    "named-otherwise": definition(_GROUP, "xs", "X") | {"metadata": {"name": "ys." + _GROUP}},
    "without-a-schema": definition(_GROUP, "xs", "X", schema=None),
    "that-is-never-stored": definition(_GROUP, "xs", "X", storage=False),
}
for _what, _body in _BAD.items():
    row(f"definition-{_what}", "POST", CRDS, _body, query={"dryRun": "All"}, status=422, reason="Invalid")


@story()
async def unknown_fields_are_pruned_but_where_they_are_kept(api: Api) -> None:
    made = await api.make(WIDGETS, widget("a", unknown=1, free={"any": {"thing": [1]}}) | {"extra": True})
    assert made["spec"] == {"size": 3, "colour": "grey", "free": {"any": {"thing": [1]}}}
    assert "extra" not in made


@story()
async def defaults_are_filled_in(api: Api) -> None:
    assert (await api.make(WIDGETS, widget("a")))["spec"]["colour"] == "grey"
    removed = (await api.patch(f"{WIDGETS}/a", {"spec": {"colour": None}})).ok()
    assert removed["spec"]["colour"] == "grey"


@story()
async def numbers_and_strings_where_both_may_be(api: Api) -> None:
    made = await api.make(WIDGETS, widget("a", limits={"cpu": 2, "memory": "1Gi"}))
    assert made["spec"]["limits"] == {"cpu": 2, "memory": "1Gi"}


@story()
async def null_stays_only_where_it_may_be(api: Api) -> None:
    made = await api.make(WIDGETS, widget("a", note=None))
    assert made["spec"]["note"] is None


@story()
async def without_the_subresource_status_is_part_of_the_object(api: Api) -> None:
    """Velero writes its phases with ordinary patches, and a restored object brings its status along."""
    made = await api.make(GADGETS, gadget("a") | {"status": {"phase": "New"}})
    assert made["status"] == {"phase": "New"}
    assert made["metadata"]["generation"] == 1
    patched = (await api.patch(f"{GADGETS}/a", {"status": {"phase": "Completed"}})).ok()
    assert patched["status"] == {"phase": "Completed"}
    assert patched["metadata"]["generation"] == 2


@story()
async def generation_counts_but_metadata_does_not(api: Api) -> None:
    await api.make(WIDGETS, widget("a"))
    path = f"{WIDGETS}/a"
    assert (await api.patch(path, {"metadata": {"labels": {"l": "1"}}})).meta["generation"] == 1
    assert (await api.patch(path, {"spec": {"size": 4}})).meta["generation"] == 2
    assert (await api.patch(path, {"spec": {"size": 4}})).meta["generation"] == 2


@story()
async def versions_conflict_as_elsewhere(api: Api) -> None:
    made = await api.make(WIDGETS, widget("a"))
    (await api.patch(f"{WIDGETS}/a", {"spec": {"size": 4}})).ok()
    (await api("PUT", f"{WIDGETS}/a", made)).is_refused(409, "Conflict", "has been modified")


@story()
async def lists_and_watches_as_elsewhere(api: Api) -> None:
    await api.make(WIDGETS, widget("a"))
    found = (await api.get(WIDGETS, limit="1")).ok()
    assert (found["kind"], found["apiVersion"]) == ("WidgetList", f"{api.group}/v1")
    async with api.watch(WIDGETS, resourceVersion=found["metadata"]["resourceVersion"]) as watch:
        await api.make(WIDGETS, widget("b"))
        assert await watch.seen() == ("ADDED", "b")


@story()
async def definitions_say_that_they_are_served(api: Api) -> None:
    found = (await api.get(f"{CRDS}/widgets.{{group}}")).ok()
    conditions = {one["type"]: one["status"] for one in found["status"]["conditions"]}
    assert (conditions["Established"], conditions["NamesAccepted"]) == ("True", "True")
    assert found["status"]["storedVersions"] == ["v1"]
    assert found["status"]["acceptedNames"]["kind"] == "Widget"


@story()
async def discovery_shows_them(api: Api) -> None:
    found = {one["name"]: one for one in (await api.get("/apis/{group}/v1")).ok()["resources"]}
    assert set(found) == {"widgets", "widgets/status", "widgets/scale", "gadgets"}
    assert (found["widgets"]["kind"], found["widgets"]["namespaced"]) == ("Widget", True)
    assert found["widgets/scale"]["group"] == "autoscaling"


@story()
async def a_definition_that_goes_takes_its_objects_along(api: Api) -> None:
    made = definition(f"gone-{api.ns[-10:]}.example.com", "widgets", "Widget")
    group = made["spec"]["group"]
    await api.make(CRDS, made)
    try:
        await established(api, made)
        path = f"/apis/{group}/v1/namespaces/{api.ns}/widgets"
        await api.make(path, widget("a") | {"apiVersion": f"{group}/v1"})
    finally:
        (await api.delete(f"{CRDS}/{made['metadata']['name']}")).ok()
    await api.gone(f"{CRDS}/{made['metadata']['name']}")
    await api.gone(path)


@story()
async def two_versions_show_one_object(api: Api) -> None:
    group = f"twice-{api.ns[-10:]}.example.com"
    made = definition(group, "widgets", "Widget")
    second = {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": SCHEMA}}
    made["spec"]["versions"].append(second)
    await api.make(CRDS, made)
    try:
        await established(api, made)
        inside = f"namespaces/{api.ns}/widgets"
        one = await api.make(f"/apis/{group}/v1/{inside}", widget("a") | {"apiVersion": f"{group}/v1"})

        async def served() -> bool:
            return (await api.get(f"/apis/{group}/v2/{inside}/a")).status == 200

        await api.eventually(served)
        two = (await api.get(f"/apis/{group}/v2/{inside}/a")).ok()
        assert two["apiVersion"] == f"{group}/v2"
        assert two["metadata"]["uid"] == one["metadata"]["uid"]
    finally:
        (await api.delete(f"{CRDS}/{made['metadata']['name']}")).ok()
