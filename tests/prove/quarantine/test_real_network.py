"""The quarantine with real processes: what is shown closed is closed by the kernel, and what is not is found out.

Where this machine does not allow network namespaces, the same tests demand that the proof says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.resources import NAMESPACES, PODS, SERVICES, SLICES
from lazarus_tui.model.stepping import BaseStep, planned
from lazarus_tui.model.steps import Observation, OperationType, Seen, Step, StepContext
from lazarus_tui.prove.quarantine import isolation, probing, targets
from lazarus_tui.prove.quarantine.steps import Clean, Isolation, ShownClean, Space
from lazarus_tui.sandbox.cluster import SandboxCluster
from lazarus_tui.sandbox.dataplane.launcher import ProcessLauncher
from lazarus_tui.sandbox.dataplane.ledger import Ledger
from tests.engine.world import CONTEXT, Engine

OP = "0123456789abcdef"
# Seconds that a way gets which has to open: however busy the machine is.
LONG = 60.0


class Shared(ProcessLauncher):
    """As on a machine that lets nobody make namespaces: all pods share its loopback."""

    processes = False


class Lies(BaseStep):
    """From here on the CNI says that it enforces policies, and does not."""

    name, title = "lies", "Switch the fault on"

    def __init__(self, cluster: SandboxCluster) -> None:
        self.cluster = cluster

    async def observe(self, context: StepContext) -> Observation:
        self.cluster.network.ignores_policies = True
        targets.SECONDS = LONG  # type: ignore[assignment]  # ``short`` puts it back: what has to open now gets time
        return Observation(Seen.DONE)


class Site:
    """A cluster with one web pod behind a service, and somebody at the API server's address."""

    armed, disposable, lease_namespace = True, False, ""

    def __init__(self, folder: Path, launcher: type[ProcessLauncher]) -> None:
        self.folder, self.clock, self.ids = folder, SystemClock(), itertools.count(1)
        self.cluster = SandboxCluster(
            folder / "cluster", self.clock, launcher=launcher(Ledger(folder / "pids")), shop=False, history=False,
            serve_bucket=False,
        )  # fmt: skip
        self.api, self.server = self.cluster.api, self.cluster.server

    async def start(self) -> None:
        await self.cluster.start()
        self.listener = await asyncio.start_server(_silent, "127.0.0.1", 0)
        self.cluster.network.api_address = self.listener.sockets[0].getsockname()
        self.api.create(NAMESPACES, {"metadata": {"name": "prod"}})
        container = {"name": "web", "image": "lazarus.dev/web:1", "ports": [{"containerPort": 8080}]}
        probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}
        spec = {"containers": [{**container, "readinessProbe": probe}], "terminationGracePeriodSeconds": 1}
        self.api.create(PODS, {"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": spec}, "prod")
        way = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
        self.api.create(SERVICES, {"metadata": {"name": "web"}, "spec": way}, "prod")
        async with asyncio.timeout(LONG):
            while not self._ready():
                await asyncio.sleep(0.02)

    def _ready(self) -> bool:
        """The pod, and the way of its service to it: that one is told of it a moment later."""
        ends = [end for one in self.api.list(SLICES, "prod") for end in one.get("endpoints") or ()]
        if not any((end.get("conditions") or {}).get("ready") for end in ends):
            return False
        conditions = ((self.api.get(PODS, "web", "prod") or {}).get("status") or {}).get("conditions") or ()
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    async def run(self, *more: Step) -> Operation:
        params = {"op": OP, "namespace": "prod", "probe": {"outside": "127.255.0.1:443"}}
        steps = [Space(params), Isolation(params), *more, Clean(params), ShownClean(params)]
        if more:
            steps[3:3] = [Isolation(params, again=True)]
        kind = OperationType("small", _no_planner, lambda plan, catalog: steps)
        engine = await Engine.start(self, (kind,))  # type: ignore[arg-type]
        try:
            uid = (self.api.get(NAMESPACES, "kube-system") or {})["metadata"]["uid"]
            plan = Plan(
                kind="small", context=CONTEXT, cluster_uid=uid, target="q", title="t", danger=Danger.SAFE,
                params=params, steps=planned(steps),
            )  # fmt: skip
            running = await engine.runner.start(plan, plan.digest(), "")
            return await engine.runner.wait(running.id)
        finally:
            await engine.close()

    async def stop(self) -> None:
        self.listener.close()
        await self.cluster.stop()


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _no_planner(reader: Any, params: Any, clock: Any) -> Plan:
    raise AssertionError("plans are made by the tests")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused way takes as long as it is waited for; only those that have to open may take long."""
    argv = targets.Target.argv.fget  # type: ignore[attr-defined]

    def patient(way: targets.Target) -> tuple[str, ...]:
        with pytest.MonkeyPatch.context() as patch:
            if way.expected == targets.OPEN:
                patch.setattr(targets, "SECONDS", LONG)
            return tuple(argv(way))

    monkeypatch.setattr(targets, "SECONDS", 1.0)
    monkeypatch.setattr(targets.Target, "argv", property(patient))
    monkeypatch.setattr(probing, "_PATIENCE", 2 * LONG)
    monkeypatch.setattr(isolation, "SETTLES", 0.0)


@contextlib.asynccontextmanager
async def site(tmp_path: Path, launcher: type[ProcessLauncher] = ProcessLauncher) -> AsyncIterator[Site]:
    made = Site(tmp_path, launcher)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


def seen(found: dict[str, Any], expected: str) -> dict[str, str]:
    return {one["what"]: one["seen"] for one in found["probes"] if one["expected"] == expected}


async def test_closed_by_the_kernel_until_the_cni_lies(tmp_path: Path, short: None) -> None:
    async with site(tmp_path) as place:
        done = await place.run(Lies(place.cluster))
        before = done.facts["prove.isolation"]
        if not place.cluster.network.state.enforced:
            assert before["closed"] is False
            return
        assert before["closed"] is True, before
        assert set(seen(before, "closed").values()) == {"closed"}
        controls = {"the other probe", "the cluster's names, asked by the other probe"}
        assert seen(before, "open") == dict.fromkeys(controls, "open")
        assert "only a leak would show" not in before["words"]
        assert {"the API server", "prod/web", "pod prod/web"} <= set(seen(before, "closed"))
        assert str(place.cluster.network.state) == "enforced", "nothing but trying finds it out"
        after = done.facts["prove.isolation_after"]
        assert after["closed"] is False
        assert after["words"].startswith("the CNI does not enforce network policies: the API server")
        assert {what for what, how in seen(after, "closed").items() if how == "open"} >= {
            "the API server", "prod/web", "pod prod/web", "the cluster's names",
        }  # fmt: skip
        assert done.state is OpState.LEFT_CHANGED


async def test_a_machine_without_namespaces_is_never_called_closed(tmp_path: Path, short: None) -> None:
    async with site(tmp_path, Shared) as place:
        done = await place.run()
        found = done.facts["prove.isolation"]
        assert not place.cluster.network.state.enforced
        assert found["closed"] is False
        assert seen(found, "closed")["prod/web"] == "open"
        assert "isolation not enforced: the CNI does not enforce network policies" in done.message
