"""Watches: from a version on, from nothing, with bookmarks, with an end."""

from __future__ import annotations

import asyncio
from typing import Any

from conformance_api import CM, PARTIAL, PATIENCE, Api, cm
from conformance_api import TABLE as AS_TABLE
from conformance_cases import Table

TABLE = Table("watches")
story, row = TABLE.story, TABLE.row

MINE = "lazarus.dev/mine"
_WATCH = {"watch": "true", "timeoutSeconds": "1"}

row("version-that-is-none", "GET", CM, query=_WATCH | {"resourceVersion": "abc"}, status=500, text="ParseUint")
row(
    "initial-events-without-a-match",
    "GET",
    CM,
    query=_WATCH | {"sendInitialEvents": "true"},
    status=422,
    reason="Invalid",
    text="sendInitialEvents requires",
    since=27,
)
row(
    "match-is-for-lists",
    "GET",
    CM,
    query=_WATCH | {"resourceVersionMatch": "NotOlderThan"},
    status=422,
    reason="Invalid",
)


async def now(api: Api) -> str:
    return str((await api.get(CM)).meta["resourceVersion"])


@story()
async def from_a_version_every_change_after_it_comes_in_order(api: Api) -> None:
    await api.make(CM, cm("before", labels={MINE: "1"}))
    async with api.watch(CM, resourceVersion=await now(api), labelSelector=MINE) as watch:
        await api.make(CM, cm("a", labels={MINE: "1"}))
        (await api.patch(f"{CM}/a", {"data": {"x": "1"}})).ok()
        (await api.delete(f"{CM}/a")).ok()
        events = [await watch.next() for _ in range(3)]
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    assert events[0]["object"]["kind"] == "ConfigMap"
    assert events[2]["object"]["data"] == {"x": "1"}


@story()
async def what_happened_since_the_version_is_replayed(api: Api) -> None:
    start = await now(api)
    await api.make(CM, cm("a", labels={MINE: "1"}))
    (await api.delete(f"{CM}/a")).ok()
    async with api.watch(CM, resourceVersion=start, labelSelector=MINE) as watch:
        assert [await watch.seen(), await watch.seen()] == [("ADDED", "a"), ("DELETED", "a")]


@story()
async def an_object_of_the_list_is_not_told_again(api: Api) -> None:
    await api.make(CM, cm("a", labels={MINE: "1"}))
    async with api.watch(CM, resourceVersion=await now(api), labelSelector=MINE) as watch:
        await api.make(CM, cm("b", labels={MINE: "1"}))
        assert await watch.seen() == ("ADDED", "b")


@story()
async def without_a_version_everything_there_is_added_first(api: Api) -> None:
    for name in ("a", "b"):
        await api.make(CM, cm(name, labels={MINE: "1"}))
    async with api.watch(CM, labelSelector=MINE) as watch:
        assert {await watch.seen(), await watch.seen()} == {("ADDED", "a"), ("ADDED", "b")}
        await api.make(CM, cm("c", labels={MINE: "1"}))
        assert await watch.seen() == ("ADDED", "c")


@story()
async def from_zero_everything_there_is_added_first(api: Api) -> None:
    await api.make(CM, cm("a", labels={MINE: "1"}))
    async with api.watch(CM, resourceVersion="0", labelSelector=MINE) as watch:
        assert await watch.seen() == ("ADDED", "a")


@story()
async def it_ends_at_its_time(api: Api) -> None:
    before = asyncio.get_running_loop().time()
    async with api.watch(CM, labelSelector=MINE, timeoutSeconds="1") as watch:
        assert await watch.rest() == []
    assert 0.5 <= asyncio.get_running_loop().time() - before < PATIENCE / 2


@story()
async def bookmarks_come_when_asked_for_and_carry_only_a_version(api: Api) -> None:
    """A short watch may get none; one that comes must be of this form."""
    await api.make(CM, cm("a", labels={MINE: "1"}))

    async def cached() -> bool:  # what the cache behind watches holds is told first
        return (await api.get(f"{CM}/a", resourceVersion="0")).status == 200

    await api.eventually(cached)
    query = {"allowWatchBookmarks": "true", "timeoutSeconds": "3", "labelSelector": MINE}

    async def told() -> Any:  # a server that is held up for so long ends it without a word
        async with api.watch(CM, **query) as watch:
            return await watch.rest()

    events = await api.eventually(told)
    assert events[0]["type"] == "ADDED"
    for event in events[1:]:
        assert event["type"] == "BOOKMARK"
        assert event["object"]["kind"] == "ConfigMap"
        assert int(event["object"]["metadata"]["resourceVersion"]) > 0
        assert "name" not in event["object"]["metadata"]


@story()
async def a_version_too_old_is_told_in_the_stream(api: Api) -> None:
    async with api.watch(CM, resourceVersion="1") as watch:
        event = await watch.next()
        assert event["type"] == "ERROR"
        status = event["object"]
        assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
        assert await watch.rest() == []


@story()
async def leaving_the_selector_is_deleted_and_entering_it_added(api: Api) -> None:
    await api.make(CM, cm("a", labels={"l": "in"}))
    async with api.watch(CM, resourceVersion=await now(api), labelSelector="l=in") as watch:
        for label in ("out", "away", "in"):
            (await api.patch(f"{CM}/a", {"metadata": {"labels": {"l": label}}})).ok()
        left = await watch.next()
        assert (left["type"], left["object"]["metadata"]["name"]) == ("DELETED", "a")
        assert await watch.seen() == ("ADDED", "a")


@story()
async def one_object_by_field(api: Api) -> None:
    async with api.watch(CM, resourceVersion=await now(api), fieldSelector="metadata.name=b") as watch:
        for name in ("a", "b"):
            await api.make(CM, cm(name))
        assert await watch.seen() == ("ADDED", "b")


@story()
async def the_old_way_of_asking_still_works(api: Api) -> None:
    await api.make(CM, cm("a"))
    async with api.watch("/api/v1/watch/namespaces/{ns}/configmaps/a") as watch:
        assert await watch.seen() == ("ADDED", "a")


@story()
async def all_namespaces_at_once(api: Api) -> None:
    mark = {MINE: api.ns}
    async with api.watch("/api/v1/configmaps", resourceVersion=await now(api), labelSelector=f"{MINE}={{ns}}") as watch:
        await api.make(CM, cm("a", labels=mark))
        event = await watch.next()
    assert event["object"]["metadata"]["namespace"] == api.ns


@story()
async def metadata_alone_can_be_watched(api: Api) -> None:
    await api.make(CM, cm("a", {"x": "secret"}, labels={MINE: "1"}))
    async with api.watch(CM, accept=PARTIAL, labelSelector=MINE) as watch:
        found = (await watch.next())["object"]
    assert (found["kind"], found["metadata"]["name"]) == ("PartialObjectMetadata", "a")
    assert "secret" not in str(found)


@story()
async def tables_can_be_watched(api: Api) -> None:
    await api.make(CM, cm("a", labels={MINE: "1"}))
    async with api.watch(CM, accept=AS_TABLE, labelSelector=MINE) as watch:
        found = (await watch.next())["object"]
    assert (found["kind"], found["rows"][0]["cells"][0]) == ("Table", "a")


@story()
async def an_object_with_a_finalizer_is_modified_before_it_is_deleted(api: Api) -> None:
    await api.make(CM, cm("a", labels={MINE: "1"}, finalizers=["example.com/hold"]))
    async with api.watch(CM, resourceVersion=await now(api), labelSelector=MINE) as watch:
        (await api.delete(f"{CM}/a")).ok()
        event = await watch.next()
        assert event["type"] == "MODIFIED"
        assert event["object"]["metadata"]["deletionTimestamp"]
        (await api.patch(f"{CM}/a", {"metadata": {"finalizers": None}})).ok()
        assert (await watch.seen())[0] == "DELETED"


@story(since=34)
async def initial_events_end_with_a_marked_bookmark(api: Api) -> None:
    await api.make(CM, cm("a", labels={MINE: "1"}))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with api.watch(CM, labelSelector=MINE, **query) as watch:
        assert await watch.seen() == ("ADDED", "a")
        end = await watch.next()
    assert end["type"] == "BOOKMARK"
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
