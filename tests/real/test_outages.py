"""The server dies, hangs or is overrun in the middle of a request: what is known is said, and reads come through."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from functools import partial

import pytest
from control_plane import ControlPlane
from real_world import Config, World, eventually

from lazarus_tui.kube.errors import Ambiguous, NotSent, Pushback
from lazarus_tui.kube.kubeconfig import Impersonation
from lazarus_tui.kube.retry import ONCE, ReadPolicy
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import Outcome

# Longer than a server has to become ready: its start says by itself when that is over.
PATIENT = ReadPolicy(tries=1000, first=0.5, longest=0.5)
_EXECUTING = re.compile(r"^apiserver_flowcontrol_current_executing_requests\{(.*)\} (\S+)$", re.MULTILINE)


def halt(plane: ControlPlane, name: str) -> None:
    """Returns when every thread of it stands still: on a busy machine they go on for a while after the signal."""
    pid = plane.processes[name].pid
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)


def go_on(plane: ControlPlane, name: str) -> None:
    os.kill(plane.processes[name].pid, signal.SIGCONT)


async def at_work(world: World) -> bool:
    """Whether the server has taken up a request of somebody who is no administrator: nobody else is one here."""
    told = (await world.cluster.request("GET", "/metrics")).body.decode()
    return any(float(count) > 0 for labels, count in _EXECUTING.findall(told) if "exempt" not in labels)


async def test_a_write_to_a_server_that_dies_may_have_been_applied_and_the_truth_can_be_read(
    world: World, plane: ControlPlane
) -> None:
    await world.config("a", x="1")
    await world.account("clerk", {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]})
    # An administrator who acts as somebody: whoever that is, etcd need not be asked for it.
    somebody = Impersonation(f"system:serviceaccount:{world.ns}:clerk")
    clerk = await world.as_user(token=plane.token, impersonate=somebody)

    async def put(value: str) -> None:
        await clerk.merge_patch(CONFIGMAPS, "a", {"data": {"x": value}}, world.ns)

    halt(plane, "etcd")
    writing = asyncio.create_task(put("2"))
    await eventually(partial(at_work, world))
    plane.end("kube-apiserver")
    go_on(plane, "etcd")
    with pytest.raises(Ambiguous) as caught:
        await writing
    assert caught.value.outcome is Outcome.AMBIGUOUS
    with pytest.raises(NotSent) as refused:
        await put("3")
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
    clerk.policy = ReadPolicy(tries=60, first=0.5, longest=0.5)  # one of six at once may be pushed back often
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
