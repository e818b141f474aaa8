"""Fixtures of the kube tests; the fakes behind them are in ``kube_fakes``."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from faulty_place import Place
from kube_fakes import ManualClock, Script, ScriptedTransport

from lazarus_tui.kube import transport
from lazarus_tui.kube.cluster import Cluster


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of a test stand still together with it: that says nothing about how long a connection may take."""
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 60.0)
    monkeypatch.setattr(transport, "READY_TIMEOUT", 60.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def scripted(clock: ManualClock) -> Callable[..., Cluster]:
    """A cluster whose transport answers from a script; ``rng`` is the worst case of every jitter."""

    def make(*script: Script) -> Cluster:
        return Cluster(ScriptedTransport(*script), "test", clock, rng=lambda: 1.0)

    return make


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    yield made
    await made.close()
