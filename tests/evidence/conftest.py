from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lazarus_tui.journal import Journal
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.world import fast_folder
from tests.evidence.keys import stand_in


@pytest.fixture
def place() -> Iterator[Path]:
    """A private folder in memory."""
    with fast_folder() as folder:
        yield folder


@pytest.fixture
def keygen(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ssh-keygen on the path: the machine's own, else one that speaks the same format."""
    provide(place, monkeypatch)


def provide(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    if shutil.which("ssh-keygen") is None:
        (place / "bin").mkdir()
        monkeypatch.setenv("PATH", f"{stand_in(place / 'bin').parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
async def journal(place: Path) -> AsyncIterator[Journal]:
    found = await Journal.open(place / "engine.db", clock=VirtualClock())
    yield found
    await found.close()
