"""Server-side apply: who owns what, who may change it, and what goes when it is no longer applied."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lazarus_tui.model.resources import CONFIGMAPS, CRDS
from lazarus_tui.sandbox.api.store import Store

from .conftest import JSON_PATCH, MERGE, Reply, World, quiet, widget_definition, workload

APPLY = "application/apply-patch+yaml"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def applied_map(**data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "one"}, "data": data}


def applied_deployment(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    made = workload("Deployment", "web", **spec)
    made["spec"]["template"]["spec"] = {"containers": list(containers)}
    return made


async def apply(world: World, path: str, obj: dict[str, Any], manager: str = "ops", **query: str) -> Reply:
    address = path if path.endswith("/status") else f"{path}/{obj['metadata']['name']}"
    return await world.call("PATCH", address, obj, type=APPLY, fieldManager=manager, **query)


def owners(reply: Reply) -> dict[str, Any]:
    """The fields by manager and operation."""
    entries = reply.body["metadata"]["managedFields"]
    return {f"{one['manager']}/{one['operation']}{one.get('subresource', '')}": one["fieldsV1"] for one in entries}


async def test_apply_creates_what_is_not_there_and_owns_just_what_it_states(world: World) -> None:
    made = await apply(world, DEPLOYMENTS, applied_deployment({"name": "a", "image": "x:1"}), "ops")
    assert made.status == 201
    assert made.body["spec"]["replicas"] == 1
    assert owners(made) == {
        "ops/Apply": {
            "f:spec": {
                "f:selector": {},
                "f:template": {
                    "f:metadata": {"f:labels": {"f:app": {}}},
                    "f:spec": {"f:containers": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:image": {}}}},
                },
            }
        }
    }


async def test_yaml_is_applied_like_json(world: World) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata:\n  x: one\n"
    made = await world.call("PATCH", f"{MAPS}/one", text, type=APPLY, fieldManager="ops")
    assert (made.status, made.body["data"]) == (201, {"x": "one"})


async def test_the_same_again_keeps_the_revision_and_the_time(world: World) -> None:
    first = await apply(world, MAPS, applied_map(x="1"))
    await world.clock.advance(60)
    again = await apply(world, MAPS, applied_map(x="1"))
    assert again.status == 200
    assert again.raw == first.raw


async def test_a_field_that_is_no_longer_applied_goes(world: World) -> None:
    await apply(world, MAPS, applied_map(x="1", y="2"))
    after = await apply(world, MAPS, applied_map(y="2"))
    assert after.body["data"] == {"y": "2"}
    empty = await apply(world, MAPS, {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "one"}})
    assert "data" not in empty.body
    assert "managedFields" not in empty.body["metadata"]


async def test_a_field_two_applied_stays_until_both_let_go(world: World) -> None:
    await apply(world, MAPS, applied_map(x="1", y="1"), "one")
    shared = await apply(world, MAPS, applied_map(x="1"), "two")
    assert owners(shared)["two/Apply"] == {"f:data": {"f:x": {}}}
    kept = await apply(world, MAPS, applied_map(y="1"), "one")
    assert kept.body["data"] == {"x": "1", "y": "1"}
    gone = await apply(world, MAPS, {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "one"}}, "two")
    assert gone.body["data"] == {"y": "1"}


async def test_a_conflict_names_the_other_manager_and_every_field(world: World) -> None:
    await apply(world, MAPS, applied_map(x="1", y="1"), "one")
    one = await apply(world, MAPS, applied_map(x="9", y="1"), "two")
    assert (one.status, one.reason) == (409, "Conflict")
    assert one.body["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.x'
    assert one.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.x"}
    ]
    both = await apply(world, MAPS, applied_map(x="9", y="9"), "two")
    assert both.body["message"] == 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\n- .data.y'


async def test_force_takes_the_fields_over(world: World) -> None:
    await apply(world, MAPS, applied_map(x="1", y="1"), "one")
    taken = await apply(world, MAPS, applied_map(x="9"), "two", force="true")
    assert taken.status == 200
    assert taken.body["data"] == {"x": "9", "y": "1"}
    assert owners(taken) == {"two/Apply": {"f:data": {"f:x": {}}}, "one/Apply": {"f:data": {"f:y": {}}}}


async def test_an_update_takes_fields_without_asking_and_conflicts_with_the_next_apply(world: World) -> None:
    await apply(world, MAPS, applied_map(x="1", y="1"))
    edited = await world.call(
        "PATCH", f"{MAPS}/one", {"data": {"x": "2"}}, type=MERGE, headers={"User-Agent": "kubectl/v1.32 (linux)"}
    )
    assert owners(edited) == {"ops/Apply": {"f:data": {"f:y": {}}}, "kubectl/Update": {"f:data": {"f:x": {}}}}
    refused = await apply(world, MAPS, applied_map(x="1", y="1"))
    assert refused.body["message"] == 'Apply failed with 1 conflict: conflict with "kubectl" using v1: .data.x'
    agreed = await apply(world, MAPS, applied_map(x="2", y="1"))
    assert agreed.status == 200
    assert owners(agreed)["kubectl/Update"] == {"f:data": {"f:x": {}}}


async def test_a_create_makes_its_manager_the_owner_of_defaults_too(world: World) -> None:
    made = await world.call("POST", MAPS, {"metadata": {"name": "one", "labels": {"a": "b"}}}, fieldManager="me")
    assert owners(made) == {"me/Update": {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}}
    entry = made.body["metadata"]["managedFields"][0]
    assert (entry["apiVersion"], entry["fieldsType"]) == ("v1", "FieldsV1")
    assert entry["time"] == made.body["metadata"]["creationTimestamp"]


async def test_containers_merge_by_name_and_go_by_name(world: World) -> None:
    one, two = {"name": "a", "image": "x:1"}, {"name": "b", "image": "y:1"}
    await apply(world, DEPLOYMENTS, applied_deployment(one, two))
    side = applied_deployment({"name": "a", "env": [{"name": "K", "value": "v"}]})
    both = await apply(world, DEPLOYMENTS, side, "injector")
    containers = both.body["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in containers] == ["a", "b"]
    assert containers[0]["image"] == "x:1"
    assert containers[0]["env"] == [{"name": "K", "value": "v"}]
    # The other manager's environment holds the container, and a container needs the image that would go.
    refused = await apply(world, DEPLOYMENTS, applied_deployment(two))
    assert refused.status == 422
    await apply(world, DEPLOYMENTS, applied_deployment({"name": "b"}), "injector")
    gone = await apply(world, DEPLOYMENTS, applied_deployment(two))
    assert [one["name"] for one in gone.body["spec"]["template"]["spec"]["containers"]] == ["b"]


async def test_an_image_conflict_is_named_by_its_container(world: World) -> None:
    await apply(world, DEPLOYMENTS, applied_deployment({"name": "a", "image": "x:1"}))
    refused = await apply(world, DEPLOYMENTS, applied_deployment({"name": "a", "image": "x:2"}), "two")
    assert refused.body["details"]["causes"][0]["field"] == '.spec.template.spec.containers[name="a"].image'


async def test_ports_without_a_protocol_are_the_same_port(world: World) -> None:
    path = "/api/v1/namespaces/default/services"
    service = {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    made = await apply(world, path, service)
    assert owners(made)["ops/Apply"]["f:spec"]["f:ports"] == {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}
    again = await apply(world, path, service)
    assert len(again.body["spec"]["ports"]) == 1


async def test_scaling_belongs_to_the_scale_subresource(world: World) -> None:
    await apply(world, DEPLOYMENTS, applied_deployment({"name": "a", "image": "x:1"}, replicas=2))
    await world.call("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 5}}, type=MERGE, fieldManager="hpa")
    refused = await apply(world, DEPLOYMENTS, applied_deployment({"name": "a", "image": "x:1"}, replicas=2))
    text = 'conflict with "hpa" with subresource "scale" using apps/v1: .spec.replicas'
    assert refused.body["message"] == f"Apply failed with 1 conflict: {text}"


async def test_status_is_applied_at_its_own_address_only(widgets: World) -> None:
    path = "/apis/example.com/v1/namespaces/default/widgets"
    widget = {"kind": "Widget", "apiVersion": "example.com/v1", "metadata": {"name": "w"}, "spec": {"size": 1}}
    made = await apply(widgets, path, widget | {"status": {"phase": "no"}})
    assert "status" not in made.body
    done = await apply(widgets, f"{path}/w/status", widget | {"status": {"phase": "yes"}}, "ctl")
    assert done.body["status"] == {"phase": "yes"}
    assert owners(done)["ctl/Applystatus"] == {"f:status": {"f:phase": {}}}
    assert owners(done)["ops/Apply"] == {"f:spec": {"f:size": {}}}


async def test_custom_kinds_merge_as_their_schema_says(widgets: World) -> None:
    path = "/apis/example.com/v1/namespaces/default/widgets"

    def widget(**spec: Any) -> dict[str, Any]:
        head = {"kind": "Widget", "apiVersion": "example.com/v1", "metadata": {"name": "w"}}
        return head | {"spec": {"size": 1, **spec}}

    await apply(widgets, path, widget(parts=[{"id": "a"}], tags=["x"]), "one")
    both = await apply(widgets, path, widget(parts=[{"id": "b"}]), "two")
    assert both.body["spec"]["parts"] == [{"id": "a"}, {"id": "b"}]
    refused = await apply(widgets, path, widget(tags=["y"]), "two")
    assert refused.body["details"]["causes"][0]["field"] == ".spec.tags"
    gone = await apply(widgets, path, widget(tags=["x"]), "one")
    assert gone.body["spec"]["parts"] == [{"id": "b"}]


async def test_set_and_atomic_map_of_a_schema(world: World) -> None:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "names": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                    "whole": {
                        "type": "object",
                        "x-kubernetes-map-type": "atomic",
                        "additionalProperties": {"type": "string"},
                    },
                },
            }
        },
    }
    world.api.create(CRDS, widget_definition(schema={"openAPIV3Schema": schema}))
    path = "/apis/example.com/v1/namespaces/default/widgets"
    head = {"kind": "Widget", "apiVersion": "example.com/v1", "metadata": {"name": "w"}}
    await apply(world, path, head | {"spec": {"names": ["a", "b"], "whole": {"x": "1"}}}, "one")
    both = await apply(world, path, head | {"spec": {"names": ["c"]}}, "two")
    assert both.body["spec"]["names"] == ["a", "b", "c"]
    fewer = await apply(world, path, head | {"spec": {"names": ["a"], "whole": {"x": "1"}}}, "one")
    assert fewer.body["spec"]["names"] == ["a", "c"]
    refused = await apply(world, path, head | {"spec": {"whole": {"y": "1"}}}, "two")
    assert refused.body["details"]["causes"][0]["field"] == ".spec.whole"


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"kind": None}, 400, "invalid object type: /v1, Kind="),
        ({"metadata": {"name": "one", "managedFields": [{}]}}, 400, "metadata.managedFields must be nil"),
        ({"metadata": {"name": "two"}}, 400, "does not match the name on the URL (one)"),
        ({"metadata": {"name": "one", "resourceVersion": "1"}}, 409, "the object has been modified"),
        ({"metadata": {"name": "one", "uid": "other"}}, 422, "metadata.uid"),
    ],
)
async def test_what_an_applied_configuration_must_not_say(
    world: World, change: dict[str, Any], status: int, text: str
) -> None:
    await apply(world, MAPS, applied_map(x="1"))
    body = {key: value for key, value in (applied_map(x="2") | change).items() if value is not None}
    refused = await world.call("PATCH", f"{MAPS}/one", body, type=APPLY, fieldManager="ops")
    assert (refused.status, text in refused.body["message"]) == (status, True)


async def test_nobody_applies_without_a_name(world: World) -> None:
    refused = await world.call("PATCH", f"{MAPS}/one", applied_map(), type=APPLY)
    assert refused.status == 422
    assert "fieldManager: Required value" in refused.body["message"]


async def test_a_dry_run_shows_the_merge_and_keeps_nothing(world: World) -> None:
    dry = await apply(world, MAPS, applied_map(x="1"), dryRun="All")
    assert (dry.status, dry.body["data"]) == (201, {"x": "1"})
    assert (await world.call("GET", f"{MAPS}/one")).status == 404


async def test_a_keyed_item_without_its_key_is_refused(world: World) -> None:
    refused = await apply(world, DEPLOYMENTS, applied_deployment({"image": "x:1"}))
    assert refused.status >= 400
    twice = await apply(world, DEPLOYMENTS, applied_deployment({"name": "a", "image": "x"}, {"name": "a"}))
    assert twice.status == 500
    assert 'duplicate entries for key [name="a"]' in twice.body["message"]


async def test_managed_fields_can_be_rewritten_and_forgotten(world: World) -> None:
    made = await world.call("POST", MAPS, applied_map(x="1"), fieldManager="old")
    entries = made.body["metadata"]["managedFields"]
    moved = [entries[0] | {"manager": "new", "operation": "Apply"}]
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": moved}]
    changed = await world.call("PATCH", f"{MAPS}/one", patch, type=JSON_PATCH)
    assert list(owners(changed)) == ["new/Apply"]
    bare = await world.call("PATCH", f"{MAPS}/one", {"metadata": {"managedFields": [{}]}}, type=MERGE)
    assert "managedFields" not in bare.body["metadata"]
    adopted = await apply(world, MAPS, applied_map(x="1", y="2"))
    assert set(owners(adopted)) == {"ops/Apply", "before-first-apply/Update"}


async def test_old_updaters_become_one_entry(world: World) -> None:
    await world.call("POST", MAPS, applied_map(x="0"), fieldManager="first")
    for number in range(12):
        await world.clock.advance(1)
        patch = {"data": {f"k{number}": "1"}}
        last = await world.call("PATCH", f"{MAPS}/one", patch, type=MERGE, fieldManager=f"m{number}")
    names = [one["manager"] for one in last.body["metadata"]["managedFields"]]
    assert len(names) == 10
    assert names[0] == "ancient-changes"
    assert names[-1] == "m11"
    assert {"f:x", "f:k0", "f:k1"} <= set(owners(last)["ancient-changes/Update"]["f:data"])


async def test_lists_watches_and_deletions_show_owners_but_code_inside_never_sees_them(world: World) -> None:
    watching = await world.watch(MAPS)
    await apply(world, MAPS, applied_map(x="1"))
    listed = await world.call("GET", MAPS)
    assert listed.body["items"][0]["metadata"]["managedFields"][0]["manager"] == "ops"
    partial = await world.call(
        "GET", f"{MAPS}/one", accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    )
    assert partial.body["metadata"]["managedFields"][0]["manager"] == "ops"
    inside = world.api.get(CONFIGMAPS, "one", "default")
    assert inside is not None
    assert "managedFields" not in inside["metadata"]
    world.api.delete(CONFIGMAPS, "one", "default")
    await quiet()
    assert all(one["object"]["metadata"]["managedFields"] for one in watching.events)
    assert [one["type"] for one in watching.events] == ["ADDED", "DELETED"]


async def test_owners_survive_a_restart(world: World) -> None:
    await apply(world, MAPS, applied_map(x="1"))
    kept = [("configmaps", one.body) for one in world.store.select("configmaps")]
    later = Store()
    later.load(kept, world.store.revision)
    entity = later.get("configmaps", ("default", "one"))
    assert entity is not None
    assert "managedFields" not in entity.obj["metadata"]
    assert json.loads(entity.managers)[0]["manager"] == "ops"
    assert entity.body == kept[0][1]
