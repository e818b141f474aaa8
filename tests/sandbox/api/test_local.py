"""The in-process API and the in-memory transport: what controllers and crash tests stand on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.resources import BACKUPS, CONFIGMAPS, NAMESPACES, PODS, Resource
from lazarus_tui.sandbox.api.errors import ApiError

from .conftest import World, config_map, pod, quiet

CM = "/api/v1/namespaces/default/configmaps"


def test_reading(world: World) -> None:
    api = world.api
    for name, label in (("b", "x"), ("a", "x"), ("c", "y")):
        api.create(CONFIGMAPS, config_map(name, labels={"l": label}), "default")
    assert api.get(CONFIGMAPS, "none", "default") is None
    assert api.get(BACKUPS, "b", "default") is None
    assert [one["metadata"]["name"] for one in api.list(CONFIGMAPS)] == ["a", "b", "c"]
    assert [one["metadata"]["name"] for one in api.list(CONFIGMAPS, labels={"l": "x"})] == ["a", "b"]
    assert [one["metadata"]["name"] for one in api.list(CONFIGMAPS, "default", labels="l!=x")] == ["c"]
    assert api.list(CONFIGMAPS, "kube-system") == []
    assert len(api.list(NAMESPACES, "ignored")) == 4


def test_what_is_handed_in_stays_the_callers(world: World) -> None:
    mine = config_map("a", {"x": "1"})
    stored = world.api.create(CONFIGMAPS, mine, "default")
    mine["data"]["x"] = "changed"
    assert "uid" not in mine["metadata"]
    assert world.api.get(CONFIGMAPS, "a", "default") is stored
    assert stored["data"] == {"x": "1"}


def test_writing(world: World) -> None:
    api = world.api
    made = api.create(PODS, pod("a", namespace="default"))
    bound = api.bind("a", "default", "n1")
    assert bound["spec"]["nodeName"] == "n1"
    with pytest.raises(ApiError) as caught:
        api.update(PODS, made)
    assert caught.value.reason == "Conflict"
    status = api.update_status(PODS, {**bound, "status": {"phase": "Running"}})
    assert status["status"] == {"phase": "Running"}
    assert api.patch(PODS, "a", {"metadata": {"labels": {"x": "y"}}}, "default")["metadata"]["labels"] == {"x": "y"}
    patched = api.patch(PODS, "a", {"status": {"podIP": "127.42.0.1"}}, "default", subresource="status")
    assert patched["status"] == {"phase": "Running", "podIP": "127.42.0.1"}
    with pytest.raises(ApiError) as caught:
        api.delete(PODS, "a", "default", uid="another")
    assert caught.value.status == 409
    api.delete(PODS, "a", "default", grace=0)
    api.delete(PODS, "a", "default")
    assert api.list(PODS) == []


def test_a_kind_nobody_serves(world: World) -> None:
    with pytest.raises(ApiError) as caught:
        world.api.create(BACKUPS, config_map("a"), "default")
    assert caught.value.status == 404
    assert world.api.list(BACKUPS) == []


def test_namespaces_are_finalized_by_patch(world: World) -> None:
    world.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
    world.api.delete(NAMESPACES, "shop")
    world.api.patch(NAMESPACES, "shop", {"spec": {"finalizers": []}}, subresource="finalize")
    assert world.api.get(NAMESPACES, "shop") is None


def test_subscribers_hear_commits_in_order_even_their_own(world: World) -> None:
    heard: list[tuple[str, str, str, Any]] = []

    def reacting(kind: str, resource: Resource, obj: dict[str, Any], old: dict[str, Any] | None) -> None:
        if kind == "ADDED" and obj["metadata"]["name"] == "first":
            world.api.create(CONFIGMAPS, config_map("second"), "default")

    def listening(kind: str, resource: Resource, obj: dict[str, Any], old: dict[str, Any] | None) -> None:
        heard.append((kind, resource.kind, obj["metadata"]["name"], old and old["metadata"]["resourceVersion"]))

    world.api.subscribe(reacting)
    stop = world.api.subscribe(listening)
    first = world.api.create(CONFIGMAPS, config_map("first"), "default")
    world.api.delete(CONFIGMAPS, "first", "default")
    stop()
    world.api.delete(CONFIGMAPS, "second", "default")
    version = first["metadata"]["resourceVersion"]
    assert heard == [
        ("ADDED", "ConfigMap", "first", None),
        ("ADDED", "ConfigMap", "second", None),
        ("DELETED", "ConfigMap", "first", version),
    ]


def test_a_failing_subscriber_harms_nobody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def failing(*_: object) -> None:
        raise RuntimeError("broken")

    world.api.subscribe(failing)
    world.api.subscribe(lambda kind, *_: heard.append(kind))
    world.api.create(CONFIGMAPS, config_map("a"), "default")
    assert heard == ["ADDED"]
    assert "a listener failed" in caplog.text


async def test_a_hang_is_a_timeout_on_the_clock(world: World) -> None:
    async def hang(request: HttpRequest) -> HttpResponse | None:
        await asyncio.Event().wait()
        return None

    world.server.interceptor = hang
    task = asyncio.ensure_future(world.call("GET", CM, timeout=15.0))
    await world.clock.advance(14)
    assert not task.done()
    await world.clock.advance(2)
    with pytest.raises(TimeoutError):
        await task


async def test_silence_on_a_stream_is_a_timeout(world: World) -> None:
    async def read() -> None:
        async with world.transport.stream(HttpRequest("GET", CM, (("watch", "1"),), timeout=90)) as stream:
            async for _ in stream.chunks():
                pass

    task = asyncio.ensure_future(read())
    await quiet()
    await world.clock.advance(91)
    with pytest.raises(TimeoutError):
        await task


async def test_faults(world: World) -> None:
    faults: list[Any] = [HttpResponse(429, {"retry-after": "1"}, b"{}"), ConnectionResetError("cut")]

    async def fail(request: HttpRequest) -> HttpResponse | None:
        fault = faults.pop(0) if faults else None
        if isinstance(fault, OSError):
            raise fault
        return fault

    world.server.interceptor = fail
    assert (await world.call("POST", CM, config_map("a"))).status == 429
    with pytest.raises(ConnectionResetError):
        await world.call("POST", CM, config_map("a"))
    assert (await world.call("POST", CM, config_map("a"))).status == 201


async def test_an_error_inside_is_a_500_and_logged(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(world.store, "select_at", broken)
    reply = await world.call("GET", CM)
    assert (reply.status, reply.reason) == (500, "InternalError")
    assert "broken" not in reply.body["message"]
    assert "RuntimeError: broken" in caplog.text


async def test_a_closed_transport_refuses(world: World) -> None:
    await world.transport.close()
    with pytest.raises(ConnectionRefusedError):
        await world.call("GET", CM)
