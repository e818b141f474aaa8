"""Following topics as the console does: deltas, changes of mind, and an engine that comes and goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.engine.hub import Hub
from lazarus_tui.link.client import Client, LinkFault, LinkState, Topics
from lazarus_tui.link.protocol import Fault
from lazarus_tui.link.server import LinkServer
from lazarus_tui.model.clock import SystemClock
from tests.link.conftest import PlainService


class Quick(SystemClock):
    """Real time with pauses a hundredth as long."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / 100)


class Console:
    """A follower with what it was told."""

    def __init__(self, path: Path) -> None:
        self.changes: list[frozenset[str]] = []
        self.links: list[LinkState] = []
        self.connects = 0
        self.topics = Topics(
            lambda: Client.connect(path),
            on_change=self.changes.append,
            on_link=lambda state, reason: self.links.append(state),
            on_connect=self._connected,
            clock=Quick(),
        )
        self.task = asyncio.create_task(self.topics.run())

    async def _connected(self, client: Client) -> None:
        self.connects += 1

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.001)
                assert not self.task.done()

    def keys(self, topic: str) -> list[str]:
        return sorted(self.topics.state(topic).records)

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def console(socket_path: Path) -> AsyncIterator[Console]:
    console = Console(socket_path)
    yield console
    await console.close()


async def test_news_arrives_and_only_what_changed_is_replaced(console: Console, hub: Hub) -> None:
    hub.publish("plain", {f"r{n}": {"n": n} for n in range(50)})
    hub.set_state("plain", "ready")
    console.topics.want(["plain"])
    await console.until(lambda: len(console.keys("plain")) == 50)
    before = console.topics.state("plain")
    hub.publish("plain", {"r7": {"n": 700}}, ["r8"])
    await console.until(lambda: "r8" not in console.topics.state("plain").records)
    after = console.topics.state("plain")
    assert after.records["r7"] == {"n": 700}
    assert after.records["r9"] is before.records["r9"]
    assert before.records["r7"] == {"n": 7}
    assert frozenset({"plain"}) in console.changes


async def test_a_change_of_mind_is_served_at_once(console: Console, hub: Hub, server: LinkServer) -> None:
    hub.publish("one", {"a": {}})
    hub.publish("two", {"b": {}})
    console.topics.want(["one"])
    await console.until(lambda: console.keys("one") == ["a"])
    # A pull without news is now held by the engine; the new wish must not wait for it.
    console.topics.want(["two"])
    await console.until(lambda: console.keys("two") == ["b"])
    hub.publish("one", {"c": {}})
    await asyncio.sleep(0.01)
    assert console.keys("one") == ["a"]
    console.topics.want(["one", "two"])
    await console.until(lambda: console.keys("one") == ["a", "c"])


async def test_an_engine_that_restarts_is_followed_from_the_start(
    console: Console, hub: Hub, server: LinkServer, socket_path: Path
) -> None:
    for n in range(20):
        hub.publish("plain", {f"old{n}": {}})
    console.topics.want(["plain"])
    await console.until(lambda: len(console.keys("plain")) == 20)
    await server.stop()
    await console.until(lambda: LinkState.LOST in console.links)
    assert len(console.keys("plain")) == 20  # the last data stays

    fresh = Hub(SystemClock(), interval=0.0)
    fresh.publish("plain", {"new": {}})  # its versions are lower than those of the old engine
    second = LinkServer(socket_path, PlainService(fresh))
    await second.start()
    await console.until(lambda: console.keys("plain") == ["new"])
    assert console.connects == 2
    assert console.links[-1] is LinkState.CONNECTED
    await console.close()
    await second.stop()
    await fresh.stop()


async def test_records_that_are_not_understood_fail_their_topic_alone(console: Console, hub: Hub) -> None:
    hub.publish("operations", {"a": {"id": 7}})
    hub.publish("plain", {"b": {}})
    console.topics.want(["operations", "plain"])
    await console.until(lambda: console.keys("plain") == ["b"])
    await console.until(lambda: console.topics.state("operations").state == "failed")
    assert "not understood" in console.topics.state("operations").reason


async def test_a_connection_refused_every_time_is_tried_ever_more_slowly(socket_path: Path) -> None:
    pauses: list[float] = []

    class Counting(SystemClock):
        async def sleep(self, seconds: float) -> None:
            pauses.append(seconds)
            await asyncio.sleep(0)

    async def refused(client: Client) -> None:
        raise LinkFault(Fault("refused", "no such context"))

    links: list[str] = []
    topics = Topics(
        lambda: Client.connect(socket_path),
        on_change=lambda names: None,
        on_link=lambda state, reason: links.append(reason),
        on_connect=refused,
        clock=Counting(),
    )
    task = asyncio.create_task(topics.run())
    while len(pauses) < 6 and not task.done():
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait({task}, timeout=90)
    assert task.cancelled(), "it ends when it is told to, whatever it is at"
    assert pauses[:6] == [0.1, 0.25, 0.5, 1.0, 1.0, 1.0]
    assert "no such context" in links


@pytest.mark.parametrize("turns", range(12))
async def test_a_follower_ends_when_it_is_told_to_whatever_it_is_at(
    console: Console, hub: Hub, server: LinkServer, turns: int
) -> None:
    """Also in the moment in which it drops a pull because somebody wants something else."""
    hub.publish("one", {"a": {}})
    console.topics.want(["one"])
    await console.until(lambda: server.calls == 3)  # hello, the pull with news, and one that is held
    console.topics.want(["two"])
    for _ in range(turns):
        await asyncio.sleep(0)
    console.task.cancel()
    await asyncio.wait({console.task}, timeout=90)
    assert console.task.cancelled()


async def test_calls_share_the_connection(console: Console, server: LinkServer) -> None:
    await console.until(lambda: console.topics.client is not None)
    assert await console.topics.call("echo", {"n": 1}, dict) == {"n": 1}
    assert len(server.peers) == 1


async def test_nothing_wanted_costs_nothing(console: Console, server: LinkServer) -> None:
    await console.until(lambda: console.links[-1:] == [LinkState.CONNECTED])
    before = server.calls
    await asyncio.sleep(0.05)
    assert server.calls == before


async def test_pulls_are_at_least_the_interval_apart(socket_path: Path, hub: Hub, server: LinkServer) -> None:
    topics = Topics(lambda: Client.connect(socket_path), on_change=lambda names: None, interval=0.05)
    topics.want(["plain"])
    began = time.monotonic()
    task = asyncio.create_task(topics.run())
    for n in range(100):
        hub.publish("plain", {"a": {"n": n}})
        await asyncio.sleep(0.002)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    # hello, the first pull, and one more for each interval that began
    assert server.calls <= 3 + (time.monotonic() - began) / 0.05
