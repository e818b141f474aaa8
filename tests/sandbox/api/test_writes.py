"""Creates and updates: one row per promise of the API, each through the wire format."""

from __future__ import annotations

import pytest

from .conftest import MERGE, World, config_map, pod, workload

CM = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
LONG = "a" * 254


async def test_create_stamps_identity(world: World) -> None:
    reply = await world.call("POST", CM, config_map("a", uid="mine", creationTimestamp="1999-01-01T00:00:00Z"))
    meta = reply.body["metadata"]
    assert reply.status == 201
    assert meta["uid"] != "mine"
    assert meta["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert int(meta["resourceVersion"]) == world.store.revision
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("ConfigMap", "v1")
    assert (await world.call("GET", f"{CM}/a")).body == reply.body


async def test_duplicate_names_the_object(world: World) -> None:
    await world.call("POST", CM, config_map("a"))
    reply = await world.call("POST", CM, config_map("a"))
    assert (reply.status, reply.reason) == (409, "AlreadyExists")
    assert reply.body["details"] == {"name": "a", "kind": "configmaps"}


async def test_generated_names_differ_and_keep_their_base(world: World) -> None:
    names = {
        (await world.call("POST", CM, {"metadata": {"generateName": "job-"}})).body["metadata"]["name"] for _ in "abc"
    }
    assert len(names) == 3
    assert all(name.startswith("job-") and len(name) == 9 for name in names)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}}, 400, "BadRequest"),
        ({"kind": "ConfigMap", "apiVersion": "v2", "metadata": {"name": "a"}}, 400, "BadRequest"),
        ({"metadata": {"name": "a", "namespace": "other"}}, 400, "BadRequest"),
        ({"metadata": {}}, 422, "Invalid"),
        ({"metadata": {"name": LONG}}, 422, "Invalid"),
        ({"metadata": {"name": "Upper"}}, 422, "Invalid"),
        ({"metadata": {"name": "a", "labels": {"bad key!": "x"}}}, 422, "Invalid"),
        ({"metadata": {"name": "a", "labels": {"a": "-x"}}}, 422, "Invalid"),
        ({"metadata": {"name": "a"}, "data": {"x": 1}}, 400, "BadRequest"),
        ({"metadata": {"name": "a", "resourceVersion": "5"}}, 500, ""),
        (b"{nope", 400, "BadRequest"),
        (b"[]", 400, "BadRequest"),
        (b'{"metadata":{"name":"a"},"data":' + b"[" * 5000 + b"]" * 5000 + b"}", 400, "BadRequest"),
    ],
)
async def test_refused_creates_leave_nothing(world: World, body: object, status: int, reason: str) -> None:
    before = world.store.revision
    reply = await world.call("POST", CM, body)
    assert (reply.status, reply.reason) == (status, reason)
    assert world.store.revision == before


async def test_namespace_must_exist_and_live(world: World) -> None:
    missing = await world.call("POST", "/api/v1/namespaces/none/configmaps", config_map("a"))
    assert (missing.status, missing.body["message"]) == (404, 'namespaces "none" not found')
    await world.call("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    await world.call("DELETE", "/api/v1/namespaces/shop")
    ending = await world.call("POST", "/api/v1/namespaces/shop/configmaps", config_map("a"))
    assert (ending.status, ending.reason) == (403, "Forbidden")
    assert ending.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"


async def test_media_types(world: World) -> None:
    yaml = await world.call("POST", CM, b"metadata:\n  name: y\ndata: {a: 'yes'}\n", type="application/yaml")
    assert (yaml.status, yaml.body["data"]) == (201, {"a": "yes"})
    for media in ("application/vnd.kubernetes.protobuf", "text/plain"):
        assert (await world.call("POST", CM, b"k8s\x00", type=media)).status == 415
    huge = await world.call("POST", CM, config_map("big", {"a": "x" * (3 * 1024 * 1024)}))
    assert huge.status == 413


async def test_put_replaces_and_checks_the_version(world: World) -> None:
    first = (await world.call("POST", CM, config_map("a", {"x": "1"}, labels={"l": "1"}))).body
    second = await world.call("PUT", f"{CM}/a", first | {"data": {"y": "2"}})
    assert second.body["data"] == {"y": "2"}
    assert second.body["metadata"]["uid"] == first["metadata"]["uid"]
    stale = await world.call("PUT", f"{CM}/a", first | {"data": {"z": "3"}})
    assert (stale.status, stale.reason) == (409, "Conflict")
    blind = await world.call("PUT", f"{CM}/a", config_map("a", {"w": "4"}))
    assert (blind.status, blind.body["data"]) == (200, {"w": "4"})
    assert "labels" not in blind.body["metadata"]


@pytest.mark.parametrize(
    ("meta", "status", "reason"),
    [
        ({"name": "b"}, 400, "BadRequest"),
        ({"name": "a", "uid": "zzz"}, 409, "Conflict"),
        ({"name": "a", "namespace": "zz"}, 400, "BadRequest"),
    ],
)
async def test_put_identity_cannot_change(world: World, meta: dict[str, str], status: int, reason: str) -> None:
    await world.call("POST", CM, config_map("a"))
    reply = await world.call("PUT", f"{CM}/a", {"metadata": meta})
    assert (reply.status, reply.reason) == (status, reason)


async def test_no_op_keeps_its_version_and_wakes_nobody(world: World) -> None:
    first = (await world.call("POST", CM, config_map("a", {"x": "1"}))).body
    watching = await world.watch(CM, resourceVersion=first["metadata"]["resourceVersion"])
    again = await world.call("PUT", f"{CM}/a", first)
    patched = await world.call("PATCH", f"{CM}/a", {"data": {"x": "1"}}, type=MERGE)
    assert again.raw == patched.raw
    assert again.body["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert watching.events == []


async def test_one_and_true_are_different_values(widgets: World) -> None:
    path = "/apis/example.com/v1/namespaces/default/widgets"
    made = {"metadata": {"name": "a"}, "spec": {"size": 1, "free": {"n": 1}}}
    await widgets.call("POST", path, made)
    reply = await widgets.call("PATCH", f"{path}/a", {"spec": {"free": {"n": True}}}, type=MERGE)
    assert reply.body["spec"]["free"]["n"] is True


async def test_generation_counts_the_spec_only(world: World) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments"
    first = (await world.call("POST", path, workload("Deployment", "web"))).body
    assert first["metadata"]["generation"] == 1
    labelled = await world.call("PATCH", f"{path}/web", {"metadata": {"labels": {"a": "b"}}}, type=MERGE)
    assert labelled.body["metadata"]["generation"] == 1
    status = await world.call("PATCH", f"{path}/web/status", {"status": {"replicas": 1}}, type=MERGE)
    assert status.body["metadata"]["generation"] == 1
    scaled = await world.call("PATCH", f"{path}/web", {"spec": {"replicas": 3}}, type=MERGE)
    assert scaled.body["metadata"]["generation"] == 2


async def test_status_and_spec_do_not_touch_each_other(world: World) -> None:
    await world.call("POST", PODS, pod("a"))
    main = await world.call("PATCH", f"{PODS}/a", {"status": {"phase": "Running"}}, type=MERGE)
    assert main.body["status"]["phase"] == "Pending"
    patch = {"status": {"phase": "Running"}, "spec": {"nodeName": "n1"}, "metadata": {"labels": {"a": "b"}}}
    sub = await world.call("PATCH", f"{PODS}/a/status", patch, type=MERGE)
    assert sub.body["status"] == {"phase": "Running", "qosClass": "BestEffort"}
    assert "nodeName" not in sub.body["spec"]
    assert "labels" not in sub.body["metadata"]


async def test_dry_run_answers_but_keeps_nothing(world: World) -> None:
    before = world.store.revision
    made = await world.call("POST", CM, config_map("a"), dryRun="All")
    assert (made.status, made.body["metadata"]["name"]) == (201, "a")
    assert (await world.call("GET", f"{CM}/a")).status == 404
    assert world.store.revision == before


@pytest.mark.parametrize(
    ("query", "status"),
    [({"dryRun": "Maybe"}, 422), ({"fieldValidation": "Maybe"}, 422), ({"fieldManager": "x" * 129}, 422)],
)
async def test_bad_write_options(world: World, query: dict[str, str], status: int) -> None:
    assert (await world.call("POST", CM, config_map("a"), **query)).status == status
    assert (await world.call("POST", CM, config_map("a"), fieldValidation="Strict")).status == 201


async def test_scale_reads_and_writes_replicas(world: World) -> None:
    path = "/apis/apps/v1/namespaces/default/statefulsets"
    await world.call("POST", path, workload("StatefulSet", "orders", replicas=2))
    scale = (await world.call("GET", f"{path}/orders/scale")).body
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 2}, "app=orders")
    put = await world.call("PUT", f"{path}/orders/scale", scale | {"spec": {"replicas": 0}})
    assert put.body["spec"] == {}
    assert (await world.call("GET", f"{path}/orders")).body["spec"]["replicas"] == 0
    stale = await world.call("PUT", f"{path}/orders/scale", scale | {"spec": {"replicas": 5}})
    assert stale.status == 409
    negative = await world.call("PATCH", f"{path}/orders/scale", {"spec": {"replicas": -1}}, type=MERGE)
    assert negative.status == 422


async def test_secrets_take_plain_text_once(world: World) -> None:
    path = "/api/v1/namespaces/default/secrets"
    made = await world.call("POST", path, {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    assert made.body["data"] == {"a": "Yg=="}
    assert "stringData" not in made.body
    bad = await world.call("POST", path, {"metadata": {"name": "t"}, "data": {"a": "!!"}})
    assert (bad.status, bad.reason) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{CM}/a", 405),
        ("PUT", CM, 405),
        ("OPTIONS", CM, 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("GET", f"{CM}/a/foo", 404),
        ("GET", f"{CM}/a/status", 404),
        ("GET", "/apis/apps/v1beta1/namespaces/default/deployments", 404),
        ("GET", "/api/v1//namespaces", 404),
        ("GET", "/api/v1/namespaces/", 200),
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/namespaces/none/configmaps", 200),
    ],
)
async def test_routes(world: World, method: str, path: str, status: int) -> None:
    await world.call("POST", CM, config_map("a"))
    reply = await world.call(method, path, {} if method in ("POST", "PUT") else None)
    assert reply.status == status


async def test_an_annotation_may_have_capitals_in_its_prefix(world: World) -> None:
    made = await world.call("POST", CM, config_map("a", annotations={"Example.COM/Key": "\x1b[31m"}))
    assert (made.status, made.body["metadata"]["annotations"]) == (201, {"Example.COM/Key": "\x1b[31m"})
    refused = await world.call("POST", CM, config_map("b", labels={"Example.COM/Key": "x"}))
    assert (refused.status, refused.body["details"]["causes"][0]["field"]) == (422, "metadata.labels")


async def test_binary_data_is_base64(world: World) -> None:
    refused = await world.call("POST", CM, config_map("a") | {"binaryData": {"k": "!!"}})
    assert (refused.status, refused.reason) == (400, "BadRequest")
    assert refused.body["message"].endswith("illegal base64 data at input byte 0")
    assert (await world.call("POST", CM, config_map("a") | {"binaryData": {"k": "AP8="}})).status == 201


async def test_a_single_object_of_the_future_cannot_be_had(world: World) -> None:
    first = (await world.call("POST", CM, config_map("a"))).body["metadata"]["resourceVersion"]
    assert (await world.call("GET", f"{CM}/a", resourceVersion=first)).status == 200
    early = await world.call("GET", f"{CM}/a", resourceVersion=str(int(first) + 1000))
    assert (early.status, early.reason) == (504, "Timeout")
    assert early.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_a_generation_that_a_client_states_is_not_believed(world: World) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments"
    made = (await world.call("POST", path, workload("Deployment", "web"))).body
    made["metadata"] |= {"generation": 99, "labels": {"a": "b"}}
    put = (await world.call("PUT", f"{path}/web", made)).body
    assert (put["metadata"]["generation"], put["metadata"]["labels"]) == (1, {"a": "b"})
