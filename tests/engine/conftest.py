"""A cluster in memory and an engine on it: one that is the sandbox's, one that takes it for production."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lazarus_tui.sandbox.cluster import SandboxCluster
from tests.engine.scene import Scene, running_cluster


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SandboxCluster]:
    async with running_cluster(tmp_path / "cluster") as cluster:
        yield cluster


@pytest.fixture
async def scene(tmp_path: Path, cluster: SandboxCluster) -> AsyncIterator[Scene]:
    async with Scene(tmp_path, cluster, sandbox=True) as scene:
        yield scene


@pytest.fixture
async def prod(tmp_path: Path, cluster: SandboxCluster) -> AsyncIterator[Scene]:
    async with Scene(tmp_path, cluster, sandbox=False) as scene:
        yield scene
