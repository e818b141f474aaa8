"""The kube boundary against the sandbox's API server, in memory: the one fake, spoken to as a real server is."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from kube_fakes import ManualClock, settle
from sandbox_world import Config, World, config

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import (
    AlreadyExists,
    AuthError,
    Conflict,
    Expired,
    Invalid,
    KubeError,
    NotFound,
    PortRefused,
    Unexpected,
)
from lazarus_tui.kube.retry import ONCE
from lazarus_tui.kube.watch import Batch, follow, stream_events
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.objects import Namespace, Pod, Workload
from lazarus_tui.model.resources import BACKUPS, CONFIGMAPS, DEPLOYMENTS, NAMESPACES, PODS, SECRETS


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    yield found
    await found.close()


async def test_an_object_from_birth_to_death(world: World) -> None:
    cluster = world.cluster
    made = await cluster.create(CONFIGMAPS, config("a", x="1"), "shop")
    uid = made["metadata"]["uid"]
    patched = await cluster.merge_patch(CONFIGMAPS, "a", {"data": {"x": None, "y": "2"}}, "shop", uid=uid)
    assert patched["data"] == {"y": "2"}
    steps = [{"op": "add", "path": "/data/z", "value": "3"}]
    await cluster.json_patch(CONFIGMAPS, "a", steps, "shop", uid=uid, rv=patched["metadata"]["resourceVersion"])
    found = await cluster.get(CONFIGMAPS, "a", "shop", type=Config)
    assert found is not None
    assert (found.data, found.metadata.uid) == ({"y": "2", "z": "3"}, uid)
    await cluster.delete(CONFIGMAPS, "a", "shop", uid=uid)
    assert await cluster.get(CONFIGMAPS, "a", "shop", type=Config) is None
    with pytest.raises(NotFound):
        await cluster.delete(CONFIGMAPS, "a", "shop", uid=uid)


async def test_every_precondition_holds(world: World) -> None:
    cluster = world.cluster
    made = await cluster.create(CONFIGMAPS, config("a", x="1"), "shop")
    uid, rv = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
    await cluster.merge_patch(CONFIGMAPS, "a", {"data": {"x": "2"}}, "shop")
    with pytest.raises(AlreadyExists):
        await cluster.create(CONFIGMAPS, config("a"), "shop")
    for wrong in ({"uid": "another"}, {"rv": rv}):
        with pytest.raises(Conflict):
            await cluster.merge_patch(CONFIGMAPS, "a", {"data": {"x": "3"}}, "shop", **wrong)
        with pytest.raises(Conflict):
            await cluster.json_patch(CONFIGMAPS, "a", [{"op": "remove", "path": "/data"}], "shop", **wrong)
        with pytest.raises(Conflict):
            await cluster.delete(CONFIGMAPS, "a", "shop", **wrong)
    found = await cluster.get(CONFIGMAPS, "a", "shop", type=Config)
    assert found is not None
    assert (found.data, found.metadata.uid) == ({"x": "2"}, uid)


async def test_what_the_schema_forbids_is_invalid(world: World) -> None:
    with pytest.raises(Invalid):
        await world.cluster.create(CONFIGMAPS, config("Not A Name"), "shop")
    with pytest.raises(NotFound):
        await world.cluster.create(CONFIGMAPS, config("a"), "nowhere")


async def test_lists_by_pages_and_labels(world: World) -> None:
    for number in range(23):
        labels = {"even": str(number % 2 == 0).lower()}
        world.api.create(CONFIGMAPS, {"metadata": {"name": f"c{number:02}", "labels": labels}}, "shop")
    pages = [len(page.items) async for page in world.cluster.pages(CONFIGMAPS, "shop", type=Config, limit=10)]
    assert pages == [10, 10, 3]
    even = await world.cluster.list(CONFIGMAPS, "shop", type=Config, label_selector="even=true")
    assert [item.metadata.name for item in even] == [f"c{number:02}" for number in range(0, 23, 2)]
    one = await world.cluster.list(CONFIGMAPS, "shop", type=Config, field_selector="metadata.name=c07")
    assert [item.metadata.name for item in one] == ["c07"]


async def test_identity_version_and_discovery(world: World) -> None:
    kube_system = world.api.get(NAMESPACES, "kube-system")
    assert kube_system is not None
    assert await world.cluster.cluster_uid() == kube_system["metadata"]["uid"]
    assert (await world.cluster.version()).git_version.startswith("v1.")
    assert await world.cluster.has(PODS) is True
    assert await world.cluster.has(BACKUPS) is False
    assert await world.cluster.get(BACKUPS, "x", "velero", type=Namespace) is None
    with pytest.raises(NotFound):
        await world.cluster.list(BACKUPS, type=Namespace)


async def test_access_reviews(world: World) -> None:
    assert await world.cluster.can_i("create", SECRETS, "shop") is True


async def test_of_a_secret_only_the_metadata_is_ever_fetched(world: World) -> None:
    answers: list[bytes] = []
    send = world.cluster.transport.send

    async def listen(request: HttpRequest) -> HttpResponse:
        found = await send(request)
        answers.append(found.body)
        return found

    world.cluster.transport.send = listen  # type: ignore[method-assign]
    world.api.create(SECRETS, {"metadata": {"name": "db"}, "stringData": {"password": "CANARY"}}, "shop")
    found = await world.cluster.get(SECRETS, "db", "shop", type=dict[str, Any])
    assert found is not None
    assert (found["metadata"]["name"], "data" in found) == ("db", False)
    (listed,) = await world.cluster.list(SECRETS, "shop", type=Namespace)
    assert listed.metadata.name == "db"
    canary = b64encode(b"CANARY")
    assert len(answers) == 2
    assert not any(canary in body or b"CANARY" in body for body in answers)
    async with aclosing(stream_events(world.cluster, SECRETS, "shop", Namespace, "0")) as stream:
        world.api.create(SECRETS, {"metadata": {"name": "new"}, "stringData": {"password": "CANARY"}}, "shop")
        async for event in stream:
            assert event.object is not None
            break
    watched = world.requests[-1]
    assert "PartialObjectMetadata" in watched.headers["accept"]


async def test_one_value_of_a_secret_is_read_only_when_it_is_asked_for_by_key(world: World) -> None:
    secret = {"metadata": {"name": "db"}, "stringData": {"password": "s3cret"}, "data": {"raw": "//8="}}
    world.api.create(SECRETS, secret, "shop")
    assert await world.cluster.credential("shop", "db", "password") == "s3cret"
    for name, key in (("db", "missing"), ("none", "password"), ("db", "raw")):
        assert await world.cluster.credential("shop", name, key) is None
    whole = await world.cluster.secret("shop", "db")
    assert whole is not None
    assert whole["data"] == {"password": "czNjcmV0", "raw": "//8="}
    assert await world.cluster.secret("shop", "none") is None
    world.faults = [HttpResponse(200, {}, b'{"kind":"Secret","data":{"password":["CANARY"]}}')]
    with pytest.raises(Unexpected) as caught:
        await world.cluster.credential("shop", "db", "password")
    assert "CANARY" not in f"{caught.value!r}{caught.value}"


async def test_a_server_that_sends_a_whole_secret_all_the_same_is_not_read(world: World) -> None:
    world.faults = [HttpResponse(200, {}, b'{"kind":"Secret","data":{"a":"CANARY"}}')]
    with pytest.raises(Unexpected) as caught:
        await world.cluster.get(SECRETS, "db", "shop", type=dict[str, Any])
    assert "CANARY" not in f"{caught.value!r}{caught.value}"


async def test_a_wrong_token_is_an_auth_error(world: World) -> None:
    with pytest.raises(AuthError):
        await world.cluster.send(HttpRequest("GET", "/api/v1/pods", headers={"authorization": "Bearer wrong"}))


class Reading:
    """A follower read by a task."""

    def __init__(self, world: World) -> None:
        self.batches: list[Batch[Config]] = []
        self.task = asyncio.create_task(self._read(world.cluster))

    async def _read(self, cluster: Cluster) -> None:
        async with aclosing(follow(cluster, CONFIGMAPS, "shop", type=Config)) as batches:
            async for batch in batches:
                self.batches.append(batch)

    def state(self) -> dict[str, dict[str, str] | None]:
        found: dict[str, dict[str, str] | None] = {}
        for batch in self.batches:
            found |= {item.metadata.name: item.data for item in batch.items}
            for name in batch.removed:
                found.pop(name.partition("/")[2], None)
        return found

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_a_follower_sees_what_happens_even_through_faults(world: World) -> None:
    world.api.create(CONFIGMAPS, config("a", x="1"), "shop")
    world.api.create(CONFIGMAPS, config("b"), "shop")
    reading = Reading(world)
    await settle()
    assert sorted(reading.state()) == ["a", "b"]
    world.api.patch(CONFIGMAPS, "a", {"data": {"x": "2"}}, "shop")
    world.api.delete(CONFIGMAPS, "b", "shop")
    world.api.create(CONFIGMAPS, config("c"), "shop")
    await settle()
    assert (sorted(reading.state()), reading.state()["a"]) == (["a", "c"], {"x": "2"})
    # The watch ends by its own timeout, the API is away for a while, and things happen meanwhile.
    world.faults = [ConnectionRefusedError("refused")] * 3
    await world.clock.advance(245)
    world.api.delete(CONFIGMAPS, "c", "shop")
    world.api.create(CONFIGMAPS, config("d", y="1"), "shop")
    await world.clock.advance(60)
    assert sorted(reading.state()) == ["a", "d"]
    assert [batch.kind for batch in reading.batches].count("snapshot") == 1
    assert [batch.kind for batch in reading.batches].count("stale") == 3
    await reading.end()


async def test_an_idle_follower_is_kept_alive_by_bookmarks(world: World) -> None:
    reading = Reading(world)
    await world.clock.advance(200)
    assert [batch.kind for batch in reading.batches if batch.kind == "stale"] == []
    watches = [request for request in world.requests if dict(request.query).get("watch")]
    assert len(watches) == 1
    await reading.end()


async def test_a_watch_from_a_forgotten_version_is_expired(world: World) -> None:
    world.api.create(CONFIGMAPS, config("a"), "shop")

    async def read(version: str) -> None:
        async for _ in stream_events(world.cluster, CONFIGMAPS, "shop", Config, version):
            pass

    world.api.store.compact()  # what etcd does every five minutes
    with pytest.raises(Expired):
        await read("1")


async def test_logs_exec_and_their_refusals(world: World) -> None:
    world.running_pod("web-0")
    assert [chunk async for chunk in world.cluster.logs("shop", "web-0", "app", tail=2)] == [b"two\n", b"three\n"]
    found = await world.cluster.exec("shop", "web-0", "app", ["cat", "a", "b"], stdin=b"x" * 100_000)
    assert (found.exit_code, found.stdout, found.stderr) == (2, b"x" * 100_000, b"done")
    assert (await world.cluster.exec("shop", "web-0", "app", ["true"])).exit_code == 0
    with pytest.raises(KubeError, match="bash is not in the catalogue"):
        await world.cluster.exec("shop", "web-0", "app", ["bash"])
    with pytest.raises(NotFound):
        await world.cluster.exec("shop", "missing", "app", ["true"])
    with pytest.raises(NotFound):
        _ = [chunk async for chunk in world.cluster.logs("shop", "missing")]


async def test_port_forward_into_a_pod(world: World) -> None:
    world.running_pod("web-0")
    await world.runtime.listen()
    async with world.cluster.forward("shop", "web-0", 7) as (reader, writer):
        payload = bytes(range(256)) * 1000
        writer.write(payload)
        await writer.drain()
        assert await asyncio.wait_for(reader.readexactly(len(payload)), 60) == payload
    async with world.cluster.forward("shop", "web-0", 9) as (reader, _):
        with pytest.raises(PortRefused, match="connection refused"):
            await asyncio.wait_for(reader.read(), 60)
    with pytest.raises(NotFound):
        async with world.cluster.forward("shop", "missing", 7):
            pass


async def test_a_lost_answer_is_ambiguous_and_the_truth_can_be_read(world: World) -> None:
    transport = LosesAnswers(world.cluster.transport)
    cluster = Cluster(transport, "sandbox", ManualClock(), policy=ONCE)
    with pytest.raises(KubeError) as caught:
        await cluster.create(CONFIGMAPS, config("a"), "shop")
    assert caught.value.outcome.value == "ambiguous"
    transport.lose = False
    assert await cluster.get(CONFIGMAPS, "a", "shop", type=Config) is not None


class LosesAnswers:
    """Lets the request through and then breaks, as a balancer that dies in between."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.lose = inner, True

    async def send(self, request: HttpRequest) -> HttpResponse:
        found: HttpResponse = await self.inner.send(request)
        if self.lose:
            raise ConnectionResetError("reset by peer")
        return found

    def stream(self, request: HttpRequest) -> Any:
        return self.inner.stream(request)

    def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> Any:
        return self.inner.websocket(request, subprotocols)

    async def close(self) -> None:
        await self.inner.close()


async def test_records_of_the_model_decode_from_what_the_sandbox_says(world: World) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "i"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    await world.cluster.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec}, "shop")
    world.running_pod("web-0")
    (workload,) = await world.cluster.list(DEPLOYMENTS, type=Workload)
    assert (workload.metadata.name, workload.desired) == ("web", 2)
    pod = await world.cluster.get(PODS, "web-0", "shop", type=Pod)
    assert pod is not None
    assert pod.status.phase == "Running"
