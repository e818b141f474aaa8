"""One pod on the node, with containers that do exactly what a test wants."""

from __future__ import annotations

import asyncio
import signal

import pytest

from lazarus_tui.sandbox.clock import VirtualClock
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
        self.started = []

    async def start(self, launch, log):
        self.started.append(Slow())
        return self.started[-1]

    def environment(self, worker, container):
        return {}

    def changed(self, worker):
        pass

    def happened(self, worker, kind, reason, message):
        pass


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
