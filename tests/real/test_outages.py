"""The server dies, hangs or is overrun in the middle of a request: what is known is said, and reads come through."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter

import pytest
from control_plane import ControlPlane
from real_world import Config, World

from lazarus_tui.kube.errors import Ambiguous, KubeError, NotSent, Pushback
from lazarus_tui.kube.retry import ONCE, ReadPolicy
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import Outcome

PATIENT = ReadPolicy(tries=400, first=0.2, longest=0.2)


def halt(plane: ControlPlane, name: str) -> None:
    os.kill(plane.processes[name].pid, signal.SIGSTOP)


def go_on(plane: ControlPlane, name: str) -> None:
    os.kill(plane.processes[name].pid, signal.SIGCONT)


async def test_a_write_to_a_server_that_dies_may_have_been_applied_and_the_truth_can_be_read(
    world: World, plane: ControlPlane
) -> None:
    await world.config("a", x="1")
    halt(plane, "etcd")
    writing = asyncio.create_task(world.put("a", x="2"))
    await asyncio.sleep(0.5)  # by now the server waits for etcd
    plane.end("kube-apiserver")
    go_on(plane, "etcd")
    with pytest.raises(Ambiguous) as caught:
        await writing
    assert caught.value.outcome is Outcome.AMBIGUOUS
    with pytest.raises(NotSent) as refused:
        await world.put("a", x="3")
    assert refused.value.outcome is Outcome.NOT_SENT
    await asyncio.to_thread(plane.start_apiserver)
    assert await world.data("a") in ({"x": "1"}, {"x": "2"})


async def test_a_read_comes_through_a_restart(world: World, plane: ControlPlane) -> None:
    await world.config("a", x="1")
    told: list[KubeError | None] = []
    world.cluster.on_retry = told.append
    plane.end("kube-apiserver")
    starting = asyncio.create_task(asyncio.to_thread(plane.start_apiserver))
    found = await world.cluster.get(CONFIGMAPS, "a", world.ns, type=Config, policy=PATIENT)
    await starting
    assert found is not None
    assert found.data == {"x": "1"}
    assert told == [] or (isinstance(told[0], NotSent | Ambiguous | KubeError) and told[-1] is None)


async def test_a_server_that_is_overrun_pushes_back_and_reads_come_through(world: World, plane: ControlPlane) -> None:
    """One request at a time, and half a megabyte each."""
    for number in range(10):
        await world.config(f"c{number}", x="x" * 50_000)
    plane.end("kube-apiserver")
    flags = ("--enable-priority-and-fairness=false", "--max-requests-inflight=1", "--max-mutating-requests-inflight=1")
    await asyncio.to_thread(plane.start_apiserver, *flags)
    try:
        outcomes: Counter[str] = Counter()

        async def once() -> None:
            try:
                path = CONFIGMAPS.path(world.ns)
                await world.cluster.request("GET", path, policy=ONCE)
                outcomes["answered"] += 1
            except Pushback as error:
                outcomes[f"{error.status}, again after {error.retry_after:g} s"] += 1

        await asyncio.gather(*(once() for _ in range(60)))
        assert set(outcomes) == {"answered", "429, again after 1 s"}
        many = [world.cluster.list(CONFIGMAPS, world.ns, type=Config) for _ in range(3)]
        found = await asyncio.gather(*many)
        assert [sum(item.metadata.name.startswith("c") for item in items) for items in found] == [10, 10, 10]
    finally:
        plane.end("kube-apiserver")
        await asyncio.to_thread(plane.start_apiserver)
