"""A whole sandbox in this process, on virtual time and without pod processes, to be made to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.resources import BACKUPS, RESTORES, Resource
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.cluster import SandboxCluster
from lazarus_tui.sandbox.faults.model import Fault, Wanted
from lazarus_tui.sandbox.velero.installation import Settings, phase
from tests.sandbox.velero.conftest import Threads

START = datetime(2026, 3, 4, 9, 10, 47, tzinfo=UTC)
OVER = ("Completed", "PartiallyFailed", "Failed", "FailedValidation")


class Lab:
    def __init__(self, cluster: SandboxCluster, clock: VirtualClock, threads: Threads) -> None:
        self.cluster, self.clock, self.api, self._threads = cluster, clock, cluster.api, threads

    async def add(self, kind: str, *, lasts: float | None = None, **parameters: Any) -> Fault:
        return await self.cluster.faults.add(Wanted(kind, parameters, seconds=lasts))

    def create(self, resource: Resource, name: str, spec: dict[str, Any]) -> None:
        self.api.create(resource, {"metadata": {"name": name}, "spec": spec}, "velero")

    def get(self, resource: Resource, name: str) -> dict[str, Any]:
        found = self.api.get(resource, name, "velero")
        assert found is not None, f"{resource.plural} {name} is gone"
        return found

    async def quiet(self) -> None:
        """Let all happen that takes no time."""
        rounds = 0
        while rounds < 30:
            rounds = 0 if self._threads.busy else rounds + 1
            await asyncio.sleep(0 if rounds else 0.0005)

    async def turn(self, seconds: float) -> None:
        """Let time pass, but none while threads work."""
        await self.clock.advance(seconds, between=self.quiet)

    async def over(self, resource: Resource, name: str) -> dict[str, Any]:
        for _ in range(400):
            await self.quiet()
            if phase(self.get(resource, name)) in OVER:
                return self.get(resource, name)
            await self.turn(0.5)
        raise AssertionError(f"{name} does not end: {self.get(resource, name).get('status')}")

    async def backup(self, name: str) -> dict[str, Any]:
        self.create(BACKUPS, name, {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True})
        return await self.over(BACKUPS, name)

    async def restore(self, name: str, backup: str, **spec: Any) -> dict[str, Any]:
        self.create(RESTORES, name, {"backupName": backup} | spec)
        return await self.over(RESTORES, name)

    async def status(self, method: str, path: str) -> int:
        return (await self.cluster.transport().send(HttpRequest(method, path, timeout=1e6))).status


@asynccontextmanager
async def open_lab(root: Path, settings: Settings | None = None) -> AsyncIterator[Lab]:
    threads, clock = Threads(), VirtualClock(START)
    asyncio.get_running_loop().set_default_executor(threads)
    cluster = SandboxCluster(root, clock, history=False, settings=settings, serve_bucket=False)
    try:
        await cluster.start()
        await cluster.settle()
        yield Lab(cluster, clock, threads)
    finally:
        await cluster.stop()
