"""Acknowledged means kept: restarts, kill -9, a full disk, a damaged file, a second owner."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lazarus_tui.model.resources import CONFIGMAPS, CRDS
from lazarus_tui.sandbox.api import persist
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.api.persist import REVISION_GAP, Persistence, StateUnusable
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.server import ApiServer
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import VirtualClock

from .conftest import WIDGETS, Client, config_map, widget_definition

CM = "/api/v1/namespaces/default/configmaps"


@asynccontextmanager
async def cluster(path: Path, connect: persist.Connect = persist.connect) -> AsyncIterator[tuple[LocalApi, Client]]:
    keeper = Persistence.open(path, connect=connect)
    store = Store(keeper=keeper)
    keeper.load(store)
    keeper.start()
    try:
        api = LocalApi(store, Registry(), VirtualClock())
        api.bootstrap()
        yield api, Client(MemoryTransport(ApiServer(store, api.registry, api.clock)))
    finally:
        await keeper.close()


async def test_a_restart_keeps_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "cluster.db"
    async with cluster(path) as (api, call):
        api.create(CRDS, widget_definition())
        await call("POST", WIDGETS, {"metadata": {"name": "w"}, "spec": {"size": 1}})
        await call("POST", CM, config_map("kept", {"text": "ünïcode 🙂"}))
        await call("POST", CM, config_map("gone"))
        await call("DELETE", f"{CM}/gone")
        before = {name: (await call("GET", name)).raw for name in (f"{CM}/kept", f"{WIDGETS}/w")}
        top = api.store.revision
    assert path.stat().st_mode & 0o777 == 0o600
    async with cluster(path) as (api, call):
        for name, raw in before.items():
            assert (await call("GET", name)).raw == raw
        assert (await call("GET", f"{CM}/gone")).status == 404
        assert api.store.revision == top + REVISION_GAP
        made = (await call("POST", CM, config_map("new"))).body
        assert int(made["metadata"]["resourceVersion"]) > top + REVISION_GAP


async def test_revisions_from_before_a_restart_are_gone(tmp_path: Path) -> None:
    """Even those a client saw and the file never did: after a crash they must not come to mean something else."""
    async with cluster(tmp_path / "cluster.db") as (api, _):
        top = api.store.revision
    async with cluster(tmp_path / "cluster.db") as (_, call):
        for revision in (top, top + 50):
            reply = await call("GET", CM, watch="true", resourceVersion=str(revision), timeoutSeconds="1")
            assert reply.body["object"]["code"] == 410


WRITER = """
import asyncio, sys
from pathlib import Path
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.api.persist import Persistence
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.server import ApiServer
from lazarus_tui.sandbox.api.store import Store

async def main():
    keeper = Persistence.open(Path(sys.argv[1]))
    store = Store(keeper=keeper)
    keeper.load(store)
    keeper.start()
    api = LocalApi(store, Registry(), SystemClock())
    api.bootstrap()
    transport = MemoryTransport(ApiServer(store, api.registry, api.clock))
    async def write(lane):
        for number in range(10**6):
            body = b'{"metadata": {"name": "c-%d-%d"}}' % (lane, number)
            path = "/api/v1/namespaces/default/configmaps"
            answer = await transport.send(HttpRequest("POST", path, (), {"content-type": "application/json"}, body))
            assert answer.status == 201
            sys.stdout.write(f"c-{lane}-{number}\\n")
            sys.stdout.flush()
    await asyncio.gather(*(write(lane) for lane in range(8)))

asyncio.run(main())
"""


async def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "cluster.db"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as out:
        acknowledged = [out.readline().strip() for _ in range(300)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [line.strip() for line in out.read().splitlines(keepends=True) if line.endswith("\n")]
    assert process.wait() == -signal.SIGKILL
    async with cluster(path) as (api, _):
        kept = {obj["metadata"]["name"] for obj in api.list(CONFIGMAPS, "default")}
        revisions = {int(obj["metadata"]["resourceVersion"]) for obj in api.list(CONFIGMAPS)}
        assert max(revisions) < api.store.revision
    assert len(acknowledged) >= 300
    assert set(acknowledged) <= kept


class Disk:
    """A connection that can be made too small to write to."""

    def __init__(self) -> None:
        self.database: sqlite3.Connection | None = None

    def connect(self, path: Path) -> sqlite3.Connection:
        self.database = persist.connect(path)
        return self.database

    def limit(self, pages: int) -> None:
        assert self.database is not None
        self.database.execute(f"PRAGMA max_page_count = {pages}").fetchone()


async def test_a_full_disk_acknowledges_nothing_and_heals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persist, "_RETRY_SECONDS", 0.005)
    disk = Disk()
    async with cluster(tmp_path / "cluster.db", disk.connect) as (_, call):
        assert (await call("POST", CM, config_map("before"))).status == 201
        disk.limit(1)
        refused = await call("POST", CM, config_map("big", {"x": "y" * 100_000}))
        assert (refused.status, refused.reason) == (500, "InternalError")
        assert "database space exceeded" in refused.body["message"]
        assert (await call("POST", CM, config_map("later"))).status == 500
        assert (await call("GET", f"{CM}/later")).status == 404
        assert (await call("GET", "/readyz")).status == 500
        assert (await call("GET", f"{CM}/before")).status == 200
        disk.limit(10_000)
        for _ in range(12_000):
            if (await call("GET", "/readyz")).status == 200:
                break
            await asyncio.sleep(0.005)
        assert (await call("POST", CM, config_map("healed"))).status == 201
    async with cluster(tmp_path / "cluster.db") as (api, _):
        names = {obj["metadata"]["name"] for obj in api.list(CONFIGMAPS, "default")}
        assert names == {"before", "big", "healed"}  # "big" was refused, so its outcome was unknown: both are right


async def test_a_full_disk_at_the_end_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persist, "_RETRY_SECONDS", 0.005)
    disk = Disk()
    async with cluster(tmp_path / "cluster.db", disk.connect) as (api, _):
        await api.store.durable(api.store.revision)
        disk.limit(1)
        api.create(CONFIGMAPS, config_map("a", {"x": "y" * 100_000}), "default")


async def test_durable_raises_what_the_write_did_not_know(tmp_path: Path) -> None:
    disk = Disk()
    async with cluster(tmp_path / "cluster.db", disk.connect) as (api, _):
        await api.store.durable(api.store.revision)
        disk.limit(1)
        api.create(CONFIGMAPS, config_map("a", {"x": "y" * 100_000}), "default")
        with pytest.raises(ApiError, match="nothing was acknowledged"):
            await api.store.durable(api.store.revision)
        with pytest.raises(ApiError, match="space exceeded"):
            api.create(CONFIGMAPS, config_map("b"), "default")


async def test_one_owner(tmp_path: Path) -> None:
    async with cluster(tmp_path / "cluster.db"):
        with pytest.raises(StateUnusable, match="another process uses it"):
            Persistence.open(tmp_path / "cluster.db")


def test_files_that_are_no_state(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(StateUnusable, match="cannot be used"):
        Persistence.open(damaged)
    assert damaged.read_bytes().startswith(b"this is not")
    newer = tmp_path / "newer.db"
    database = sqlite3.connect(newer)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StateUnusable, match="another version"):
        Persistence.open(newer)
    with pytest.raises(StateUnusable):
        Persistence.open(tmp_path / "no" / "folder.db")
