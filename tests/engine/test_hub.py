"""The hub: whatever a reader skips, what it then has is what was published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_tui.engine import hub as hub_module
from lazarus_tui.engine.hub import Hub
from lazarus_tui.link.client.topics import TopicState, apply
from lazarus_tui.link.protocol import PullResult, TopicUpdate
from lazarus_tui.sandbox.clock import VirtualClock

NAME = "plain"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def hub(clock: VirtualClock) -> AsyncIterator[Hub]:
    hub = Hub(clock)
    yield hub
    await hub.stop()


async def pull(hub: Hub, known: dict[str, int], wait: float = 0.0) -> list[TopicUpdate]:
    return msgspec.json.decode(await hub.pull(known, wait), type=PullResult).updates


async def test_the_first_pull_gives_everything(hub: Hub) -> None:
    hub.publish(NAME, {"a": {"n": 1}, "b": {"n": 2}}, as_of="2026-01-01T00:00:00Z")
    hub.set_state(NAME, "ready")
    [update] = await pull(hub, {NAME: 0})
    assert (update.base, update.state, update.keys) == (None, "ready", ["a", "b"])
    assert [msgspec.json.decode(raw) for raw in update.upserts] == [{"n": 1}, {"n": 2}]
    assert update.as_of == "2026-01-01T00:00:00Z"
    assert await pull(hub, {NAME: update.version}) == []


async def test_a_second_pull_gives_the_difference(hub: Hub, clock: VirtualClock) -> None:
    hub.publish(NAME, {str(n): {"n": n} for n in range(100)})
    [first] = await pull(hub, {NAME: 0})
    await clock.advance(1)
    hub.publish(NAME, {"7": {"n": 700}}, ["8"])
    await clock.advance(1)
    [update] = await pull(hub, {NAME: first.version})
    assert (update.base, update.keys, update.removed) == (first.version, ["7"], ["8"])


async def test_what_did_not_change_is_no_news(hub: Hub, clock: VirtualClock) -> None:
    hub.publish(NAME, {"a": {"n": 1}})
    await clock.advance(1)
    [first] = await pull(hub, {NAME: 0})
    hub.publish(NAME, {"a": {"n": 1}}, ["never there"])
    hub.set_state(NAME, "loading", as_of="2026-01-01T00:00:09Z")
    await clock.advance(1)
    assert await pull(hub, {NAME: first.version}) == []


async def test_a_storm_makes_ten_versions_a_second(hub: Hub, clock: VirtualClock) -> None:
    versions = set()
    for n in range(1000):
        hub.publish(NAME, {"a": {"n": n}})
        [update] = await pull(hub, {NAME: 0})
        versions.add(update.version)
        await clock.advance(0.001)
    assert 9 <= len(versions) <= 11
    await clock.advance(1)
    [last] = await pull(hub, {NAME: 0})
    assert msgspec.json.decode(last.upserts[0]) == {"n": 999}


async def test_a_waiting_pull_hears_of_news_at_once(hub: Hub) -> None:
    hub.open(NAME)
    [first] = await pull(hub, {NAME: 0})
    waiting = asyncio.create_task(pull(hub, {NAME: first.version, "other": 1}, wait=20))
    await asyncio.sleep(0)
    hub._topics[NAME].flushed = float("-inf")
    hub.set_state(NAME, "failed", reason="forbidden", hint="ask")
    [update] = await asyncio.wait_for(waiting, 60)
    assert (update.state, update.reason, update.hint) == ("failed", "forbidden", "ask")
    assert not hub._waiting


async def test_a_pull_without_news_is_empty_after_its_wait(hub: Hub) -> None:
    hub.open(NAME)
    assert await pull(hub, {NAME: 2}, wait=0.01) == []
    assert not hub._waiting


async def test_a_topic_that_is_not_there_is_said_once(hub: Hub, clock: VirtualClock) -> None:
    [absent] = await pull(hub, {"backups/nowhere": 0})
    assert absent.state == "failed"
    assert await pull(hub, {"backups/nowhere": absent.version}) == []
    hub.publish("backups/nowhere", {"a": {}})
    [made] = await pull(hub, {"backups/nowhere": absent.version})
    assert made.keys == ["a"]
    hub.close("backups/nowhere")
    [gone] = await pull(hub, {"backups/nowhere": made.version})
    assert gone.state == "failed"
    assert await pull(hub, {"backups/nowhere": gone.version}) == []


async def test_versions_of_another_engine_are_not_believed(hub: Hub) -> None:
    hub.publish(NAME, {"a": {"n": 1}})
    [update] = await pull(hub, {NAME: 10_000})
    assert update.base is None
    assert update.keys == ["a"]


async def test_text_that_is_no_unicode_is_carried(hub: Hub) -> None:
    hub.publish(NAME, {"a\udcff": {"name": "x\ud800"}})
    [update] = await pull(hub, {NAME: 0})
    assert msgspec.json.decode(update.upserts[0])["name"] == "x?"


changes = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abcdefgh"), st.integers(0, 3)),
        st.tuples(st.just("drop"), st.sampled_from("abcdefgh"), st.just(0)),
        st.tuples(st.just("state"), st.sampled_from(["ready", "stale"]), st.just(0)),
        st.tuples(st.just("replace"), st.sampled_from("abcdefgh"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.just(""), st.integers(0, 4)),
        st.tuples(st.just("pull"), st.sampled_from(["one", "two"]), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(script=changes, remembered=st.sampled_from([2, 4096]))
def test_differences_add_up_to_the_whole(script: list[tuple[str, str, int]], remembered: int) -> None:
    before, hub_module.REMEMBERED = hub_module.REMEMBERED, remembered
    try:
        asyncio.run(_play(script))
    finally:
        hub_module.REMEMBERED = before


async def _play(script: list[tuple[str, str, int]]) -> None:
    clock = VirtualClock()
    hub = Hub(clock)
    # Enough other records that a difference is worth sending.
    truth: dict[str, Any] = {f"filler-{n}": {"n": n} for n in range(20)}
    hub.publish(NAME, truth)
    readers = {"one": TopicState(), "two": TopicState()}
    state = "loading"
    for verb, word, number in script:
        if verb == "put":
            truth[word] = {"n": number}
            hub.publish(NAME, {word: truth[word]})
        elif verb == "drop":
            truth.pop(word, None)
            hub.publish(NAME, {}, [word])
        elif verb == "replace":
            truth = {key: value for key, value in truth.items() if key.startswith("filler")} | {word: {"n": number}}
            hub.replace(NAME, truth)
        elif verb == "state":
            state = word
            hub.set_state(NAME, state)
        elif verb == "wait":
            await clock.advance(number * 0.04)
        else:
            readers[word] = await _pulled(hub, readers[word])
    await clock.advance(1)
    for reader in readers.values():
        final = await _pulled(hub, reader)
        assert final.records == truth
        assert final.state == state
    await hub.stop()


async def _pulled(hub: Hub, state: TopicState) -> TopicState:
    for update in await pull(hub, {NAME: state.version}):
        after = apply(state, update)
        assert after is not None
        state = after
    return state


async def test_hours_of_news_pile_up_for_nobody(hub: Hub, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A console that is stopped asked once and takes nothing; ten thousand logs come and go meanwhile."""
    monkeypatch.setattr(hub_module, "REMEMBERED", 50)
    hub.publish("operations", {"a": 0})
    hub.publish("oplog/first", {"1": "x"})
    known = {update.topic: update.version for update in await pull(hub, {"operations": 0, "oplog/first": 0})}
    stopped = [asyncio.create_task(hub.pull({"contexts": known["operations"]}, 1e9)) for _ in range(3)]
    await asyncio.sleep(0)
    hub.close("oplog/first")
    before = len(asyncio.all_tasks())
    for n in range(10_000):
        hub.publish("operations", {"a": n, f"op{n}": n}, [f"op{n - 100}"])
        hub.publish(f"oplog/{n}", {"1": "x"})
        hub.close(f"oplog/{n}")
    await clock.advance(3600)
    assert len(asyncio.all_tasks()) <= before + 1, "one that publishes"
    assert len(hub._gone) <= 50
    assert len(hub._topics["operations"].changed) <= 50
    assert len(hub._topics) == 1
    assert {topic: len(events) for topic, events in hub._waiting.items()} == {"contexts": 3}
    for one in stopped:
        one.cancel()
    await asyncio.gather(*stopped, return_exceptions=True)
    assert not hub._waiting
    found = {update.topic: update for update in await pull(hub, known)}
    assert len(found["operations"].upserts) == 101
    assert found["oplog/first"].state == "failed", "that it is gone is told, though when is forgotten"
