"""The sandbox as a real process: up, killed, up again, down; and what the cheap functions say in between."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from lazarus_tui.sandbox import process, serve


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "cluster"
    yield folder
    with contextlib.suppress(process.SandboxFailed):
        process.down(folder)


def until(condition: Callable[[], bool]) -> None:
    """However slow the machine is: only what never happens fails."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def up(root: Path, **options: Any) -> process.SandboxStatus:
    return process.up(root, timeout=90, **options)


async def ask(root: Path, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """One request with what the kubeconfig gives: its server, its CA and its token."""
    config = yaml.safe_load(process.kubeconfig(root))
    server, token = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]
    ca = config["clusters"][0]["cluster"]["certificate-authority-data"]
    trust = ssl.create_default_context(cadata=base64.b64decode(ca).decode())
    host, port = server.removeprefix("https://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=trust)
    data = b"" if body is None else json.dumps(body).encode()
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", f"Authorization: Bearer {token}"]
    head += ["Content-Type: application/json", f"Content-Length: {len(data)}", "Connection: close"]
    writer.write("\r\n".join([*head, "", ""]).encode() + data)
    answer = await reader.read()
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    status, _, rest = answer.partition(b"\r\n\r\n")
    start, end = rest.find(b"{"), rest.rfind(b"}")
    return int(status.split()[1]), json.loads(rest[start : end + 1]) if start >= 0 else None


async def test_up_killed_up_again_and_down(root: Path) -> None:
    first = up(root)
    assert first.ready
    until(lambda: process.status(root) == first)  # a pod that the machine holds up is not ready for a while
    assert oct(process.kubeconfig_path(root).stat().st_mode & 0o777) == "0o600"
    assert oct(root.stat().st_mode & 0o777) == "0o700"
    assert up(root).pid == first.pid  # idempotent
    assert os.getsid(first.pid) != os.getsid(0)

    status, _ = await ask(root, "GET", "/api/v1/namespaces/shop/services/orders:8080/proxy/stats")
    assert status == 200
    made = {"metadata": {"name": "acknowledged"}, "data": {"kept": "yes"}}
    assert (await ask(root, "POST", "/api/v1/namespaces/shop/configmaps", made))[0] == 201
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not process.status(root).running)

    second = up(root)
    assert second.ready
    assert second.pid != first.pid
    assert second.server == first.server  # kubeconfigs in other hands stay right
    status, found = await ask(root, "GET", "/api/v1/namespaces/shop/configmaps/acknowledged")
    assert (status, found["data"]) == (200, {"kept": "yes"})

    began = time.monotonic()
    assert process.down(root) is True
    if time.monotonic() - began < process._STOP_SECONDS:
        assert processes_under(root) == []
    else:  # it was held up for so long that it had to be killed: what it leaves ends by itself
        until(lambda: not processes_under(root))
    assert process.status(root).running is False
    assert process.down(root) is False


def processes_under(root: Path) -> list[str]:
    """Command lines of processes that name this sandbox's folder."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(root) in line]


def test_a_folder_without_a_sandbox_is_down(root: Path) -> None:
    assert process.status(root) == process.SandboxStatus(running=False)
    assert process.down(root) is False
    process.reset(root)
    with pytest.raises(FileNotFoundError):
        process.kubeconfig(root)


def test_a_stale_pid_is_never_believed_nor_killed(root: Path) -> None:
    root.mkdir()
    process.pid_path(root).write_text(str(os.getpid()))
    process.state_path(root).write_text(json.dumps({"pid": os.getpid(), "ready": True, "server": "https://x"}))
    assert process.status(root).running is False
    assert process.down(root) is False


def test_the_lock_lets_one_in(root: Path) -> None:
    with process.held(root) as mine:
        assert mine
        assert process.status(root).running
        assert process.status(root).pid == os.getpid()
        with process.held(root) as second:
            assert not second
        assert process.status(root).pid == os.getpid()  # the loser changed nothing
        assert process.main(["serve", "--root", str(root)]) == process.ALREADY
    assert not process.status(root).running


def test_what_a_killed_first_start_left_is_made_anew(root: Path) -> None:
    from lazarus_tui.sandbox.serve import clear_half_made

    for name in ("cluster.db", "cluster.db-wal", "bucket/b/backups/x/velero-backup.json", "volumes/v/f", "pki/ca.pem"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "filled").touch()
    clear_half_made(root)
    assert (root / "cluster.db").exists()  # a sandbox that was filled once is never touched
    (root / "filled").unlink()
    clear_half_made(root)
    assert sorted(path.name for path in root.iterdir()) == ["pki"]


def test_reset_removes_everything_of_this_sandbox_only(root: Path) -> None:
    (root / "volumes").mkdir(parents=True)
    beside = root.with_name("engine.db")
    beside.write_text("kept")
    process.reset(root)
    assert not root.exists()
    assert beside.read_text() == "kept"


def test_a_state_that_cannot_be_used_is_said_in_one_sentence(root: Path) -> None:
    root.mkdir()
    (root / "filled").touch()
    (root / "cluster.db").write_bytes(b"this is not a database at all, not by far" * 40)
    with pytest.raises(process.SandboxFailed, match="cannot be used"):
        up(root)
    assert (root / "cluster.db").read_bytes().startswith(b"this is not")  # nothing was overwritten


def test_looking_is_cheap() -> None:
    code = (
        "import sys\nfrom lazarus_tui.sandbox import process\nprint({'aiohttp', 'yaml', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


async def test_an_ephemeral_one_ends_when_its_last_client_has_gone(root: Path) -> None:
    up(root, ephemeral=True)
    assert (await ask(root, "GET", "/version"))[0] == 200
    until(lambda: not process.status(root).running)


async def test_whoever_is_coming_is_waited_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that starts slowly must not find that the sandbox it was started for has just ended."""
    monkeypatch.setattr(serve, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(serve, "_UNUSED_SECONDS", 0.02)
    low = SimpleNamespace(connections=[], requests_count=7)
    life = serve._Process(root, 1.0, True)
    watch = asyncio.ensure_future(life._end_when_unused(SimpleNamespace(runner=SimpleNamespace(server=low))))
    await asyncio.sleep(0.002)
    assert not process.ask(root), "nobody holds the lock here"
    await asyncio.sleep(0.1)
    assert not watch.done()
    low.requests_count += 1
    await watch
    assert life._end.is_set()
    with process.held(root):
        with pytest.raises(process.SandboxFailed, match="does not end"):
            process.ask(root, timeout=0.01)
        coming = asyncio.ensure_future(asyncio.to_thread(process.ask, root))
        await asyncio.sleep(0.02)
        assert not coming.done(), "one that ends is no sandbox to come to"
    assert await coming is False


async def test_one_that_was_asked_for_at_the_last_moment_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_LOOK_SECONDS", 0.001)
    asked = iter([1, 1, *[2] * 10_000])  # as it was told, at the look, and after it said that it ends
    monkeypatch.setattr(serve, "asked", lambda root: next(asked))
    monkeypatch.setattr(serve, "_UNUSED_SECONDS", 0.0)
    root.mkdir()
    low = SimpleNamespace(connections=[], requests_count=7)
    life = serve._Process(root, 1.0, True)
    watch = asyncio.ensure_future(life._end_when_unused(SimpleNamespace(runner=SimpleNamespace(server=low))))
    await asyncio.sleep(0.05)
    assert not watch.done()
    assert not process.ending_path(root).exists()
    watch.cancel()


def test_a_machine_that_is_slow_to_start_it_is_waited_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = SimpleNamespace(monotonic=lambda: time.monotonic() * 100, sleep=time.sleep)
    monkeypatch.setattr(process, "time", fast)  # the interpreter alone takes several of these seconds
    assert process.up(root, timeout=9000).ready


def test_somebody_who_looks_and_is_held_up_keeps_nobody_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root.mkdir()
    with process.pid_path(root).open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        goes_on = SimpleNamespace(sleep=lambda seconds: fcntl.flock(looking, fcntl.LOCK_UN))
        monkeypatch.setattr(process, "time", goes_on)
        with process.held(root) as mine:
            assert mine
            assert process.status(root).pid == os.getpid()


def test_whoever_is_held_up_while_it_ends_looks_again_before_they_kill(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number may be that of another process by then."""
    passed, sent, life = [0.0], list[int](), contextlib.ExitStack()

    def held_up(seconds: float) -> None:
        passed[0] += 60.0
        life.close()

    assert life.enter_context(process.held(root))
    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=lambda: passed[0], sleep=held_up))
    monkeypatch.setattr(process.os, "kill", lambda pid, signum: sent.append(signum))
    assert process.down(root) is True
    assert sent == [signal.SIGTERM]


async def test_time_for_which_the_sandbox_is_held_up_itself_makes_nothing_ready(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was kept of readiness is not believed before all has been looked at."""
    loop, life, looked = asyncio.get_running_loop(), serve._Process(root, 1.0, False), list[bool]()
    now = loop.time()

    async def settle() -> None:
        nonlocal now
        for _ in range(6):
            now += 60.0
            await asyncio.sleep(0)
        looked.append(life._settled)

    monkeypatch.setattr(loop, "time", lambda: now)
    await life._settle(SimpleNamespace(settle=settle))
    assert (looked, life._settled) == ([False], True)
