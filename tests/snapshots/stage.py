"""A sandbox in this process with a StatefulSet that has data, and an engine on it; time is virtual, bytes are real."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from lazarus_tui import snapshots
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.objects import record
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.resources import CLAIMS, NAMESPACES, PODS, STATEFULSETS, VOLUMES, Resource
from lazarus_tui.model.sets import SetAbout, SnapshotSet, sets
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS, Content, Snapshot
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.cluster import SandboxCluster
from lazarus_tui.snapshots.members import member
from tests.engine.world import WRITES, Engine, Sent, fast_folder, step_on
from tests.sandbox.velero.conftest import Threads

Object = dict[str, Any]
SPACE, NAME = "prod", "db"


def stateful_set(replicas: int, templates: tuple[str, ...], **spec: Any) -> Object:
    labels = {"app": NAME}
    mounts = [{"name": template, "mountPath": f"/{template}"} for template in templates]
    container = {"name": NAME, "image": "lazarus.dev/pause:1", "volumeMounts": mounts}
    claims = [
        {
            "metadata": {"name": template, "labels": {"app.kubernetes.io/managed-by": "Helm"}},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": spec.get("storage", "standard"),
                "resources": {"requests": {"storage": "64Mi"}},
            },
        }
        for template in templates
    ]  # fmt: skip
    more = {key: value for key, value in spec.items() if key != "storage"}
    return {
        "metadata": {"name": NAME, "namespace": SPACE},
        "spec": {
            "replicas": replicas, "serviceName": NAME, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            "volumeClaimTemplates": claims, **more,
        },
    }  # fmt: skip


class Stage:
    """What ``tests.engine.world.Engine`` asks of a world, and the moves tests make again and again."""

    def __init__(self, folder: Path, threads: Threads) -> None:
        self.folder, self.threads, self.clock = folder, threads, VirtualClock()
        self.cluster = SandboxCluster(
            folder / "cluster", self.clock, shop=False, history=False, serve_bucket=False, token="t",
            interceptor=self._arriving,
        )  # fmt: skip
        self.sent: list[Sent] = []
        self.api, self.server = self.cluster.api, self.cluster.server
        self.ids = itertools.count(1)
        self.armed, self.disposable, self.lease_namespace = True, False, SPACE
        self.engine: Engine | None = None

    async def start(self, replicas: int, templates: tuple[str, ...], **spec: Any) -> None:
        await self.cluster.start()
        self.api.create(NAMESPACES, {"metadata": {"name": SPACE}})
        self.api.create(STATEFULSETS, stateful_set(replicas, templates, **spec), SPACE)
        await self.until(lambda: self.ready() == replicas, "the set is ready")

    async def boot(self) -> Engine:
        self.engine = await StageEngine.start(self, tuple(snapshots.OPERATIONS))  # type: ignore[arg-type]
        return self.engine

    async def _arriving(self, request: HttpRequest) -> None:
        """Note every write with how far the journal was by then."""
        if request.method in WRITES and "/leases" not in request.path:
            seq = self.engine.journal._seq if self.engine else 0
            agent = str(request.headers.get("user-agent", ""))
            self.sent.append(Sent(request.method, request.path, agent, "", seq))

    # --- looking

    def get(self, resource: Resource, name: str) -> Object | None:
        return self.api.get(resource, name, SPACE if resource.namespaced else None)

    def workload(self) -> Object:
        found = self.get(STATEFULSETS, NAME)
        assert found is not None
        return found

    def ready(self) -> int:
        return int((self.workload().get("status") or {}).get("readyReplicas") or 0)

    def claim(self, name: str) -> Object:
        found = self.get(CLAIMS, name)
        assert found is not None, f"claim {name} is gone"
        return found

    def folder_of(self, claim: str) -> Path:
        """The directory behind a claim."""
        volume = self.get(VOLUMES, self.claim(claim)["spec"]["volumeName"])
        assert volume is not None
        return self.cluster.volumes.path(volume)

    def data(self) -> dict[str, str]:
        """What each claim's volume holds."""
        claims = [claim["metadata"]["name"] for claim in self.api.list(CLAIMS, SPACE)]
        return {name: self._text(name) for name in sorted(claims)}

    def _text(self, claim: str) -> str:
        path = self.folder_of(claim) / "data"
        return path.read_text() if path.exists() else ""

    def write(self, text: str) -> None:
        """Every replica writes ``text`` and its own name."""
        for name in self.data():
            (self.folder_of(name) / "data").write_text(f"{text} {name}")

    def sets(self) -> list[SnapshotSet]:
        found = [record(one, Snapshot) for one in self.api.list(SNAPSHOTS, SPACE)]
        return sets(found, [record(one, Content) for one in self.api.list(CONTENTS)])

    # --- moving

    async def quiet(self) -> None:
        """Let all happen that takes no time."""
        rounds = 0
        while rounds < 30:
            rounds = 0 if self.threads.busy or self._writing() else rounds + 1
            await asyncio.sleep(0 if rounds else 0.0005)

    def _writing(self) -> bool:
        """Whether the engine's journal is at work: real time passes there, so none may pass here."""
        journal = self.engine.journal if self.engine else None
        return journal is not None and bool(journal._running or journal._turn.locked())

    async def until(self, seen: Any, what: str) -> None:
        for _ in range(2000):
            await self.quiet()
            if seen():
                return
            await step_on(self.clock)
        raise AssertionError(f"never: {what}")

    async def cut(self, name: str) -> SnapshotSet:
        """A set of every claim, made by hand and ready."""
        claims = tuple(sorted(claim["metadata"]["name"] for claim in self.api.list(CLAIMS, SPACE)))
        about = SetAbout(workload=f"StatefulSet/{NAME}", replicas=self.ready(), claims=claims)
        for claim in claims:
            self.api.create(SNAPSHOTS, member(name, SPACE, claim, about, class_name="", role="backup"), SPACE)
        await self.until(lambda: self._set(name).usable, f"set {name} is usable")
        return self._set(name)

    def _set(self, name: str) -> SnapshotSet:
        return next(found for found in self.sets() if found.id == name)

    async def plan(self, engine: Engine, **params: Any) -> Plan:
        wanted = {"namespace": SPACE, "statefulset": NAME, **params}
        work = engine.registry.plan("snapshots.restore-in-place", engine.cluster, wanted, self.clock)
        return await engine.passing(work)

    async def restore(self, engine: Engine, **params: Any) -> Operation:
        plan = await self.plan(engine, **params)
        return await engine.run(plan, plan.target)

    def pods(self) -> list[str]:
        return sorted(pod["metadata"]["name"] for pod in self.api.list(PODS, SPACE))

    def handles(self) -> set[str]:
        """Every volume that still has its data."""
        return set(self.cluster.volumes.handles())


class StageEngine(Engine):
    async def settle(self, task: asyncio.Future[Any] | None = None) -> None:
        calm = 0
        stage: Any = self.world
        while calm < 40 and not (task is not None and task.done()):
            busy = self.journal._running or self.journal._turn.locked() or stage.threads.busy
            calm = 0 if busy else calm + 1
            await asyncio.sleep(0 if calm else 0.0002)


@contextlib.asynccontextmanager
async def staged(
    replicas: int = 2, templates: tuple[str, ...] = ("data",), **spec: Any
) -> AsyncIterator[tuple[Stage, Engine]]:
    """A stage with its set ready, and an engine on it."""
    threads = Threads()
    asyncio.get_running_loop().set_default_executor(threads)
    with fast_folder() as folder:
        stage = Stage(folder, threads)
        try:
            await stage.start(replicas, templates, **spec)
            yield stage, await stage.boot()
        finally:
            if stage.engine is not None:
                await stage.engine.close()
            await stage.cluster.stop()


def merged(found: Mapping[str, Any], *path: str) -> Any:
    """The member of an object along ``path``; None where it ends."""
    value: Any = found
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
