"""An engine whose sandbox is gone says so, waits while somebody watches, and not for ever when nobody does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lazarus_tui.engine.sandbox_life import HINT, LOOK, LOST, SandboxLife
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.model.processes import there
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.scene import SANDBOX, Scene


def started(*words: str) -> subprocess.Popen[bytes]:
    """A process that waits, with such a command line as a sandbox of ``words`` has; it has begun."""
    command = [sys.executable, "-I", "-S", "-c", "print(flush=True); input()", *words]
    found = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert found.stdout is not None
    assert found.stdout.readline()
    return found


def serving(folder: Path) -> subprocess.Popen[bytes]:
    return started("-m", "lazarus_tui.sandbox.process", "serve", "--root", str(folder))


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with serving(tmp_path) as found:
        yield found
        found.kill()


def test_a_process_is_there_until_it_is_killed_also_when_nobody_asked_for_its_end(
    process: subprocess.Popen[bytes],
) -> None:
    assert there(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not there(process.pid), "a zombie serves nothing"
    process.wait()
    assert not there(process.pid)


async def test_nobody_waits_for_ever_for_one_that_is_gone(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    clock = VirtualClock()
    life = SandboxLife(tmp_path, clock)
    watching = asyncio.create_task(life.run())
    assert life.words("refused", "check the VPN") == ("refused", "check the VPN"), "where nothing is known of it"
    pid = tmp_path / "serve.pid"
    pid.write_text(f"{process.pid}")
    await clock.advance(2 * LOST)
    assert (life.trouble(), life.lost) == ("", False)
    process.kill()
    process.wait()
    reason, hint = life.words("refused", "check the VPN")
    assert reason == f"the sandbox is not running: its process {process.pid} is gone"
    assert "lazarus sandbox up" in hint
    await clock.advance(LOST)
    assert not life.lost
    await clock.advance(2 * LOOK)
    assert life.lost
    pid.write_text(str(os.getpid()))
    await clock.advance(LOOK)
    assert life.lost, "its pid is that of another process now"
    with serving(tmp_path) as again:
        pid.write_text(str(again.pid))
        await clock.advance(LOOK)
        assert (life.lost, life.trouble()) == (False, "")
        again.kill()
    for unreadable in ("", "x"):
        pid.write_text(unreadable)
        assert life.trouble() == "", "one that starts is not gone"
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


def test_one_that_has_no_words_yet_is_not_taken_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc/PID/cmdline is empty while a process executes another program."""
    life = SandboxLife(tmp_path, VirtualClock())
    (tmp_path / "serve.pid").write_text(str(os.getpid()))
    assert life.trouble() != ""
    monkeypatch.setattr(Path, "read_bytes", lambda path: b"")
    assert life.trouble() == ""


def test_a_sandbox_of_another_folder_is_not_this_one(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
    (tmp_path / "link").symlink_to(own)
    life = SandboxLife(own, VirtualClock())
    for folder, is_ours in ((own, True), (tmp_path / "link", True), (other, False), (tmp_path / "gone", True)):
        with serving(folder) as found:
            (own / "serve.pid").write_text(str(found.pid))
            assert (life.trouble() == "") is is_ours, folder
            found.kill()


async def test_the_console_is_told_that_the_sandbox_is_gone_and_what_to_do(scene: Scene) -> None:
    await scene.use()
    root = StateRoot(True, env={"LAZARUS_STATE": str(scene.folder / "state")}).cluster
    root.mkdir(parents=True, exist_ok=True)
    both, pid, schedules = ["stale"] * 2, root / "serve.pid", f"schedules/{SANDBOX}"
    await scene.follow(schedules, until=lambda t: t.state(schedules).state == "ready")
    pid.write_text("4194305")  # above the largest pid there can be
    scene.down.set()
    topics = await scene.follow(
        schedules,
        "contexts",
        until=lambda t: [each.state for each in (t.state(schedules), *t.state("contexts").records.values())] == both,
    )
    row, state = topics.state("contexts").records[SANDBOX], topics.state(schedules)
    assert row.reason == state.reason == "the sandbox is not running: its process 4194305 is gone"
    assert row.hint == state.hint == HINT
    found = await scene.call("doctor", context=None)
    assert row.reason in found[-1]["what"]


async def test_with_its_sandbox_gone_an_open_operation_does_not_keep_an_unwatched_engine(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.use()
    begun = await scene.backup()
    assert scene.house._busy()
    monkeypatch.setattr(SandboxLife, "lost", True)
    assert not scene.house._busy()
    assert scene.house._why_idle().endswith(f"and nobody watches; the next engine takes up {begun.id}")
    assert begun.id in [each.id for each in await scene.house._journal.open_operations()], "the next one has it"
