"""Faults of watches: cut at a byte, silent, gone, broken."""

from __future__ import annotations

import json

import pytest
from fault_bench import MAPS, Bench

from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.sandbox.faults.model import Match


def revision(bench: Bench) -> str:
    return str(bench.store.revision)


@pytest.mark.parametrize("offset", [0, 1, 5, 40, 200])
async def test_a_watch_is_cut_at_exactly_that_byte(bench: Bench, offset: int) -> None:
    await bench.add("cut", bytes=offset)
    watching = await bench.watch(resourceVersion=revision(bench))
    for name in ("one", "two", "three"):
        bench.map(name)
    await bench.let_run()
    assert (len(watching.data), watching.end) == (offset, "ConnectionResetError")


async def test_a_watch_is_cut_inside_a_character(bench: Bench) -> None:
    await bench.add("cut", bytes=3, inside="character")
    watching = await bench.watch(resourceVersion=revision(bench))
    bench.map("plain")
    bench.map("umlaut", text="schön")
    await bench.let_run()
    assert watching.end == "ConnectionResetError"
    assert watching.data.endswith(b"sch" + "ö".encode()[:1])
    with pytest.raises(UnicodeDecodeError):
        watching.data.decode()
    assert [event["object"]["metadata"]["name"] for event in watching.events] == ["plain"]


async def test_a_watch_is_never_cut_between_lines_when_it_shall_be_inside_one(bench: Bench) -> None:
    bench.map("one")
    whole = await bench.watch()
    first = len(whole.data)
    await bench.add("cut", bytes=first, inside="line", end="close")
    cut = await bench.watch()
    bench.map("two")
    await bench.let_run()
    assert (len(cut.data), cut.end) == (first + 1, "closed")


async def test_running_watches_fall_silent_and_break_when_the_silence_ends(bench: Bench) -> None:
    watching = await bench.watch(resourceVersion=revision(bench))
    other = await bench.watch("/api/v1/namespaces", resourceVersion=revision(bench))
    bench.map("heard")
    await bench.let_run()
    await bench.add("stall", match=Match(verbs=("watch",), resources=("configmaps",)), seconds_long=300)
    bench.map("unheard")
    await bench.clock.advance(299)
    assert [event["object"]["metadata"]["name"] for event in watching.events] == ["heard"]
    assert watching.end == ""
    assert [event["type"] for event in other.events] == []
    await bench.clock.advance(1)
    assert watching.end == "ConnectionResetError"
    assert [hit.done for hit in bench.faults.log] == ["silent from here on"]


async def test_a_watch_falls_silent_after_some_bytes(bench: Bench) -> None:
    await bench.add("stall", bytes=10, match=Match(verbs=("watch",)))
    watching = await bench.watch(resourceVersion=revision(bench))
    bench.map("one")
    await bench.clock.advance(600)
    assert (len(watching.data), watching.end) == (10, "")


async def test_gone_ends_running_watches_with_410_and_forgets_the_past(bench: Bench) -> None:
    old = revision(bench)
    bench.map("one")
    chosen = await bench.watch(resourceVersion=revision(bench))
    other = await bench.watch("/api/v1/namespaces", resourceVersion=revision(bench))
    fault = await bench.add("gone", match=Match(resources=("configmaps",)))
    await bench.let_run()
    (last,) = chosen.events
    assert (last["type"], last["object"]["code"], last["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert chosen.end == "closed"
    assert (other.end, other.events) == ("", [])
    again = await bench.watch(resourceVersion=old)
    assert again.events[0]["object"]["message"].startswith("too old resource version")
    assert (bench.faults.active(), fault.hits) == ([], 2)
    assert await bench.status("GET", MAPS) == 200


async def test_gone_for_a_while_answers_every_resumed_watch_and_later_page(bench: Bench) -> None:
    for name in "abc":
        bench.map(name)
    page = json.loads((await bench.ask("GET", MAPS, limit="1")).body)
    await bench.add("gone", seconds_long=60)
    watching = await bench.watch(resourceVersion=revision(bench))
    assert watching.events[0]["object"]["code"] == 410
    rest = {"limit": "1", "continue": page["metadata"]["continue"]}
    assert await bench.status("GET", MAPS, **rest) == 410
    assert await bench.status("GET", MAPS, limit="1") == 200
    await bench.clock.advance(60)
    resumed = await bench.watch(resourceVersion=revision(bench))
    assert (resumed.events, resumed.end) == ([], "")


async def test_a_reset_of_watches_breaks_those_that_run(bench: Bench) -> None:
    watching = await bench.watch(resourceVersion=revision(bench))
    await bench.add("reset", match=Match(verbs=("watch",)), times=1)
    await bench.let_run()
    assert watching.end == "ConnectionResetError"


async def test_a_watch_trickles(bench: Bench) -> None:
    await bench.add("trickle", rate_bytes=10, match=Match(verbs=("watch",)))
    watching = await bench.watch(resourceVersion=revision(bench))
    bench.map("one")
    await bench.clock.advance(2)
    assert 10 <= len(watching.data) <= 20
    bench.api.delete(CONFIGMAPS, "one", "shop")
