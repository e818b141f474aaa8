"""Discovery, health, identity: what a client asks before anything else."""

from __future__ import annotations

import pytest

from lazarus_tui.model import resources
from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.api.discovery import AGGREGATED_TYPE
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.routes import Route, parse_route

from .conftest import World, widget_definition

BUILT_IN = [one for one in vars(resources).values() if isinstance(one, Resource) and one.group != "velero.io"]


@pytest.mark.parametrize("resource", BUILT_IN, ids=lambda one: one.group_resource)
async def test_the_kinds_lazarus_speaks_of_are_served(world: World, resource: Resource) -> None:
    place = f"/apis/{resource.api_version}" if resource.group else "/api/v1"
    found = {one["name"]: one for one in (await world.call("GET", place)).body["resources"]}
    entry = found[resource.plural]
    assert (entry["kind"], entry["namespaced"]) == (resource.kind, resource.namespaced)


async def test_both_forms_of_discovery_agree(widgets: World) -> None:
    for root in ("/api", "/apis"):
        reply = await widgets.call("GET", root, accept=f"{AGGREGATED_TYPE},application/json")
        assert reply.headers["content-type"] == AGGREGATED_TYPE
        for group in reply.body["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                place = f"/apis/{name}/{version['version']}" if name else "/api/v1"
                plain = (await widgets.call("GET", place)).body["resources"]
                assert [one["resource"] for one in version["resources"]] == [
                    one["name"] for one in plain if "/" not in one["name"]
                ]
                assert sum(len(one.get("subresources", ())) for one in version["resources"]) == sum(
                    "/" in one["name"] for one in plain
                )


async def test_discovery_is_sent_again_only_when_it_has_changed(world: World) -> None:
    first = await world.call("GET", "/apis", accept=AGGREGATED_TYPE)
    known = {"if-none-match": first.headers["etag"]}
    again = await world.call("GET", "/apis", accept=AGGREGATED_TYPE, headers=known)
    assert (again.status, again.raw, again.headers["etag"]) == (304, b"", first.headers["etag"])
    world.api.create(resources.CRDS, widget_definition())
    changed = await world.call("GET", "/apis", accept=AGGREGATED_TYPE, headers=known)
    assert (changed.status, b"widgets" in changed.raw) == (200, True)


async def test_old_clients_get_the_plain_form(world: World) -> None:
    old = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
    assert (await world.call("GET", "/apis", accept=old)).body["kind"] == "APIGroupList"
    assert (await world.call("GET", "/api")).body["versions"] == ["v1"]


async def test_groups(world: World) -> None:
    assert (await world.call("GET", "/apis/apps")).body["preferredVersion"]["groupVersion"] == "apps/v1"
    for path in ("/apis/nope", "/apis/apps/v9", "/api/v2"):
        assert (await world.call("GET", path)).status == 404


async def test_openapi_says_that_field_validation_is_understood(widgets: World) -> None:
    index = (await widgets.call("GET", "/openapi/v3")).body["paths"]
    assert "apis/example.com/v1" in index
    url = index["apis/example.com/v1"]["serverRelativeURL"].partition("?")[0]
    document = (await widgets.call("GET", url)).body
    patch = document["paths"]["/apis/example.com/v1/namespaces/{namespace}/widgets/{name}"]["patch"]
    assert "fieldValidation" in [one["name"] for one in patch["parameters"]]
    assert "size" in document["components"]["schemas"]["com.example.v1.Widget"]["properties"]["spec"]["properties"]


async def test_health_and_version(world: World) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/readyz/etcd"):
        assert (await world.call("GET", path)).raw == b"ok"
    assert (await world.call("GET", "/version")).body["gitVersion"].startswith("v1.")


async def test_the_token_is_needed_and_compared(worlds: object) -> None:
    world = worlds(token="secret")  # type: ignore[operator]
    assert (await world.call("GET", "/api/v1/namespaces")).status == 200
    for wrong in ("Bearer nope", "Bearer \udcff", "bearer secre", "Bearer a.b.c"):
        for path in ("/api/v1/namespaces", "/readyz"):
            reply = await world.call("GET", path, headers={"authorization": wrong})
            assert (reply.status, reply.reason) == (401, "Unauthorized")
    for nothing in ("Bearer ", "Basic secret", "secret"):
        reply = await world.call("GET", "/api/v1/namespaces", headers={"authorization": nothing})
        assert (reply.status, reply.reason) == (403, "Forbidden")
        assert 'User "system:anonymous" cannot list resource "namespaces"' in reply.body["message"]
        assert (await world.call("GET", "/readyz", headers={"authorization": nothing})).status == 200


async def test_the_token_may_do_everything(world: World) -> None:
    base = "/apis/authorization.k8s.io/v1"
    asked = {"spec": {"resourceAttributes": {"verb": "delete", "resource": "backups", "group": "velero.io"}}}
    answer = await world.call("POST", f"{base}/selfsubjectaccessreviews", asked)
    assert (answer.status, answer.body["status"]["allowed"], answer.body["spec"]) == (201, True, asked["spec"])
    rules = await world.call("POST", f"{base}/selfsubjectrulesreviews", {"spec": {"namespace": "shop"}})
    assert rules.body["status"]["resourceRules"][0]["verbs"] == ["*"]
    who = await world.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert who.body["status"]["userInfo"]["username"] == "lazarus-admin"
    assert (await world.call("GET", f"{base}/selfsubjectaccessreviews")).status == 405


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/v1/namespaces", Route("", "v1", "namespaces")),
        ("/api/v1/namespaces/shop", Route("", "v1", "namespaces", None, "shop")),
        ("/api/v1/namespaces/shop/finalize", Route("", "v1", "namespaces", None, "shop", "finalize")),
        ("/api/v1/namespaces/shop/pods", Route("", "v1", "pods", "shop")),
        ("/api/v1/namespaces/shop/pods/a/log", Route("", "v1", "pods", "shop", "a", "log")),
        ("/apis/apps/v1/deployments", Route("apps", "v1", "deployments")),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa",
            Route("rbac.authorization.k8s.io", "v1", "clusterroles", None, "system:a"),
        ),
        (
            "/api/v1/namespaces/shop/services/web:80/proxy/a/b%2Fc",
            Route("", "v1", "services", "shop", "web:80", "proxy", "/a/b%2Fc"),
        ),
        ("/api/v1/watch/pods", Route("", "v1", "pods", watching=True)),
    ],
)
def test_paths(path: str, route: Route) -> None:
    assert parse_route(path) == route


@pytest.mark.parametrize(
    "path", ["/", "/api", "/apis/apps/v1", "/api/v1//pods", "/api/v1/pods/a/log/more", "/x/v1/pods"]
)
def test_paths_that_name_nothing(path: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_route(path)
    assert caught.value.status == 404


async def test_a_changed_definition_changes_discovery(world: World) -> None:
    world.api.create(resources.CRDS, widget_definition())
    body = widget_definition()
    body["spec"]["names"]["shortNames"] = ["wx"]
    world.api.update(resources.CRDS, body)
    found = (await world.call("GET", "/apis/example.com/v1")).body["resources"][0]
    assert found["shortNames"] == ["wx"]


async def test_the_old_openapi_document_is_empty_in_both_encodings(world: World) -> None:
    told = await world.call("GET", "/openapi/v2")
    assert (told.status, told.body["swagger"], told.body["definitions"]) == (200, "2.0", {})
    wanted = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    packed = await world.call("GET", "/openapi/v2", accept=wanted)
    version = told.body["info"]["version"].encode()
    info = b"\x0a\x0aKubernetes\x12" + bytes([len(version)]) + version
    assert packed.raw == b"\x0a\x032.0\x12" + bytes([len(info)]) + info
