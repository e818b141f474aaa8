"""What is granted and warned of all the same, and whether the server is well."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import CRDS

from .conftest import MERGE, WIDGETS, World, config_map, widget_definition

CM = "/api/v1/namespaces/default/configmaps"
TWICE = b'{"metadata": {"name": "a"}, "data": {"x": "1", "y": "2", "x": "3"}}'
STRICT = {"fieldValidation": "Strict"}


async def test_unknown_and_repeated_fields_are_warned_of_unless_nobody_wants_to_know(world: World) -> None:
    body = TWICE.replace(b'"data"', b'"extra": 1, "data"')
    told = await world.call("POST", CM, body)
    assert told.status == 201
    assert told.headers["warning"] == ('299 - "duplicate field \\"data.x\\"", 299 - "unknown field \\"extra\\""')
    assert told.body["data"] == {"x": "3", "y": "2"}
    silent = await world.call("PUT", f"{CM}/a", body, fieldValidation="Ignore")
    assert (silent.status, "warning" in silent.headers) == (200, False)


@pytest.mark.parametrize(
    ("method", "body", "type"),
    [
        ("POST", TWICE.replace(b'"a"', b'"b"'), "application/json"),
        ("PUT", TWICE, "application/json"),
        ("PATCH", b'{"data": {"x": "1", "x": "2"}}', MERGE),
        ("PATCH", b'{"data": {"x": "1", "x": "2"}}', "application/strategic-merge-patch+json"),
    ],
)
async def test_repeated_fields_are_refused_when_asked_to(world: World, method: str, body: bytes, type: str) -> None:
    await world.call("POST", CM, config_map("a"))
    path = CM if method == "POST" else f"{CM}/a"
    refused = await world.call(method, path, body, type=type, **STRICT)
    assert (refused.status, refused.reason) == (400, "BadRequest")
    assert 'strict decoding error: duplicate field "data.x"' in refused.body["message"]
    assert (await world.call(method, path, body, type=type)).status in (200, 201)


@pytest.mark.parametrize(
    "body",
    [
        b'{"metadata":{"name":"a"},"data":{"x":"\\u00fc\\/"}}\n',
        b'\n { "metadata" : { "name" : "a" }, "data" : { "x" : "1" } }',
        b'{"metadata":{"name":"a","generation":1e2},"data":{}}',
    ],
)
async def test_other_ways_to_write_the_same_are_not_repeated_fields(world: World, body: bytes) -> None:
    assert (await world.call("POST", CM, body, **STRICT)).headers.get("warning", "") == ""


@pytest.mark.parametrize("body", [b"{metadata: {name: y}, data: {x: a}}", b"metadata:\n  name: y\n"])
async def test_bodies_that_are_no_json_are_read_as_before(world: World, body: bytes) -> None:
    made = await world.call("POST", CM, body, type="application/yaml", **STRICT)
    assert (made.status, made.body["metadata"]["name"]) == (201, "y")


async def test_repeated_fields_inside_lists(world: World) -> None:
    body = b'{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","image":"j"}]}}'
    told = await world.call("POST", "/api/v1/namespaces/default/pods", body)
    assert told.headers["warning"] == '299 - "duplicate field \\"spec.containers[0].image\\""'


async def test_old_kinds_are_warned_of_whatever_is_asked(world: World) -> None:
    endpoints = await world.call("GET", "/api/v1/namespaces/default/endpoints")
    assert endpoints.headers["warning"] == (
        '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
    )
    assert "warning" not in (await world.call("GET", CM)).headers


@pytest.mark.parametrize(
    ("more", "text"),
    [({}, "example.com/v1 Widget is deprecated"), ({"deprecationWarning": "use gadgets"}, "use gadgets")],
)
async def test_old_versions_of_custom_kinds_are_warned_of(world: World, more: dict[str, Any], text: str) -> None:
    world.api.create(CRDS, widget_definition(deprecated=True, **more))
    assert (await world.call("GET", WIDGETS)).headers["warning"] == f'299 - "{text}"'


async def test_answers_are_not_to_be_kept(world: World) -> None:
    for path in (CM, f"{CM}/none", "/api", "/version", "/readyz"):
        assert (await world.call("GET", path)).headers["cache-control"] == "no-cache, private"


async def test_health_check_by_check(world: World) -> None:
    whole = await world.call("GET", "/readyz", verbose="")
    assert whole.raw == b"[+]ping ok\n[+]log ok\n[+]etcd ok\nreadyz check passed\n"
    assert (await world.call("GET", "/livez", verbose="true", exclude="etcd")).raw.splitlines()[-2:] == [
        b"[+]log ok",
        b"livez check passed",
    ]
    assert (await world.call("GET", "/healthz/ping")).raw == b"ok"
    assert (await world.call("GET", "/livez/nothing")).status == 404
    world.store.refusal = lambda: "the disk is full"  # type: ignore[method-assign]
    ill = await world.call("GET", "/readyz")
    assert (ill.status, b"[-]etcd failed: the disk is full" in ill.raw) == (500, True)
    assert (await world.call("GET", "/readyz/ping")).raw == b"ok"
    assert (await world.call("GET", "/readyz/etcd")).status == 500
