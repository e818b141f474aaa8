"""Real processes in a state folder of their own: commands, consoles in a pty, an engine and a sandbox to be hurt."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import re
import select
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lazarus_tui.link.client import LinkLost, SyncClient
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.sandbox import process
from tests.signals import as_at_a_terminal

# What moves the cursor and sets colours.
CONTROL = re.compile(rb"\x1b\[[0-9;:?<>=!]*[a-zA-Z@`~]")
ROOT = Path(__file__).parents[2]
LAZARUS = [sys.executable, "-c", "import sys; from lazarus_tui.cli.main import main; sys.exit(main())"]
# Real seconds after which something that should happen is taken for lost, and a whole test: a machine may be busy
# with much else.
PATIENCE, WHOLE = 90.0, 400.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(WHOLE))


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """The first true value of ``condition``."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


class Window:
    """A command in a terminal of 80x24 that can be closed, as a lost SSH session closes it."""

    def __init__(self, env: dict[str, str], *words: str) -> None:
        self.out = b""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            as_at_a_terminal()
            os.execve(sys.executable, [*LAZARUS, *words], {**env, "COLUMNS": "80", "LINES": "24"})

    def until(self, *words: bytes, seconds: float = PATIENCE) -> bytes:
        """What came until one of ``words`` did, from here on."""
        return self._until(len(self.out), words, seconds)

    def _until(self, start: int, words: Collection[bytes], seconds: float = PATIENCE) -> bytes:
        deadline = time.monotonic() + seconds
        while not any(word in self.out[start:] for word in words):
            assert time.monotonic() < deadline, (words, self.out[start:][-3000:])
            if select.select([self.fd], [], [], 0.1)[0]:
                self._read()
        return self.out[start:]

    def quiet(self) -> None:
        """Until nothing came for a while."""
        while select.select([self.fd], [], [], 0.15)[0]:
            self._read()

    def _read(self) -> None:
        """What has come. A command that has ended, which is an error here, is told with its last words."""
        try:
            self.out += os.read(self.fd, 65536)
        except OSError:  # nobody has the other end open any more
            words = CONTROL.sub(b"", self.out)[-4000:].decode("utf-8", "replace")
            pytest.fail(f"it has ended; its last words:\n{words}", pytrace=False)

    def press(self, keys: bytes, shows: bytes) -> None:
        """Back when ``shows`` has come after it, and nothing more for a while."""
        start = len(self.out)
        os.write(self.fd, keys)
        self._until(start, (shows,))
        self.quiet()

    def hang_up(self) -> None:
        """Close the terminal; back when the command is gone."""
        os.close(self.fd)
        until(lambda: os.waitpid(self.pid, os.WNOHANG)[0])


class Field:
    """One state folder with whatever runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "home").mkdir(parents=True)
        state = {"LAZARUS_STATE": str(folder / "state"), "HOME": str(folder / "home"), "LAZARUS_ENGINE_IDLE": "600"}
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
        self.env = {**kept, **state, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
        self.main, self.sandbox = StateRoot(False, env=self.env), StateRoot(True, env=self.env)

    def run(self, *words: str, timeout: float = PATIENCE, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*LAZARUS, *words], env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL,
            timeout=timeout, check=False, **more,
        )  # fmt: skip

    def asked(self, *words: str) -> Any:
        """The JSON that a sandbox command answers with."""
        done = self.run("--sandbox", *words, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def start(self, *words: str, seconds: float = 2 * PATIENCE) -> Iterator[subprocess.Popen[str]]:
        """A command that is followed; after so many seconds it is killed, so that whoever reads it goes on."""
        with subprocess.Popen(
            [*LAZARUS, *words], env=self.env, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=as_at_a_terminal,
        ) as child:  # fmt: skip
            timer = threading.Timer(seconds, child.kill)
            timer.start()
            try:
                yield child
            finally:
                timer.cancel()

    def window(self, *words: str) -> Window:
        return Window(self.env, *words)

    def engine(self, root: StateRoot | None = None) -> int:
        """Pid of the engine that listens, 0 without one."""
        try:
            with SyncClient.attach((root or self.sandbox).socket) as client:
                return int(client.call("stats", {}, dict[str, Any])["pid"])
        except LinkLost:
            return 0

    def kill_engine(self, root: StateRoot | None = None) -> None:
        if pid := self.engine(root):
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(pid, signal.SIGKILL)
            until(lambda: not self.engine(root))

    def serving(self) -> int:
        return process.status(self.sandbox.cluster).pid

    def kill_sandbox(self) -> None:
        pid = self.serving()
        assert pid > 0, "it runs"  # 0 and -1 are not nobody to kill, but everybody
        os.kill(pid, signal.SIGKILL)
        until(lambda: not process.status(self.sandbox.cluster).running)

    @contextlib.contextmanager
    def halted(self) -> Iterator[None]:
        """The sandbox's process stands still, with every thread of it, and goes on afterwards."""
        pid = self.serving()
        assert pid > 0, "it runs"
        os.kill(pid, signal.SIGSTOP)
        try:
            until(lambda: _states(pid) == {"T"})
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def token(self) -> str:
        return str(self._config()["users"][0]["user"]["token"])

    def _config(self) -> Any:
        return yaml.safe_load(process.kubeconfig(self.sandbox.cluster))

    def api(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """One request to the sandbox's API server, past Lazarus."""
        cluster = self._config()["clusters"][0]["cluster"]
        trust = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        headers = {"authorization": f"Bearer {self.token()}", "content-type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(cluster["server"] + path, method=method, data=data, headers=headers)
        with urllib.request.urlopen(request, context=trust, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def close(self) -> None:
        for root in (self.main, self.sandbox):
            self.kill_engine(root)
        for pid in _with(f"LAZARUS_STATE={self.env['LAZARUS_STATE']}"):  # an engine that does not listen, or not yet
            if b"lazarus_tui.engine.process" in _read(f"/proc/{pid}/cmdline"):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(process.SandboxFailed):
            process.down(self.sandbox.cluster)


def _states(pid: int) -> set[str]:
    """Of each thread of a process, as the kernel has them."""
    stats = [_read(str(path)) for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return {stat.rpartition(b")")[2].split()[0].decode() for stat in stats if stat}


def _with(setting: str) -> list[int]:
    """The processes that were given an environment's setting."""
    paths = list(Path("/proc").glob("[0-9]*/environ"))
    return [int(path.parent.name) for path in paths if setting.encode() in _read(str(path)).split(b"\0")]


def _read(path: str) -> bytes:
    """A file of the kernel about a process; empty when that is gone."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    """Nothing runs yet."""
    made = Field(tmp_path)
    yield made
    made.close()


GOOD = "good"


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """A sandbox that is up, with a verified backup ``GOOD`` of its shop."""
    made = Field(tmp_path_factory.mktemp("shop"))
    try:
        assert made.run("sandbox", "up").returncode == 0
        until(lambda: process.status(made.sandbox.cluster).ready)  # a busy machine may need longer than a command waits
        backed = made.run("--sandbox", "backup", "create", GOOD, "-n", "shop", "--fs-backup")
        assert backed.returncode == 0, backed.stderr
        yield made
    finally:
        made.close()
