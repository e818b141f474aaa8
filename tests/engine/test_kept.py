"""What is kept for a while keeps the engine too, and whoever leaves is told of it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from lazarus_tui.cli import console, engine
from lazarus_tui.cli.session import Session
from lazarus_tui.engine.sweeping import Sweeping
from lazarus_tui.model import processes
from lazarus_tui.model.paths import StateRoot
from tests.engine.scene import Scene

KEPT = "prod: Namespace lazarus-q-1 of proof 1 is kept until 2026-01-01 21:40 UTC"


@pytest.fixture
def session(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Sweeping, "stays_for", lambda self: (KEPT,))
    root = StateRoot(True, env={"LAZARUS_STATE": str(scene.folder / "state")})
    return SimpleNamespace(state_root=lambda: root)


async def test_an_engine_is_not_idle_while_something_is_kept(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not scene.house._busy()
    monkeypatch.setattr(Sweeping, "stays_for", lambda self: (KEPT,))
    assert scene.house._busy()


async def test_whoever_leaves_the_console_is_told_until_when(
    scene: Scene, session: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.to_thread(console._say_what_stays, session)
    assert capsys.readouterr().err == f"{KEPT}; the engine stays until then\n"
    await scene.client.close()
    await scene.house.server.stop()
    await asyncio.to_thread(console._say_what_stays, session)
    assert capsys.readouterr().err == "", "an engine that is gone is no trouble for somebody who leaves"


async def test_whoever_ends_the_engine_is_told_what_nobody_removes_then(
    scene: Scene, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "there", lambda pid: not scene.ended.is_set())  # it has no process of its own here
    done = await asyncio.to_thread(CliRunner().invoke, engine.stop, [], obj=session)
    assert scene.ended.is_set()
    assert f"{KEPT}; nobody removes it then unless an engine runs" in done.stderr
