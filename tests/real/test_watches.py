"""Watches: what happens is seen once, through the end of a stream, a forgotten version and a server that dies."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import pytest
from control_plane import ControlPlane
from real_world import PATIENCE, Config, Reading, World, eventually

from lazarus_tui.kube import watch
from lazarus_tui.kube.errors import Expired
from lazarus_tui.kube.watch import Batch, Follower, stream_events
from lazarus_tui.model.resources import CONFIGMAPS, EVENTS


async def test_a_follower_sees_what_happens(world: World) -> None:
    await world.config("a", x="1")
    await world.config("b")
    reading = Reading(world)
    await reading.until(lambda: reading.state() == {"a": {"x": "1"}, "b": {}})
    await world.put("a", x="2")
    await world.cluster.delete(CONFIGMAPS, "b", world.ns)
    await world.config("c", y="1")
    await reading.until(lambda: reading.state() == {"a": {"x": "2"}, "c": {"y": "1"}})
    assert (reading.kinds.count("snapshot"), reading.kinds.count("stale")) == (1, 0)
    await reading.end()


async def test_events_come_in_order_and_a_deletion_has_a_version_of_its_own(world: World) -> None:
    made = await world.config("a", x="1")
    await world.put("a", x="2")
    await world.cluster.delete(CONFIGMAPS, "a", world.ns)
    seen = []
    start = made["metadata"]["resourceVersion"]
    async with aclosing(stream_events(world.cluster, CONFIGMAPS, world.ns, Config, start)) as events:
        async for event in events:
            if event.object is not None and event.object.metadata.name == "a":
                seen.append((event.type, event.object.data, int(event.version)))
            if event.type == "DELETED":
                break
    assert [item[:2] for item in seen] == [("MODIFIED", {"x": "2"}), ("DELETED", {"x": "2"})]
    versions = [item[2] for item in seen]
    assert int(start) < versions[0] < versions[1]


async def cached(world: World, version: str) -> bool:
    """Whether the cache that feeds watches has heard of a version of one of the namespace's config maps."""
    answer = await world.cluster.request("GET", CONFIGMAPS.path(world.ns), query=(("resourceVersion", "0"),))
    return version in {item["metadata"]["resourceVersion"] for item in json.loads(answer.body)["items"]}


async def test_bookmarks_carry_a_quiet_watch_over_its_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for four seconds instead of four minutes: the server sends a bookmark two seconds before the end."""
    monkeypatch.setattr(watch, "SHORTEST", 4)
    monkeypatch.setattr(watch, "LONGEST", 4)
    made = await world.config("quiet")
    start = made["metadata"]["resourceVersion"]
    # What happens to others moves the versions on; here only a bookmark can say so.
    changed = await world.cluster.merge_patch(CONFIGMAPS, "quiet", {"data": {"x": "1"}}, world.ns)
    await eventually(lambda: cached(world, changed["metadata"]["resourceVersion"]))
    seen: list[tuple[str, int]] = []

    async def told() -> bool:
        """A server that is held up ends a watch without a word; the next one has its own."""
        events = stream_events(world.cluster, CONFIGMAPS, world.ns, Config, start, label_selector="none=such")
        async with aclosing(events):
            seen.extend([(event.type, int(event.version)) async for event in events])
        return bool(seen)

    await eventually(told)
    assert {kind for kind, _ in seen} == {"BOOKMARK"}
    assert all(version > int(start) for _, version in seen)


async def test_a_watch_that_ends_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SHORTEST", 1)
    monkeypatch.setattr(watch, "LONGEST", 1)
    opened: list[int] = []
    stream = world.cluster.transport.stream
    world.cluster.transport.stream = lambda request: (  # type: ignore[method-assign]
        opened.append(int(dict(request.query)["resourceVersion"])) or stream(request)  # type: ignore[func-returns-value]
    )
    reading = Reading(world)
    number = 0
    async with asyncio.timeout(PATIENCE):
        # One in which nothing happened, because the server was held up, is opened again at the same version.
        while len(set(opened)) < 4:
            number += 1
            await world.config(f"c{number}")
            await asyncio.sleep(0.1)
    expected = {f"c{n}": {} for n in range(1, number + 1)}
    await reading.until(lambda: reading.state() == expected)
    assert reading.kinds.count("snapshot") == 1
    assert "stale" not in reading.kinds
    assert opened == sorted(opened)
    await reading.end()


async def test_a_version_that_etcd_has_forgotten_is_expired(world: World, plane: ControlPlane) -> None:
    """Events are watched in etcd itself: the API server keeps no cache of them."""
    made = await world.config("a")
    await world.put("a", x="1")
    await world.put("a", x="2")
    # A watch begins at the version behind the one it names, and that one has to be gone too.
    assert plane.compact() > int(made["metadata"]["resourceVersion"]) + 1
    with pytest.raises(Expired) as caught:
        async for _ in stream_events(world.cluster, EVENTS, world.ns, Config, made["metadata"]["resourceVersion"]):
            pass
    assert (caught.value.status, caught.value.reason) == (410, "Expired")


def event(world: World, name: str) -> dict[str, object]:
    involved = {"kind": "ConfigMap", "namespace": world.ns, "name": "a"}
    return {"metadata": {"name": name}, "involvedObject": involved, "reason": name}


async def test_after_an_expired_version_the_list_says_what_the_stream_could_not(
    world: World, plane: ControlPlane
) -> None:
    for name in ("stays", "goes"):
        await world.cluster.create(EVENTS, event(world, name), world.ns)
    follower = Follower(world.cluster, EVENTS, world.ns, Config)

    async def snapshot() -> Batch[Config]:
        async with aclosing(follower.session()) as batches:
            return await anext(batches)

    async def follow_to_the_end() -> None:
        async with aclosing(follower.session()) as batches:
            async for _ in batches:
                pass

    first = await snapshot()
    assert {item.metadata.name for item in first.items} == {"stays", "goes"}
    await world.cluster.delete(EVENTS, "goes", world.ns)
    await world.cluster.create(EVENTS, event(world, "new"), world.ns)
    await world.config("later")  # compaction keeps what is newest, so that must be something else
    await world.put("later", x="1")
    plane.compact()
    with pytest.raises(Expired):
        await follow_to_the_end()
    again = await snapshot()
    assert {item.metadata.name for item in again.items} == {"stays", "new"}
    assert again.removed == [f"{world.ns}/goes"]


async def test_a_follower_outlives_a_server_that_dies(world: World, plane: ControlPlane) -> None:
    await world.config("stays", x="1")
    await world.config("goes")
    reading = Reading(world)
    await reading.until(lambda: set(reading.state()) == {"stays", "goes"})
    plane.end("kube-apiserver")
    await reading.until(lambda: reading.kinds[-1] == "stale")
    assert reading.batches[-1].error is not None
    await world.restart_apiserver()
    await world.cluster.delete(CONFIGMAPS, "goes", world.ns)
    await world.put("stays", x="2")
    await world.config("new")
    plane.compact()
    await reading.until(lambda: reading.state() == {"stays": {"x": "2"}, "new": {}} and reading.kinds[-1] != "stale")
    await reading.end()
