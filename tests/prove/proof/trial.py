"""Whole proofs in this process: a real plan from a real backup of the sandbox's Velero, run by a real engine.

Time is virtual, bytes and objects are real, pods are no processes; downloads are answered by the object store itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import pytest

from lazarus_tui import prove, snapshots, velero
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Params, Plan
from lazarus_tui.model.resources import BACKUPS, CONFIGMAPS, DOWNLOAD_REQUESTS, NAMESPACES, RESTORES, VOLUMES
from lazarus_tui.model.snapshots import CONTENTS
from lazarus_tui.prove.quarantine.names import OPERATION
from lazarus_tui.sandbox.velero.installation import phase
from lazarus_tui.sandbox.velero.layout import artefact_key
from lazarus_tui.velero.artefacts import unpack
from tests.engine.drive import Cut, Drive
from tests.engine.world import Engine, fast_folder
from tests.prove.quarantine.grounds import VELERO, Grounds
from tests.prove.silences.manager import Beside, Manager
from tests.sandbox.velero.conftest import Threads
from tests.snapshots.stage import SPACE, StageEngine

T = TypeVar("T", bound="Trial")
OVER = ("Completed", "PartiallyFailed", "Failed", "FailedValidation")
BUCKET = "shop-velero-backups"


class Planning(Cluster):
    """What planners read: the cluster, what lies in its bucket, and each other's plans."""

    def __init__(self, inner: Cluster, trial: Trial) -> None:
        super().__init__(inner.transport, inner.context, inner.clock, policy=inner.policy, rng=inner.rng)
        self._trial = trial

    async def artefact(self, velero: str, kind: str, name: str) -> bytes:
        data = self._trial.cluster.objects.bucket(BUCKET).get(artefact_key(kind, name))
        return data if kind == "BackupContents" else unpack(data)

    async def make(self, kind: str, params: Params) -> Plan:
        engine = self._trial.engine
        assert engine is not None
        return await engine.registry.plan(kind, self, params, self.clock)


class Trial(Grounds):
    """``nightly`` is a backup of the namespace with the files of its volume."""

    def silenced(self) -> Manager:
        """An Alertmanager ``main`` for proofs that are planned with it."""
        manager = Manager(self.clock.now)
        self.alertmanagers = {"main": Beside(manager)}
        return manager

    async def boot(self) -> Engine:
        types = (*velero.OPERATIONS, *snapshots.OPERATIONS, *prove.OPERATIONS)
        self.engine = await StageEngine.start(self, types)  # type: ignore[arg-type]
        return self.engine

    async def backup(self, name: str = "nightly", **spec: Any) -> None:
        whole = {"includedNamespaces": [SPACE], "defaultVolumesToFsBackup": True, "storageLocation": "default"}
        body = {"metadata": {"name": name, "namespace": VELERO}, "spec": {**whole, "ttl": "72h0m0s", **spec}}
        self.api.create(BACKUPS, body, VELERO)
        await self.until(lambda: phase(self.there(BACKUPS, name, VELERO)) in OVER, f"{name} is over")

    async def planned(self, **params: Any) -> Plan:
        engine = self.engine
        assert engine is not None
        wanted = {"namespace": SPACE, "point": "nightly", "velero": VELERO, **params}
        reader = Planning(engine.cluster, self)
        return await engine.passing(engine.registry.plan("prove.run", reader, wanted, self.clock))

    async def proven(self, **params: Any) -> Operation:
        """A whole proof, from its plan to its end."""
        assert self.engine is not None
        plan = await self.planned(**params)
        return await self.engine.run(plan, plan.target)

    async def lived(self, plan: Plan, k: int) -> tuple[int, Operation]:
        """The proof of ``plan``, killed at its ``k``-th suspension (0: never) and taken up by another engine.

        Returns how many suspensions the first life had, and the end.
        """
        engine, drives, tasks = self.engine, list[Drive](), list[asyncio.Task[None]]()
        assert engine is not None

        def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            drives.append(Drive(work, k, lambda: engine.sever(lose=k % 2 == 1)))
            tasks.append(asyncio.get_running_loop().create_task(drives[-1].run()))
            return tasks[-1]

        engine.runner._spawn = spawn  # type: ignore[method-assign]
        await engine.passing(engine.runner.start(plan, plan.digest(), plan.target))
        try:
            for task in tasks:
                await engine.passing(task)
        except Cut:
            engine = await self.reboot()
            await engine.passing(engine.runner.recover())
            await engine.finish(str(plan.params["op"]))
        return drives[0].n, await engine.passing(engine.runner.get(str(plan.params["op"])))

    def remains(self) -> list[str]:
        """What there is of any proof, wherever it lies."""
        papers = [
            f"{kind.plural}/{one['metadata']['name']}"
            for kind in (CONFIGMAPS, RESTORES, DOWNLOAD_REQUESTS)
            for one in self.api.list(kind, VELERO)
            if "lazarus.io/op" in (one["metadata"].get("labels") or {})
        ]
        wide = [
            f"{kind.plural}/{one['metadata']['name']}"
            for kind in (VOLUMES, CONTENTS)
            for one in self.api.list(kind)
            if OPERATION in (one["metadata"].get("labels") or {})
        ]
        return [*self.quarantines(), *papers, *wide]

    def quarantines(self) -> list[str]:
        found = [str(one["metadata"]["name"]) for one in self.api.list(NAMESPACES)]
        return [name for name in found if name.startswith("lazarus-q-")]


async def _fetched(trial: Trial, url: str) -> bytes:
    path, _, query = url.partition("?")
    status, body = trial.cluster.objects.answer(path, query)
    if status != 200:
        raise OSError(f"the storage answered {status}")
    return body


@contextlib.asynccontextmanager
async def trial(monkeypatch: pytest.MonkeyPatch, make: type[T] = Trial, **backup: Any) -> AsyncIterator[T]:  # type: ignore[assignment]
    threads = Threads()
    asyncio.get_running_loop().set_default_executor(threads)
    with fast_folder() as folder:
        made = make(folder, threads)

        async def download(url: str, **limits: Any) -> bytes:
            return await _fetched(made, url)

        monkeypatch.setattr("lazarus_tui.engine.context.download", download)
        try:
            await made.open()
            await made.backup(**backup)
            yield made
        finally:
            if made.engine is not None:
                await made.engine.close()
            await made.cluster.stop()
