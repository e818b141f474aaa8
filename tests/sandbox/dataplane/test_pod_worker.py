"""One pod on the node, with containers that do exactly what a test wants."""

from __future__ import annotations

import asyncio
import itertools
import signal

import pytest

from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.dataplane import pod_worker
from lazarus_tui.sandbox.dataplane.catalog import standard_catalog
from lazarus_tui.sandbox.dataplane.containers import Ended
from lazarus_tui.sandbox.dataplane.place import Place
from lazarus_tui.sandbox.dataplane.pod_worker import PodWorker


class Slow:
    """A container that dies of nothing before the test says so, as a killed process that is not reaped yet."""

    pid = None

    def __init__(self):
        self.code = asyncio.get_running_loop().create_future()
        self.heard = []

    async def wait(self):
        return await asyncio.shield(self.code)

    def signal(self, signum):
        self.heard.append(signum)


class Surroundings:
    probes = False

    def __init__(self):
        self.clock, self.catalog, self.launcher = VirtualClock(), standard_catalog(), self
        self.started, self.told = [], []

    async def start(self, launch, log):
        self.started.append(Slow())
        return self.started[-1]

    def environment(self, worker, container):
        return {}

    def changed(self, worker):
        pass

    def happened(self, worker, kind, reason, message):
        self.told.append((kind, reason, message))


@pytest.fixture
async def around():
    return Surroundings()


def worker(around, root, **spec):
    container = {"name": "main", "image": "lazarus.dev/pause:1"}
    pod = {"metadata": {"name": "a", "namespace": "shop", "uid": "u"}, "spec": {"containers": [container]} | spec}
    made = PodWorker(pod, Place(root, {}, "127.0.0.1"), around)
    made.start()
    return made


async def rounds(clock):
    await clock.advance(0)


async def test_a_second_end_while_the_first_waits_still_sees_the_process_out(around, tmp_path):
    pod = worker(around, tmp_path)
    await rounds(around.clock)
    (running,) = around.started
    pod.terminate(0)
    await rounds(around.clock)
    assert running.heard == [signal.SIGTERM, signal.SIGKILL]
    pod.terminate(2)
    await rounds(around.clock)
    assert not pod.ended.is_set()
    running.code.set_result(137)
    await rounds(around.clock)
    assert pod.ended.is_set()
    assert isinstance(pod.mains[0].state, Ended)  # it was waited for to its end, not given up


def sleeping(hook, seconds):
    container = {"name": "main", "image": "lazarus.dev/pause:1", "lifecycle": {hook: {"sleep": {"seconds": seconds}}}}
    return {"containers": [container]}


async def test_a_pre_stop_hook_comes_before_sigterm_and_uses_up_the_grace(around, tmp_path):
    pod = worker(around, tmp_path, **sleeping("preStop", 10))
    await rounds(around.clock)
    (running,) = around.started
    pod.terminate(30)
    await around.clock.advance(9)
    assert running.heard == []
    await around.clock.advance(1)
    assert running.heard == [signal.SIGTERM]
    await around.clock.advance(19)
    assert running.heard == [signal.SIGTERM]
    await around.clock.advance(1)
    assert running.heard == [signal.SIGTERM, signal.SIGKILL]
    running.code.set_result(137)
    await rounds(around.clock)
    assert pod.ended.is_set()


async def test_a_hook_that_never_ends_leaves_the_container_two_seconds(around, tmp_path):
    pod = worker(around, tmp_path, **sleeping("preStop", 600))
    await rounds(around.clock)
    (running,) = around.started
    pod.terminate(5)
    await around.clock.advance(5)
    assert running.heard == [signal.SIGTERM]
    await around.clock.advance(2)
    assert running.heard == [signal.SIGTERM, signal.SIGKILL]
    running.code.set_result(137)
    await rounds(around.clock)


async def test_without_grace_there_is_no_hook(around, tmp_path):
    pod = worker(around, tmp_path, **sleeping("preStop", 10))
    await rounds(around.clock)
    pod.terminate(0)
    await rounds(around.clock)
    assert around.started[0].heard == [signal.SIGTERM, signal.SIGKILL]
    around.started[0].code.set_result(137)
    await rounds(around.clock)


async def test_a_post_start_hook_that_fails_ends_the_container_and_is_told(around, tmp_path):
    hook = {"postStart": {"exec": {"command": ["no-such-command"]}}}
    container = {"name": "main", "image": "lazarus.dev/pause:1", "lifecycle": hook}
    pod = worker(around, tmp_path, containers=[container])
    await rounds(around.clock)
    (running,) = around.started
    assert running.heard == [signal.SIGTERM]
    ((kind, reason, message),) = [one for one in around.told if one[0] == "Warning"]
    assert (kind, reason) == ("Warning", "FailedPostStartHook")
    assert message.startswith("PostStartHook failed: ")
    running.code.set_result(143)
    await rounds(around.clock)
    assert pod.mains[0].restarts == 1
    pod.terminate(0)
    around.started[1].code.set_result(137)
    await rounds(around.clock)


async def test_restarts_wait_ten_seconds_and_twice_as_long_each_time_up_to_five_minutes(around, tmp_path):
    pod = worker(around, tmp_path)
    waits = []
    for number in range(8):
        await rounds(around.clock)
        began = around.clock.monotonic()
        around.started[number].code.set_result(1)
        await rounds(around.clock)
        while len(around.started) == number + 1:
            await around.clock.advance(1)
        waits.append(around.clock.monotonic() - began)
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300]
    pod.terminate(0)
    around.started[-1].code.set_result(137)
    await rounds(around.clock)


async def test_a_pod_that_waits_for_its_disk_is_waited_for_until_it_stands_still(around, tmp_path, monkeypatch):
    """SIGSTOP has no effect in the middle of an fsync, and a disk may take seconds for one."""
    pod = worker(around, tmp_path)
    await rounds(around.clock)
    (running,) = around.started
    running.pid = 4194305  # above the largest pid there can be
    left = iter([False] * 3000)  # 6 s of looks
    monkeypatch.setattr(pod_worker, "is_stopped", lambda pid: next(left, True))
    monkeypatch.setattr(pod_worker, "_STOP_LOOK_SECONDS", 0.0)
    await pod.freeze()
    pod.thaw()
    left = itertools.repeat(False)
    with pytest.raises(TimeoutError, match="did not stand still"):
        await pod.freeze()
    pod.thaw()
