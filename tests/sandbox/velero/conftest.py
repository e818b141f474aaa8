"""A whole sandbox in this process, on virtual time, without pod processes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
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


class Lab:
    """The cluster with the few moves that tests make again and again."""

    def __init__(self, cluster: SandboxCluster, clock: VirtualClock) -> None:
        self.cluster, self.clock, self.api = cluster, clock, cluster.api

    def create(self, resource: Resource, name: str, spec: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
        body = {"metadata": {"name": name, **meta}, "spec": spec or {}}
        return self.api.create(resource, body, "velero")

    def get(self, resource: Resource, name: str) -> dict[str, Any]:
        found = self.api.get(resource, name, "velero")
        assert found is not None, f"{resource.plural} {name} is gone"
        return found

    def phase(self, resource: Resource, name: str) -> str:
        return phase(self.get(resource, name))

    async def over(self, resource: Resource, name: str) -> dict[str, Any]:
        """Let time pass until the object is at its end."""
        for _ in range(400):
            if self.phase(resource, name) in OVER:
                return self.get(resource, name)
            await self.clock.advance(0.5)
            await asyncio.sleep(0.001)
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

    async def make(
        *, history: bool = False, shop: bool = True, settings: Settings | None = None, serve_bucket: bool = False
    ) -> Lab:
        clock = VirtualClock(START)
        cluster = SandboxCluster(
            tmp_path / str(len(made)), clock, history=history, shop=shop, settings=settings, serve_bucket=serve_bucket
        )
        lab = Lab(cluster, clock)
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
