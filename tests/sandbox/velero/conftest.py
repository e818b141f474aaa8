"""A whole sandbox in this process, on virtual time, without pod processes."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model.resources import BACKUPS, CLAIMS, NAMESPACES, RESTORES, Resource
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.cluster import SandboxCluster
from lazarus_tui.sandbox.velero.installation import Settings, phase
from lazarus_tui.sandbox.velero.layout import artefact_key, unpacked

START = datetime(2026, 3, 4, 9, 10, 47, tzinfo=UTC)
OVER = ("Completed", "PartiallyFailed", "Failed", "FailedValidation")


class Threads(ThreadPoolExecutor):
    """The loop's threads, and whether one of them works: virtual time has to wait for real bytes."""

    def __init__(self) -> None:
        super().__init__(4, "lab")
        self._guard, self._under_way = threading.Lock(), 0

    @property
    def busy(self) -> bool:
        """False only when the loop has been told of every end."""
        with self._guard:
            return self._under_way > 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._guard:
            self._under_way += 1
        super().submit(self._work, future, lambda: fn(*args, **kwargs))
        return future

    def _work(self, future: Future[Any], call: Callable[[], Any]) -> None:
        try:
            if future.set_running_or_notify_cancel():
                future.set_result(call())
        except BaseException as fault:
            future.set_exception(fault)
        finally:
            with self._guard:
                self._under_way -= 1


class Lab:
    """The cluster with the few moves that tests make again and again."""

    def __init__(self, cluster: SandboxCluster, clock: VirtualClock, threads: Threads) -> None:
        self.cluster, self.clock, self.threads, self.api = cluster, clock, threads, cluster.api

    def create(self, resource: Resource, name: str, spec: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
        body = {"metadata": {"name": name, **meta}, "spec": spec or {}}
        return self.api.create(resource, body, "velero")

    def get(self, resource: Resource, name: str) -> dict[str, Any]:
        found = self.api.get(resource, name, "velero")
        assert found is not None, f"{resource.plural} {name} is gone"
        return found

    def phase(self, resource: Resource, name: str) -> str:
        return phase(self.get(resource, name))

    async def quiet(self) -> None:
        """Let all happen that takes no time: what is ready runs, and what threads do comes to its end."""
        rounds = 0
        while rounds < 30:
            rounds = 0 if self.threads.busy else rounds + 1
            await asyncio.sleep(0 if rounds else 0.0005)

    async def turn(self, seconds: float) -> None:
        """Let time pass, but none while threads work; controllers may still be busy with what takes longer."""
        await self.clock.advance(seconds, between=self.quiet)

    async def over(self, resource: Resource, name: str) -> dict[str, Any]:
        """Let time pass until the object is at its end."""
        for _ in range(400):
            await self.quiet()
            if self.phase(resource, name) in OVER:
                return self.get(resource, name)
            await self.turn(0.5)
        raise AssertionError(f"{name} stays {self.phase(resource, name)!r}: {self.get(resource, name).get('status')}")

    async def backup(self, name: str, **spec: Any) -> dict[str, Any]:
        """Back up the shop with its volumes, unless told otherwise, and wait for the end."""
        whole = {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True}
        self.create(BACKUPS, name, whole | spec)
        return await self.over(BACKUPS, name)

    async def restore(self, name: str, backup: str, **spec: Any) -> dict[str, Any]:
        self.create(RESTORES, name, {"backupName": backup} | spec)
        return await self.over(RESTORES, name)

    async def pass_(self, seconds: float) -> None:
        await self.clock.advance(seconds, between=self.cluster.settle)

    async def lose(self, namespace: str = "shop") -> None:
        """Delete a namespace and wait until it is really gone."""
        self.api.delete(NAMESPACES, namespace)
        for _ in range(60):
            if self.api.get(NAMESPACES, namespace) is None:
                return
            await self.pass_(1)
        raise AssertionError(f"{namespace} does not go away")

    def artefact(self, kind: str, name: str, bucket: str = "shop-velero-backups") -> Any:
        return unpacked(self.cluster.objects.bucket(bucket).get(artefact_key(kind, name)))

    def volume(self, namespace: str = "shop", claim: str = "data-orders-0") -> Path:
        """The directory behind a claim."""
        found = self.api.get(CLAIMS, claim, namespace)
        assert found is not None
        return self.cluster.volumes.root / found["spec"]["volumeName"]

    def bytes_of(self, namespace: str = "shop") -> dict[str, str]:
        """Digest of every file of the shop's volume, Velero's own done-files left out."""
        root = self.volume(namespace)
        files = [path for path in sorted(root.rglob("*")) if path.is_file() and ".velero" not in path.parts]
        return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


MakeLab = Callable[..., Awaitable[Lab]]


@pytest.fixture
async def make_lab(tmp_path: Path) -> AsyncIterator[MakeLab]:
    """Builds labs; ``settings`` and ``history`` are handed on. All are ended afterwards."""
    made: list[Lab] = []
    threads = Threads()
    asyncio.get_running_loop().set_default_executor(threads)

    async def make(
        *, history: bool = False, shop: bool = True, settings: Settings | None = None, serve_bucket: bool = False
    ) -> Lab:
        clock = VirtualClock(START)
        cluster = SandboxCluster(
            tmp_path / str(len(made)), clock, history=history, shop=shop, settings=settings, serve_bucket=serve_bucket
        )
        lab = Lab(cluster, clock, threads)
        made.append(lab)
        await cluster.start()
        await cluster.settle()
        return lab

    yield make
    for lab in made:
        await lab.cluster.stop()


@pytest.fixture
async def lab(make_lab: MakeLab) -> Lab:
    return await make_lab()
