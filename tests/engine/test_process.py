"""The engine as a process: started by whoever needs it, survives terminals and kill -9, ends when nobody needs it."""

from __future__ import annotations

import os
import pty
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lazarus_tui.cli import spawn
from lazarus_tui.engine.process import ALREADY
from lazarus_tui.link.client import LinkFault, LinkLost, SyncClient
from lazarus_tui.model.paths import StateRoot
from tests.signals import as_at_a_terminal


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StateRoot]:
    """A state root of its own; whatever engine is left there is ended."""
    for name in ("KUBECONFIG", "XDG_RUNTIME_DIR", "LAZARUS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAZARUS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAZARUS_ENGINE_IDLE", "30")
    root = StateRoot(sandbox=False)
    yield root
    client = spawn.running_engine(root)
    if client is not None:
        pid = client.call("stats", {}, dict[str, Any])["pid"]
        client.close()
        os.kill(pid, signal.SIGKILL)
        until(lambda: gone(pid))


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether the process has ended; a child of ours is reaped."""
    try:
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return True
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_is_started_private_and_found_again(root: StateRoot) -> None:
    with spawn.ensure_engine(root) as first:
        pid = first.hello.pid
        assert first.hello.open_operations == ()
        assert os.getsid(pid) == pid  # its own session: no terminal can take it along
        assert stat.S_IMODE(os.stat(root.socket).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(root.log).st_mode) == 0o600
        with spawn.ensure_engine(root) as second:
            assert second.hello.pid == pid
            # A greeting that was given up because the machine was busy is a client until the engine has looked.
            until(lambda: second.call("stats", {}, dict[str, Any])["clients"] == 2)
            stats = second.call("stats", {}, dict[str, Any])
    assert stats["rss_bytes"] > 10_000_000
    os.kill(pid, signal.SIGTERM)
    until(lambda: gone(pid))
    assert not root.socket.exists()
    assert "ended" in root.log.read_text()


def test_after_kill_9_the_next_one_takes_over(root: StateRoot) -> None:
    with spawn.ensure_engine(root) as client:
        first = client.hello.pid
        os.kill(first, signal.SIGKILL)
        with pytest.raises(LinkLost):
            client.call("stats", {}, dict[str, Any])
    until(lambda: gone(first))
    assert root.socket.exists()  # nobody could tidy up
    with spawn.ensure_engine(root) as client:
        assert client.hello.pid != first


def test_two_starters_at_once_find_one_engine(root: StateRoot) -> None:
    found: list[int] = []

    def start() -> None:
        with spawn.ensure_engine(root) as client:
            found.append(client.hello.pid)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1


@contextmanager
def instead(
    monkeypatch: pytest.MonkeyPatch, passed: list[float], start: Callable[..., Any], connect: Callable[..., Any]
) -> Iterator[None]:
    """Starts and connects as told, and waits without taking any time: seconds are added to ``passed``."""

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    with monkeypatch.context() as patch:
        patch.setattr(spawn, "time", SimpleNamespace(monotonic=lambda: passed[0], sleep=sleep))
        patch.setattr(spawn, "_start", start)
        patch.setattr(spawn, "_connect", connect)
        yield


def test_an_engine_that_met_another_one_at_its_end_is_started_again(
    root: StateRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed, starts = [0.0], list[float]()

    def start(*given: object) -> SimpleNamespace:
        starts.append(passed[0])
        return SimpleNamespace(poll=lambda: ALREADY, returncode=ALREADY)

    def connect(*given: object) -> SimpleNamespace:
        if len(starts) < 3:
            raise LinkLost("nobody listens")
        return SimpleNamespace(hello=SimpleNamespace(trouble=()))

    with instead(monkeypatch, passed, start, connect):
        spawn.ensure_engine(root)
        assert [round(later - earlier) for earlier, later in pairwise(starts)] == [3, 6]


def test_an_engine_that_keeps_the_journal_is_named_also_while_another_one_starts(
    root: StateRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed, starts = [0.0], 0

    def start(*given: object) -> SimpleNamespace:
        nonlocal starts
        starts += 1
        root.ensure()
        words = "another engine works with the journal; next: wait" if starts == 1 else "engine 123 starts"
        root.log.write_text(f"2026-06-01T00:00:00Z INFO engine: {words}\n")
        return SimpleNamespace(poll=lambda: ALREADY if starts == 1 else None, returncode=None)

    def connect(*given: object) -> SimpleNamespace:
        raise LinkLost("nobody listens")

    with instead(monkeypatch, passed, start, connect), pytest.raises(LinkFault) as caught:
        spawn.ensure_engine(root)
    fault = caught.value.fault
    assert (starts, fault.code, fault.what, fault.hint) == (
        2, "refused", "another engine works with the journal", "wait",
    )  # fmt: skip


def test_a_second_engine_on_one_journal_says_so_and_ends(root: StateRoot) -> None:
    with spawn.ensure_engine(root):
        second = subprocess.run(
            [sys.executable, "-m", "lazarus_tui.engine.process", "run"], capture_output=True, timeout=60, check=False
        )
        assert second.returncode == ALREADY
        assert second.stdout == second.stderr == b""
        assert "another engine" in root.log.read_text()


def test_it_outlives_the_terminal_it_was_started_from(root: StateRoot) -> None:
    code = (
        "from lazarus_tui.cli.spawn import ensure_engine; from lazarus_tui.model.paths import StateRoot; import time;"
        "print('PID', ensure_engine(StateRoot(sandbox=False)).hello.pid, flush=True); time.sleep(60)"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        as_at_a_terminal()
        os.execv(sys.executable, [sys.executable, "-c", code])
    said = b""
    while b"\n" not in said:
        said += os.read(terminal, 1024)
    engine = int(said.split()[1])
    os.close(terminal)  # the terminal goes: its session gets SIGHUP
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    os.kill(engine, signal.SIGHUP)  # and even one sent to the engine itself changes nothing
    with SyncClient.connect(root.socket) as client:
        assert client.hello.pid == engine


def test_it_ends_when_idle_and_not_before(root: StateRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZARUS_ENGINE_IDLE", "0.3")
    client = spawn.ensure_engine(root)
    pid = client.hello.pid
    until(lambda: client.call("stats", {}, dict[str, Any])["uptime"] > 0.8)  # longer than it may be idle
    assert client.call("stats", {}, dict[str, Any])["pid"] == pid
    client.close()
    until(lambda: gone(pid))
    assert "ending: idle" in root.log.read_text()


def test_stop_is_answered_and_then_it_ends(root: StateRoot) -> None:
    with spawn.ensure_engine(root) as client:
        pid = client.hello.pid
        client.call("engine.stop", {"park": False}, dict[str, Any])
    until(lambda: gone(pid))


def test_another_kubeconfig_is_refused_while_somebody_works_with_this_one(root: StateRoot, tmp_path: Path) -> None:
    with spawn.ensure_engine(root, kubeconfig=str(tmp_path / "a")):
        with pytest.raises(LinkFault) as caught:
            spawn.ensure_engine(root, kubeconfig=str(tmp_path / "b"))
        assert str(tmp_path / "a") in caught.value.fault.what
        assert "close the other console" in caught.value.fault.hint
    with spawn.ensure_engine(root, kubeconfig=str(tmp_path / "b")) as client:
        assert client.hello.pid > 0


def test_another_version_is_said_with_the_way_out(root: StateRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    spawn.ensure_engine(root).close()
    monkeypatch.setattr(spawn, "__version__", "99.0.0")
    with pytest.raises(LinkFault, match=r"this is 99\.0\.0") as caught:
        spawn.ensure_engine(root)
    assert caught.value.fault.code == "version"
    assert "lazarus engine stop" in caught.value.fault.hint


def test_an_engine_that_cannot_start_says_why(root: StateRoot) -> None:
    root.ensure()
    root.journal.mkdir()
    with pytest.raises(LinkFault) as caught:
        spawn.ensure_engine(root)
    assert caught.value.fault.what.startswith("the engine cannot start: ")
    assert "engine.db" in caught.value.fault.what


def test_a_folder_open_to_others_is_refused_before_anything_starts(root: StateRoot) -> None:
    root.ensure()
    os.chmod(root.home, 0o755)
    with pytest.raises(LinkFault) as caught:
        spawn.ensure_engine(root)
    assert "open to others" in caught.value.fault.what
    assert caught.value.fault.hint.startswith("chmod 700")


def test_looking_for_an_engine_starts_none(root: StateRoot) -> None:
    assert spawn.running_engine(root) is None
    assert not root.home.exists()
