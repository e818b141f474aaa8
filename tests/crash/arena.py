"""A sandbox behind TLS in this process, and engines in processes of their own that are killed at a chosen write."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lazarus_tui.journal import Event
from lazarus_tui.link.client import Client, LinkLost
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.sandbox.api import http
from lazarus_tui.sandbox.api.kubeconfig import kubeconfig
from lazarus_tui.sandbox.cluster import SandboxCluster
from tests.crash.fastclock import FastClock
from tests.engine.world import CONTEXT, WRITES
from tests.snapshots.stage import Stage

ROOT = Path(__file__).parents[2]
FACTOR = 6.0
# Real seconds after which something that should happen is taken for lost; a machine may be busy with much else.
PATIENCE = 180.0
# Real seconds by which a request of a killed engine reaches the cluster late: its successor is up by then.
LATE = 0.5
SENT, APPLIED = "sent", "applied"


@dataclass
class Arrived:
    """A write as it came to the server, in the time that engines see too (RFC 3339 of ``at`` is comparable)."""

    method: str
    path: str
    agent: str
    at: float


@dataclass
class Trap:
    """Before an ``ApiServer``: notes every write, and kills at the ``n``-th of this life, on arrival or when applied.

    A request whose sender was killed on its arrival is dropped, or with ``late`` carried out half a second later.
    """

    inner: Any
    clock: FastClock
    arrived: list[Arrived] = field(default_factory=list)
    n: int = 0
    when: str = ""
    late: bool = False
    kill: Callable[[], None] = lambda: None
    count: int = 0
    stragglers: set[asyncio.Task[Any]] = field(default_factory=set)

    def set(self, when: str, n: int, kill: Callable[[], None], *, late: bool = False) -> None:
        self.when, self.n, self.kill, self.late, self.count = when, n, kill, late, 0

    @property
    def address(self) -> str:
        return str(self.inner.address)

    @address.setter
    def address(self, value: str) -> None:
        self.inner.address = value

    def stop(self) -> None:
        self.inner.stop()

    async def handle(self, request: HttpRequest) -> Any:
        if request.method not in WRITES or "/leases" in request.path or "reviews" in request.path:
            return await self.inner.handle(request)
        if dict(request.query).get("dryRun"):
            return await self.inner.handle(request)
        agent = str(request.headers.get("user-agent", ""))
        self.arrived.append(Arrived(request.method, request.path, agent, self.clock.now().timestamp()))
        self.count += 1
        mine = self.count == self.n
        if mine and self.when == SENT:
            self.kill()
            if self.late:
                self.stragglers.add(asyncio.get_running_loop().create_task(self._late(request)))
            raise ConnectionResetError("whoever sent this is dead")
        answer = await self.inner.handle(request)
        if mine and self.when == APPLIED:
            self.kill()
        return answer

    async def _late(self, request: HttpRequest) -> None:
        await asyncio.sleep(LATE)
        await self.inner.handle(request)


class Arena(Stage):
    """A stage in fast real time, served over TLS."""

    def __init__(self, folder: Path, clock: FastClock) -> None:
        self.folder, self.fast = folder, clock
        self.clock = clock  # type: ignore[assignment]
        self.cluster = SandboxCluster(
            folder / "cluster", clock, shop=False, history=False, serve_bucket=False, token="t"
        )  # fmt: skip
        self.api, self.server, self.engine = self.cluster.api, self.cluster.server, None
        self.trap = Trap(self.server, clock)
        self.kubeconfig = folder / "kubeconfig"

    async def open(self, replicas: int) -> None:
        self.serving = await http.serve(self.trap, self.folder.parent / "pki")  # type: ignore[arg-type]
        self.kubeconfig.write_text(kubeconfig(self.serving.url, self.serving.ca_pem, "t", CONTEXT))
        self.kubeconfig.chmod(0o600)
        await self.start(replicas, ("data",))

    async def quiet(self) -> None:
        await asyncio.sleep(0.005)

    async def until(self, seen: Any, what: str) -> None:
        await happens(seen, what)

    async def close(self) -> None:
        await asyncio.gather(*self.trap.stragglers, return_exceptions=True)
        await self.cluster.stop()
        await self.serving.close()


async def happens(seen: Callable[[], Any], what: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not seen():
            await asyncio.sleep(0.01)


class Zygote:
    """The process that engines are forked from."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process, self._turn = process, asyncio.Lock()
        self._engines: list[EngineProcess] = []

    def end(self, folder: Path) -> None:
        """No engine of this state is left, whatever came in between."""
        for engine in [each for each in self._engines if each.folder == folder]:
            engine.kill()
            self._engines.remove(engine)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, clock: FastClock) -> AsyncIterator[Zygote]:
        words = (sys.executable, "-m", "tests.crash.zygote", str(clock.factor), repr(clock.zero))
        pipes: Any = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
        process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, **pipes)
        try:
            yield cls(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def engine(self, folder: Path, config: Path, points: str) -> EngineProcess:
        async with self._turn:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            asked = {"folder": str(folder), "kubeconfig": str(config), "points": points}
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            await self._process.stdin.drain()
            started = EngineProcess(int(await self._process.stdout.readline()), folder, config)
            self._engines.append(started)
            return started


class EngineProcess:
    """One engine; ``gone`` is done when it has ended, however."""

    def __init__(self, pid: int, folder: Path, config: Path) -> None:
        self.pid, self.folder, self._config = pid, folder, config
        self._fd = os.pidfd_open(pid)
        self.gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._fd, self._ended)
        self._socket = StateRoot(False, env={"LAZARUS_STATE": str(folder)}).socket

    def _ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
        self.gone.set()

    def kill(self) -> None:
        if not self.gone.is_set():
            signal.pidfd_send_signal(self._fd, signal.SIGKILL)

    async def client(self) -> Client:
        """Raises ``LinkLost`` when the engine is dead before it listens."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await Client.connect(self._socket, kubeconfig=str(self._config))
                except LinkLost:
                    if self.gone.is_set():
                        raise
                    await asyncio.sleep(0.01)


def kept(journal: Path) -> list[Event]:
    """Every event in a dead engine's journal; a copy is read, so that the next engine finds it as the kill left it."""
    with tempfile.TemporaryDirectory(prefix="lazarus-kept-") as name:
        for path in journal.parent.glob(f"{journal.name}*"):
            shutil.copy(path, name)
        with contextlib.closing(sqlite3.connect(Path(name) / journal.name)) as db:
            rows = db.execute("SELECT seq, op, at, boot_ns, actor, kind, body FROM event ORDER BY seq").fetchall()
    return [Event(*row[:-1], body=json.loads(row[-1])) for row in rows]


def fast_clock() -> FastClock:
    return FastClock(FACTOR, SystemClock().monotonic())
