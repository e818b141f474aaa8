"""One real control plane for the session and a throw-away namespace for each test.

Its programs are in the folder that LAZARUS_APISERVER names: ``.ci/apiserver/prepare`` prints it, ``.ci/real`` does all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent.parent / ".ci" / "apiserver"))

from control_plane import ControlPlane
from real_world import PATIENCE, World

from lazarus_tui.kube import cluster, transport

VARIABLE = "LAZARUS_APISERVER"


def pytest_configure(config: pytest.Config) -> None:
    if not os.environ.get(VARIABLE):
        raise pytest.UsageError(f"{VARIABLE} does not name a folder with etcd and kube-apiserver: run .ci/real")


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane(Path(os.environ[VARIABLE]), tmp_path_factory.mktemp("plane")) as plane:
        yield plane


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is held up by the machine answers late: how long Lazarus waits is the matter of other tests."""
    for limit in ("READ_TIMEOUT", "MUTATE_TIMEOUT", "LIST_TIMEOUT"):
        monkeypatch.setattr(cluster, limit, PATIENCE)
    for limit in ("CONNECT_TIMEOUT", "READY_TIMEOUT"):
        monkeypatch.setattr(transport, limit, PATIENCE)


@pytest.fixture
async def world(plane: ControlPlane) -> AsyncIterator[World]:
    world = await World.open(plane, f"lazarus-real-{uuid4().hex[:8]}")
    try:
        await world.begin()
        yield world
    finally:
        try:
            await world.stand()
        finally:
            await world.close()
