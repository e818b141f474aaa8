"""The server dies, hangs or is overrun in the middle of a request: what is known is said, and reads come through."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from control_plane import ControlPlane
from real_world import Config, World, eventually

from lazarus_tui.kube.errors import Ambiguous, NotSent, Pushback
from lazarus_tui.kube.retry import ONCE, ReadPolicy
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import Outcome

PATIENT = ReadPolicy(tries=400, first=0.2, longest=0.2)


@pytest.fixture(autouse=True)
async def standing(world: World, plane: ControlPlane) -> AsyncIterator[None]:
    """However a test ends: its world's end and the tests after it find the servers as usual."""
    yield
    go_on(plane, "etcd")
    if "kube-apiserver" not in plane.processes:
        await world.restart_apiserver()


def halt(plane: ControlPlane, name: str) -> None:
    """Returns when every thread of it stands still: on a busy machine they go on for a while after the signal."""
    pid = plane.processes[name].pid
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)


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
    await world.restart_apiserver()
    assert await world.data("a") in ({"x": "1"}, {"x": "2"})


async def test_a_read_comes_through_a_restart(world: World, plane: ControlPlane) -> None:
    await world.config("a", x="1")
    tries: list[OSError | None] = []
    send = world.cluster.transport.send

    async def noted(request: HttpRequest) -> HttpResponse:
        try:
            answer = await send(request)
        except OSError as error:
            tries.append(error)
            raise
        tries.append(None)
        return answer

    world.cluster.transport.send = noted  # type: ignore[method-assign]
    plane.end("kube-apiserver")
    getting = asyncio.create_task(world.cluster.get(CONFIGMAPS, "a", world.ns, type=Config, policy=PATIENT))

    async def tried() -> bool:
        return bool(tries)

    await eventually(tried)
    await world.restart_apiserver()
    found = await getting
    assert found is not None
    assert found.data == {"x": "1"}
    assert len(tries) > 1
    assert isinstance(tries[0], OSError)


PUSHED = "429, again after 1 s"


async def test_a_server_that_is_overrun_pushes_back_and_reads_come_through(world: World, plane: ControlPlane) -> None:
    """One request at a time, and the one has to wait for etcd. Administrators would be exempt."""
    await world.config("a", x="1")
    reader = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
    await world.account("clerk", reader)
    clerk = await world.as_user(token=await world.token("clerk"))
    plane.end("kube-apiserver")
    flags = ("--enable-priority-and-fairness=false", "--max-requests-inflight=1", "--max-mutating-requests-inflight=1")
    await world.restart_apiserver(*flags)
    try:
        outcomes: Counter[str] = Counter()

        async def once() -> None:
            try:
                await clerk.request("GET", CONFIGMAPS.path(world.ns), policy=ONCE)
                outcomes["answered"] += 1
            except Pushback as error:
                outcomes[f"{error.status}, again after {error.retry_after:g} s"] += 1

        await world.permitted("clerk", reader)
        await clerk.list(CONFIGMAPS, world.ns, type=Config)  # its token is known from now on
        halt(plane, "etcd")
        asking = [asyncio.create_task(once()) for _ in range(6)]

        async def pushed_back() -> bool:
            return outcomes[PUSHED] > 0

        await eventually(pushed_back)
        go_on(plane, "etcd")
        await asyncio.gather(*asking)
        assert outcomes.total() == outcomes[PUSHED] + outcomes["answered"] == 6
        many = [clerk.list(CONFIGMAPS, world.ns, type=Config) for _ in range(6)]
        for items in await asyncio.gather(*many):
            assert {"x": "1"} in [item.data for item in items]
    finally:
        plane.end("kube-apiserver")
