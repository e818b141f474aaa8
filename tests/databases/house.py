"""A shipped sandbox with databases in it, what the tests do to it, and a client that writes without a pause."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from lazarus_tui.kube.cluster import Cluster, object_path
from lazarus_tui.kube.contexts import load_kubeconfig
from lazarus_tui.kube.errors import KubeError, NotFound
from lazarus_tui.kube.held import Held
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.model.resources import CLAIMS, PODS, STATEFULSETS, VOLUMES, Resource
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from lazarus_tui.sandbox import process
from lazarus_tui.sandbox.scenarios.manifests import manifests

from .engines import Engine, content, look_at_itself

SPACE = "databases"
ROOT = Path(__file__).parents[2]
Object = dict[str, Any]
# Seconds: how long a test waits for what has to come, how often it looks, how long a writer rests between rows.
PATIENCE, LOOK, REST = 90.0, 0.02, 0.002


def _descriptors() -> int:
    """How many of this process its loop listens to."""
    return len(asyncio.get_running_loop()._selector.get_map())  # type: ignore[attr-defined]


class House:
    """``cluster`` is Lazarus's own connection to the sandbox of ``env``."""

    def __init__(self, env: dict[str, str], cluster: Cluster, record: Callable[[str, object], None]) -> None:
        self.env, self.cluster, self._record = env, cluster, record
        self.root = StateRoot(True, env=env).cluster

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, env: dict[str, str], record: Callable[[str, object], None] = lambda name, value: None
    ) -> AsyncIterator[House]:
        path, before = process.kubeconfig_path(StateRoot(True, env=env).cluster), _descriptors()
        cluster = await Cluster.open(load_kubeconfig([path], environ={}).context())
        try:
            yield cls(env, cluster, record)
        finally:
            await cluster.close()
            # The client ends TLS with the server after it was closed.
            end = time.monotonic() + PATIENCE
            while (left := _descriptors() - before) > 0:
                assert time.monotonic() < end, f"{left} descriptors are still open"
                await asyncio.sleep(LOOK)
            for _ in range(2):  # what is not listened to any more is closed by the loop's next turns
                await asyncio.sleep(0)

    async def lazarus(self, *words: str, code: int = 0) -> Object:
        """The JSON that a command answers with; its exit code must be ``code``."""
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import sys; from lazarus_tui.cli.main import main; sys.exit(main())",
            "--sandbox", *words, "-o", "json", env=self.env, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await done.communicate()
        assert done.returncode == code, err.decode()[-3000:]
        found: Object = json.loads(out)
        return found

    # --- looking

    async def get(self, resource: Resource, name: str) -> Object:
        space = SPACE if resource.namespaced else None
        return await self.cluster.read(object_path(resource, space, name), dict[str, Any])

    async def until(self, seen: Callable[[], Awaitable[Any]], what: str) -> Any:
        end = time.monotonic() + PATIENCE
        while not (found := await seen()):
            assert time.monotonic() < end, f"never: {what}"
            await asyncio.sleep(LOOK)
        return found

    async def ready(self, pod: str, *, restarts: int = 0, other_than: str = "") -> Object:
        """The pod, once it is ready after so many restarts; ``other_than`` is the uid of an earlier one."""

        async def look() -> Object | None:
            try:
                found = await self.get(PODS, pod)
            except NotFound:
                return None
            told = ((found.get("status") or {}).get("containerStatuses") or [{}])[0]
            fits = found["metadata"]["uid"] != other_than and told.get("restartCount", 0) >= restarts
            return found if fits and told.get("ready") else None

        return await self.until(look, f"{pod} is ready")

    async def run(self, pod: str, words: Sequence[str]) -> str:
        done = await self.cluster.exec(SPACE, pod, "", words, timeout=60)
        said = (done.stdout + done.stderr).decode()
        assert done.exit_code == 0, f"{words[0]}: {said}"
        return said.strip()

    async def rows(self, engine: Engine, pod: str, table: str) -> dict[int, str]:
        return engine.rows(await self.run(pod, engine.ask(engine.select.format(t=table))))

    async def holds(self, engine: Engine, pod: str, table: str, writer: Writer, cut: float | None = None) -> int:
        """All rows of ``table`` are as they were written, none is missing and none too many; how many there are.

        ``cut``: the moment (seconds since 1970) whose rows they are; without one, all that were ever answered.
        """
        found = await self.rows(engine, pod, table)
        moment = cut or float("inf")
        sure = max((n for n, when in writer.acked.items() if when < moment), default=0)
        possible = max((n for n, when in writer.sent.items() if when < moment), default=0)
        assert sorted(found) == list(range(1, len(found) + 1)), "rows are missing in between"
        assert sure <= len(found) <= possible, f"{len(found)} rows, answered before: {sure}, sent before: {possible}"
        assert found == {n: content(table, n) for n in found}
        await look_at_itself(engine, lambda words: self.run(pod, words), table, len(found))
        return len(found)

    async def cut_of(self, snapshot: str) -> float:
        """The moment a snapshot is of, once it is known: everybody stood still then (seconds since 1970)."""

        async def look() -> float:
            status = (await self.get(SNAPSHOTS, snapshot)).get("status") or {}
            if not status.get("readyToUse"):
                return 0.0
            content = await self.get(CONTENTS, status["boundVolumeSnapshotContentName"])
            return int(content["status"]["creationTime"]) / 1e9

        return float(await self.until(look, f"{snapshot} is ready"))

    async def cuts(self, name: str) -> dict[str, float]:
        """The moment that each claim's volume in a snapshot set is of."""
        told = await self.lazarus("snapshot", "describe", name)
        return {one["claim"]: await self.cut_of(one["snapshot"]) for one in told["members"]}

    # --- processes of this machine

    async def folder(self, claim: str) -> Path:
        """Where a claim's data is; raises ``NotFound`` while there is no such claim or it is not bound."""
        volume = await self.get(VOLUMES, (await self.get(CLAIMS, claim))["spec"].get("volumeName") or "none-yet")
        return self.root / "volumes" / str(volume["spec"]["csi"]["volumeHandle"])

    def server(self, folder: Path) -> int:
        """The process of the server on a volume, 0 without one; of PostgreSQL's the one that started the others."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if folder in Path(os.readlink(entry / "cwd")).parents:
                    found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        return min((pid for pid, parent in found.items() if parent not in found), default=0)

    async def kill(self, claim: str) -> None:
        assert await self.kill_if_there(await self.folder(claim))

    async def kill_if_there(self, folder: Path) -> bool:
        pid = self.server(folder)
        if pid:
            os.kill(pid, signal.SIGKILL)
        return bool(pid)

    async def made_anew(self) -> None:
        """The databases as they were in the beginning, empty and ready; no fault stays."""
        await self.lazarus("sandbox", "fault", "clear")
        sets = [one for one in manifests(SPACE) if one["kind"] == STATEFULSETS.kind]
        names = [one["metadata"]["name"] for one in sets]
        old = [(STATEFULSETS, name) for name in names]
        old += [(PODS, f"{name}-0") for name in names] + [(CLAIMS, f"data-{name}-0") for name in names]
        for resource, name in old:
            await self._removed(resource, name)
        for one in sets:
            await self.cluster.create(STATEFULSETS, one, SPACE)
        for name in names:
            await self.ready(f"{name}-0")

    async def _removed(self, resource: Resource, name: str) -> None:
        async def gone() -> bool:
            try:
                found = await self.get(resource, name)
                if not found["metadata"].get("deletionTimestamp"):
                    await self.cluster.delete(resource, name, SPACE)
            except NotFound:
                return True
            return False

        await self.until(gone, f"{resource.kind} {name} is gone")

    def count(self, text: str) -> None:
        """A line for the end of the run."""
        self._record("counts", text)


class Writer:
    """Writes row after row, each after the answer to the one before; ``sent`` and ``acked`` are seconds since 1970."""

    def __init__(self, house: House, engine: Engine, pod: str, table: str) -> None:
        self._house, self._engine, self._pod, self.table = house, engine, pod, table
        self.sent: dict[int, float] = {}
        self.acked: dict[int, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._session: Held | None = None
        self._stop = False

    async def start(self) -> None:
        """Goes on behind the last row that was answered; the table is made before the first."""
        if not self.sent:
            await self._house.run(self._pod, self._engine.ask(self._engine.begin.format(t=self.table)))
        self._stop = False
        self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        session = self._session = await self._house.cluster.hold(SPACE, self._pod, "", self._engine.session)
        try:
            while not self._stop:
                n = len(self.acked) + 1
                self.sent[n] = time.time()
                await session.say(self._engine.statement(self.table, n))
                await session.heard(f"ack{n};".encode())
                self.acked[n] = time.time()
                await asyncio.sleep(REST)
        finally:
            await session.close()

    async def more(self, rows: int) -> None:
        """Returns when so many further rows have been answered."""
        goal = len(self.acked) + rows

        async def look() -> bool:
            assert self._task is not None
            if self._task.done():
                self._task.result()
            return len(self.acked) >= goal

        await self._house.until(look, f"{rows} more rows")

    async def stop(self) -> int:
        """Ends after the row that is being written; the number of rows that were answered."""
        self._stop = True
        assert self._task is not None
        await self._task
        return len(self.acked)

    async def cut_off(self) -> None:
        """The server was killed: no answer comes any more, whether or not the client goes on."""
        assert self._task is not None
        await asyncio.wait({self._task}, timeout=0.5)
        if self._session is not None:
            await self._session.close()
        (end,) = await asyncio.gather(self._task, return_exceptions=True)
        assert isinstance(end, KubeError), end

    def survived(self, count: int) -> None:
        """``count`` rows are there after a crash: one may be whose answer nobody heard."""
        for n in range(len(self.acked) + 1, count + 1):
            self.acked[n] = time.time()
