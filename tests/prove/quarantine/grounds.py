"""A sandbox in this process whose probes are judged by its real policies, an engine on it, and a proof in small.

Time is virtual. There are no processes: what ``nc`` and ``nslookup`` say in a pod is what the NetworkPolicies of the
cluster let through, by the sandbox's own rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.resources import (
    CLAIMS,
    CONFIGMAPS,
    NAMESPACES,
    PODS,
    RESTORES,
    SERVICES,
    STATEFULSETS,
    VOLUMES,
    Resource,
)
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from lazarus_tui.model.stepping import BaseStep, planned
from lazarus_tui.model.steps import Observation, OperationType, Seen, Step, StepContext, Write
from lazarus_tui.prove.quarantine import removal
from lazarus_tui.prove.quarantine.steps import Clean, Isolation, ShownClean, Space
from lazarus_tui.sandbox.cluster import SandboxCluster
from lazarus_tui.sandbox.dataplane.addresses import API_SERVICE
from lazarus_tui.sandbox.dataplane.atlas import DNS, Atlas, Target
from lazarus_tui.sandbox.dataplane.launcher import InstantLauncher, Launch
from tests.engine.world import CONTEXT, Engine, fast_folder
from tests.sandbox.velero.conftest import Threads
from tests.snapshots.stage import SPACE, Stage, StageEngine

Object = dict[str, Any]
OP = "0000000000000001"
QUARANTINE = f"lazarus-q-{OP[:8]}"
VELERO = "velero"


class Said:
    """A command that is over."""

    done, pid = True, None

    def __init__(self, code: int, out: bytes = b"", err: bytes = b"") -> None:
        self._code, self._parts = code, [(1, out), (2, err)]

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        for channel, data in self._parts:
            if data:
                yield channel, data

    async def wait(self) -> int:
        return self._code

    async def write_stdin(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def kill(self) -> None: ...

    async def resize(self, columns: int, rows: int) -> None: ...


class Ways(InstantLauncher):
    """``heed`` False: a CNI that keeps to no policy. ``strange`` answers a command first, if it wants to."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.cluster: SandboxCluster | None = None
        self.heed, self.tried = True, list[tuple[str, ...]]()
        self.strange: Callable[[tuple[str, ...]], Said | None] = lambda argv: None

    async def exec(self, launch: Launch, argv: Sequence[str], *, stdin: bool, tty: bool) -> Any:
        words = tuple(argv)
        self.tried.append(words)
        if (answer := self.strange(words)) is not None:
            return answer
        if words == ("env",):
            return Said(
                0, f"KUBERNETES_SERVICE_HOST={API_SERVICE[0]}\nKUBERNETES_SERVICE_PORT={API_SERVICE[1]}\n".encode()
            )
        if words[0] == "nc":
            return self._nc(launch, words[-2], int(words[-1]))
        if words[0] == "nslookup":
            return self._names(launch, words[3:])
        return await super().exec(launch, argv, stdin=stdin, tty=tty)

    def _nc(self, launch: Launch, host: str, port: int) -> Said:
        atlas = self.atlas()
        source = atlas.party_at(launch.env["POD_IP"])
        if any(not atlas.refusal(source, target) for target in atlas.targets(host, port)):
            return Said(0, f"{host} ({host}:{port}) open\n".encode())
        return Said(1, err=f"nc: {host} ({host}:{port}): Connection timed out\n".encode())

    def _names(self, launch: Launch, servers: Sequence[str]) -> Said:
        atlas = self.atlas()
        elsewhere = self.heed and any(one != DNS.address for one in servers)
        if elsewhere or atlas.refusal(atlas.party_at(launch.env["POD_IP"]), Target(DNS, 53), "UDP"):
            return Said(1, err=b";; connection timed out; no servers could be reached\n")
        return Said(0, b"Address: 127.43.255.1\n")

    def atlas(self) -> Atlas:
        assert self.cluster is not None
        api = self.cluster.api
        addresses = {pod["metadata"]["uid"]: (pod.get("status") or {}).get("podIP") for pod in api.list(PODS)}
        return Atlas(api, {uid: ip for uid, ip in addresses.items() if ip}, heed=self.heed)


class Copy(BaseStep):
    """Stands for the restore: a Restore and its modifiers through the gate, a workload as Velero would make it."""

    name, title, mutates = "copy", "Restore a copy", True

    def __init__(self, grounds: Grounds) -> None:
        self.grounds = grounds

    async def observe(self, context: StepContext) -> Observation:
        found = self.grounds.get(STATEFULSETS, "db", QUARANTINE)
        ready = ((found or {}).get("status") or {}).get("readyReplicas")
        return Observation(Seen.ABSENT if found is None else Seen.DONE if ready else Seen.WAITING)

    async def act(self, context: StepContext) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rules"}, "data": {"rules.yaml": "{}"}}
        await context.gate.write(Write("create", CONFIGMAPS, VELERO, "rules", body))
        spec = {"backupName": "nightly", "namespaceMapping": {SPACE: QUARANTINE}}
        restore = {"apiVersion": RESTORES.api_version, "kind": "Restore", "metadata": {"name": "back"}, "spec": spec}
        await context.gate.write(Write("create", RESTORES, VELERO, "back", restore))
        self.grounds.workload_in(QUARANTINE)


class Grounds(Stage):
    """``source`` is the namespace the data comes from: a set with a volume, a pod that says its port, two services."""

    def __init__(self, folder: Path, threads: Threads) -> None:
        super().__init__(folder, threads)
        self.ways = Ways(self.clock)
        self.cluster = SandboxCluster(
            folder / "cluster", self.clock, shop=False, history=False, serve_bucket=False, token="t",
            launcher=self.ways, interceptor=self._met,
        )  # fmt: skip
        self.ways.cluster = self.cluster
        self.api, self.server = self.cluster.api, self.cluster.server
        self.lease_namespace = VELERO
        self.ids = itertools.count(0x1000)  # of operations whose plan names none
        self.refusals: list[Callable[[HttpRequest], Awaitable[HttpResponse | None]]] = []

    async def _met(self, request: HttpRequest) -> HttpResponse | None:
        """What arrives is written down, and may be answered by ``refusals`` instead of the cluster."""
        await self._arriving(request)
        answers = [await refusal(request) for refusal in list(self.refusals)]
        return next((one for one in answers if one is not None), None)

    async def open(self) -> None:
        await self.start(1, ("data",))
        web = {"containers": [{"name": "web", "image": "lazarus.dev/pause:1", "ports": [{"containerPort": 8080}]}]}
        self.api.create(PODS, {"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": web}, SPACE)
        for name, selector in (("db", {"app": "db"}), ("web", {"app": "web"})):
            spec = {"selector": selector, "ports": [{"port": 80, "targetPort": 8080}]}
            self.api.create(SERVICES, {"metadata": {"name": name}, "spec": spec}, SPACE)
        await self.until(lambda: ((self.get(PODS, "web") or {}).get("status") or {}).get("podIP"), "web runs")
        await self.boot()

    def steps(self, params: Mapping[str, Any]) -> list[Step]:
        return [
            Space(params),
            Isolation(params),
            Copy(self),
            Isolation(params, again=True),
            Clean(params),
            ShownClean(params),
        ]

    async def boot(self) -> Engine:
        kind = OperationType("prove.small", _no_planner, lambda plan, catalog: self.steps(plan.params))
        clean = OperationType(removal.KIND, removal.plan, removal.steps)
        self.engine = await StageEngine.start(self, (kind, clean))  # type: ignore[arg-type]
        return self.engine

    async def reboot(self) -> Engine:
        """Another engine on the same journal, as after a kill."""
        assert self.engine is not None
        await self.engine.close()
        return await self.boot()

    def params(self, **more: Any) -> Object:
        return {
            "op": OP, "quarantine": QUARANTINE, "velero": VELERO, "namespace": SPACE, "workload": "StatefulSet/db",
            "restore": {"name": "back"}, "modifiers": {"name": "rules"}, "lease_namespace": VELERO, **more,
        }  # fmt: skip

    def plan(self, **more: Any) -> Plan:  # type: ignore[override]
        params = self.params(**more)
        return Plan(
            kind="prove.small", context=CONTEXT, cluster_uid=self.uid, target=QUARANTINE, title="prove", params=params,
            danger=Danger.SAFE, steps=planned(self.steps(params)),
        )  # fmt: skip

    async def prove(self, **more: Any) -> Operation:
        assert self.engine is not None
        return await self.engine.run(self.plan(**more))

    @property
    def uid(self) -> str:
        found = self.api.get(NAMESPACES, "kube-system")
        assert found is not None
        return str(found["metadata"]["uid"])

    # --- looking, and others at work

    def get(self, resource: Resource, name: str, namespace: str = SPACE) -> Object | None:
        return self.api.get(resource, name, namespace if resource.namespaced else None)

    def there(self, resource: Resource, name: str, namespace: str = SPACE) -> Object:
        found = self.get(resource, name, namespace)
        assert found is not None, f"{resource.plural} {name} is gone"
        return found

    def workload_in(self, namespace: str) -> None:
        source = self.there(STATEFULSETS, "db")
        self.api.create(STATEFULSETS, {"metadata": {"name": "db"}, "spec": source["spec"]}, namespace)

    def volume_of(self, namespace: str, claim: str = "data-db-0") -> Object:
        return self.there(VOLUMES, self.there(CLAIMS, claim, namespace)["spec"]["volumeName"])

    def deletions(self) -> list[str]:
        """Paths of what was deleted through the API, in order."""
        return [one.path for one in self.sent if one.method == "DELETE"]

    def everything(self) -> dict[str, str]:
        """Objects that no proof may change, by path, with their revision."""
        kinds = (PODS, CLAIMS, STATEFULSETS, SERVICES, SNAPSHOTS, CONTENTS, VOLUMES)
        return {
            f"{resource.plural}/{one['metadata'].get('namespace', '')}/{one['metadata']['name']}": one["metadata"][
                "uid"
            ]
            for resource in kinds
            for one in self.api.list(resource)
        }


async def _no_planner(reader: Any, params: Any, clock: Any) -> Plan:
    raise AssertionError("plans are made by the tests")


@contextlib.asynccontextmanager
async def grounds() -> AsyncIterator[Grounds]:
    threads = Threads()
    asyncio.get_running_loop().set_default_executor(threads)
    with fast_folder() as folder:
        made = Grounds(folder, threads)
        try:
            await made.open()
            yield made
        finally:
            if made.engine is not None:
                await made.engine.close()
            await made.cluster.stop()
