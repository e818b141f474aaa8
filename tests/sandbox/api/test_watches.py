"""Watches: order, resuming, selectors, bookmarks, ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.resources import CRDS

from .conftest import MERGE, TABLE, WIDGETS, World, config_map, quiet

CM = "/api/v1/namespaces/default/configmaps"


async def test_events_follow_in_order_with_rising_revisions(world: World) -> None:
    revision = str(world.store.revision)
    watching = await world.watch(CM, resourceVersion=revision)
    await world.call("POST", CM, config_map("a"))
    await world.call("PATCH", f"{CM}/a", {"data": {"x": "1"}}, type=MERGE)
    await world.call("DELETE", f"{CM}/a")
    await quiet()
    assert watching.seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    revisions = [int(one["object"]["metadata"]["resourceVersion"]) for one in watching.events]
    assert revisions == sorted(set(revisions))
    assert watching.events[-1]["object"]["data"] == {"x": "1"}


async def test_without_a_revision_it_begins_with_what_is_there(world: World) -> None:
    await world.call("POST", CM, config_map("b"))
    await world.call("POST", CM, config_map("a"))
    watching = await world.watch(CM)
    await world.call("POST", CM, config_map("c"))
    await quiet()
    assert watching.seen == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]


async def test_resuming_replays_what_was_missed_and_nothing_else(world: World) -> None:
    await world.call("POST", CM, config_map("a"))
    revision = str(world.store.revision)
    await world.call("POST", "/api/v1/namespaces/kube-system/configmaps", config_map("elsewhere"))
    await world.call("POST", CM, config_map("b"))
    await world.call("DELETE", f"{CM}/a")
    watching = await world.watch(CM, resourceVersion=revision)
    assert watching.seen == [("ADDED", "b"), ("DELETED", "a")]
    everywhere = await world.watch("/api/v1/configmaps", resourceVersion=revision)
    assert everywhere.seen == [("ADDED", "elsewhere"), ("ADDED", "b"), ("DELETED", "a")]


async def test_too_old_is_said_inside_the_stream(worlds: Callable[..., World]) -> None:
    world = worlds(history=3)
    for name in "abcde":
        await world.call("POST", CM, config_map(name))
    watching = await world.watch(CM, resourceVersion="3")
    assert watching.task.done()
    (event,) = watching.events
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert event["object"]["message"].startswith("too old resource version: 3 (")


async def test_a_revision_of_the_future_is_not_waited_for(world: World) -> None:
    watching = await world.watch(CM, resourceVersion="999999")
    assert watching.events[0]["object"]["code"] == 504


async def test_bookmarks_and_the_end(world: World) -> None:
    watching = await world.watch(CM, resourceVersion="2", allowWatchBookmarks="true", timeoutSeconds="130")
    await world.call("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
    await world.clock.advance(59)
    assert watching.events == []
    await world.clock.advance(2)
    bookmark = watching.events[0]
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"] == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": str(world.store.revision)},
    }
    await world.clock.advance(68)
    assert [one["type"] for one in watching.events] == ["BOOKMARK"] * 3
    assert not watching.task.done()
    await world.clock.advance(1.5)
    assert watching.task.done()


async def test_no_bookmark_unless_asked_for(world: World) -> None:
    watching = await world.watch(CM, resourceVersion="2", timeoutSeconds="100")
    await world.clock.advance(101)
    assert watching.task.done()
    assert watching.events == []


async def test_objects_enter_and_leave_through_a_selector(world: World) -> None:
    watching = await world.watch(CM, labelSelector="on=yes")
    await world.call("POST", CM, config_map("a"))
    for value in ("yes", "no", "yes"):
        await world.call("PATCH", f"{CM}/a", {"metadata": {"labels": {"on": value}}}, type=MERGE)
    await world.call("PATCH", f"{CM}/a", {"data": {"x": "1"}}, type=MERGE)
    await world.call("DELETE", f"{CM}/a")
    await quiet()
    assert [kind for kind, _ in watching.seen] == ["ADDED", "DELETED", "ADDED", "MODIFIED", "DELETED"]


async def test_one_object(world: World) -> None:
    watching = await world.watch(CM, fieldSelector="metadata.name=a")
    by_path = await world.watch(f"{CM}/a")
    for name in "ab":
        await world.call("POST", CM, config_map(name))
    await quiet()
    assert watching.seen == by_path.seen == [("ADDED", "a")]


async def test_the_list_form_of_a_watch(world: World) -> None:
    await world.call("POST", CM, config_map("a"))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    watching = await world.watch(CM, **query)
    assert [kind for kind, _ in watching.seen] == ["ADDED", "BOOKMARK"]
    assert watching.events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert (await world.call("GET", CM, watch="true", sendInitialEvents="true")).status == 422
    known = str(world.store.revision)
    again = await world.watch(CM, **query, resourceVersion=known)
    assert [kind for kind, _ in again.seen] == ["ADDED", "BOOKMARK"], "a version known already changes nothing"
    unmarked = await world.watch(CM, **query | {"allowWatchBookmarks": "false"})
    assert unmarked.seen == [("ADDED", "a")]


async def test_a_watcher_that_falls_behind_is_cut_off(worlds: Callable[..., World]) -> None:
    world = worlds(watcher_cap=3)
    revision = str(world.store.revision)
    for name in "abcdef":
        await world.call("POST", CM, config_map(name))
    watching = await world.watch(CM, resourceVersion=revision)
    assert watching.task.done()
    assert len(watching.events) <= 3


async def test_watches_leave_nothing_behind(world: World) -> None:
    watching = await world.watch(CM)
    assert world.clock.sleepers > 0
    watching.task.cancel()
    await quiet()
    assert not any(world.store._watchers.values())
    assert world.clock.sleepers == 0


async def test_a_kind_that_goes_ends_its_watches(widgets: World) -> None:
    await widgets.call("POST", WIDGETS, {"metadata": {"name": "w"}, "spec": {"size": 1}})
    watching = await widgets.watch(WIDGETS)
    widgets.api.delete(CRDS, "widgets.example.com")
    await quiet()
    assert watching.task.done()
    assert watching.seen == [("ADDED", "w")] or watching.seen == [("ADDED", "w"), ("DELETED", "w")]
    assert (await widgets.call("GET", WIDGETS)).status == 404


async def test_stopping_the_server_ends_watches(world: World) -> None:
    watching = await world.watch(CM)
    world.server.stop()
    await quiet()
    assert watching.task.done()


async def test_many_watchers_share_one_line(world: World) -> None:
    watches = [await world.watch(CM) for _ in range(5)]
    await world.call("POST", CM, config_map("a"))
    await quiet()
    assert all(one.seen == [("ADDED", "a")] for one in watches)
    assert len({one.chunks[0] for one in watches}) == 1


@pytest.mark.parametrize("value", ["true", "True", "1", "t"])
async def test_booleans_as_clients_write_them(world: World, value: str) -> None:
    task = asyncio.ensure_future(world.call("GET", CM, watch=value, timeoutSeconds="5"))
    await quiet()
    assert not task.done()
    await world.clock.advance(6)
    assert (await task).raw == b""


async def test_the_old_watch_path(world: World) -> None:
    await world.call("POST", CM, config_map("a"))
    watching = await world.watch("/api/v1/watch/namespaces/default/configmaps")
    assert watching.seen == [("ADDED", "a")]


async def test_tables_can_be_watched(world: World) -> None:
    await world.call("POST", CM, config_map("a"))
    request = HttpRequest("GET", CM, (("watch", "1"),), {"accept": TABLE})
    async with world.transport.stream(request) as stream:
        line = await anext(aiter(stream.chunks()))
    assert b'"kind":"Table"' in line
    assert line.startswith(b'{"type":"ADDED"')


async def test_metadata_alone_is_marked_as_such_to_the_end(world: World) -> None:
    accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    query = {"watch": "true", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    query |= {"allowWatchBookmarks": "true", "timeoutSeconds": "1"}
    await world.call("POST", CM, config_map("a"))
    reply = asyncio.ensure_future(world.call("GET", CM, accept=accept, timeout=1e6, **query))
    await quiet()
    await world.clock.advance(2)
    lines = [json.loads(line) for line in (await reply).raw.splitlines()]
    assert [(line["type"], line["object"]["kind"]) for line in lines] == [
        ("ADDED", "PartialObjectMetadata"),
        ("BOOKMARK", "PartialObjectMetadata"),
    ]
    assert "data" not in lines[0]["object"]
