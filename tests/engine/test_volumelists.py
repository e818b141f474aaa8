"""Volume lists for the Overview: few, newest first, kept, and none where nothing may be written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.volumelists import AGAIN, READ_ONLY, VolumeLists
from lazarus_tui.model.resources import BACKUPS
from lazarus_tui.model.topics import PointView, WorkloadRow
from lazarus_tui.model.volumes import UNREAD
from lazarus_tui.posture import worth_reading
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.cluster import SandboxCluster
from tests.engine.scene import Scene, running_cluster

LIST = json.dumps([{"pvcName": "data-orders-0", "pvcNamespace": "shop", "skipped": True}]).encode()


class Desk:
    """Lists over a bucket that a test fills: bytes, or the error that fetching raises."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.bucket: dict[str, bytes | Exception] = {}
        self.uids: dict[str, str] = {}
        self.writable = True
        self.fetched: list[str] = []
        self.changes = 0
        self.lists = VolumeLists(
            self.clock,
            fetch=self.fetch,
            uid=lambda name: self.uids.get(name, ""),
            writable=lambda: self.writable,
            changed=self.changed,
        )
        self.task = asyncio.create_task(self.lists.run())

    async def fetch(self, name: str) -> bytes:
        self.fetched.append(name)
        answer = self.bucket[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def changed(self) -> None:
        self.changes += 1

    def put(self, name: str, answer: bytes | Exception = LIST) -> None:
        self.bucket[name], self.uids[name] = answer, f"uid-{name}"

    async def want(self, *names: str) -> None:
        self.lists.want(names)
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    desk.task.cancel()
    await asyncio.gather(desk.task, return_exceptions=True)


async def test_a_list_is_fetched_once_and_a_few_at_a_time(desk: Desk) -> None:
    for n in range(5):
        desk.put(f"b{n}")
    await desk.want("b0", "b1", "b2", "b3", "b4")
    assert desk.fetched == ["b0", "b1", "b2"]
    assert desk.changes == 1
    await desk.want("b0", "b3")
    assert desk.fetched == ["b0", "b1", "b2", "b3"]
    assert desk.lists.infos()["b3"][0].skipped


async def test_a_backup_of_the_same_name_is_another_one(desk: Desk) -> None:
    desk.put("b0")
    await desk.want("b0")
    desk.uids["b0"] = "uid-new"
    assert desk.lists.infos() == {}
    await desk.want("b0")
    assert desk.fetched == ["b0", "b0"]


async def test_read_only_fetches_nothing_and_says_so(desk: Desk) -> None:
    desk.put("b0")
    desk.writable = False
    await desk.want("b0")
    assert (desk.fetched, desk.lists.unread, desk.changes) == ([], READ_ONLY, 0)
    desk.writable = True
    assert desk.lists.unread == UNREAD


@pytest.mark.parametrize("answer", [Refused("the bucket does not answer"), OSError("gone"), b"<html>", KeyError("x")])
async def test_what_cannot_be_read_is_told_and_tried_again_later(desk: Desk, answer: bytes | Exception) -> None:
    desk.put("b0", answer)
    await desk.want("b0")
    assert "could not be read" in desk.lists.failures()["b0"]
    await desk.want("b0")
    assert desk.fetched == ["b0"]
    desk.put("b0")
    await desk.clock.advance(AGAIN + 1)
    await desk.want("b0")
    assert desk.lists.failures() == {}
    assert "b0" in desk.lists.infos()


def _row(name: str, *skipped: PointView) -> WorkloadRow:
    return WorkloadRow(namespace="shop", kind="StatefulSet", name=name, ready=1, desired=1, skipped=skipped)


def _point(name: str, start: str, usable: bool | None, *reasons: str) -> PointView:
    return PointView(name=name, kind="velero", start=start, usable=usable, reasons=reasons)


def test_only_points_that_an_unread_list_alone_keeps_unknown_are_worth_it() -> None:
    unread = f"volume data: {UNREAD}"
    rows = [
        _row("a", _point("failed", "5", False, "Failed", unread), _point("a1", "4", None, unread)),
        _row("b", _point("odd", "6", None, "its phase Odd is not known", unread), _point("b1", "5", None, unread)),
        _row("c", _point("c1", "7", None, f"volume data: {READ_ONLY}")),
        _row("d", _point("b1", "5", None, unread), _point("a1", "4", None, unread)),
    ]
    assert worth_reading(rows) == ["b1", "a1"]


# --- the whole engine


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SandboxCluster]:
    """A full backup of the shop, and a newer one that is Completed without its volume and without any copy record."""
    async with running_cluster(tmp_path / "cluster") as cluster:
        for name, files in (("full", True), ("bare", False)):
            spec: dict[str, Any] = {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": files}
            spec["storageLocation"] = "default"
            body = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": name}, "spec": spec}
            cluster.api.create(BACKUPS, body, "velero")
            async with asyncio.timeout(60):
                while (cluster.api.get(BACKUPS, name, "velero") or {}).get("status", {}).get("phase") != "Completed":
                    await asyncio.sleep(0.02)
            await asyncio.sleep(1.0 if files else 0)  # start times have whole seconds
        yield cluster


async def overview_row(scene: Scene, word: str) -> WorkloadRow:
    """The row of orders once the reasons against its newest point hold ``word``."""
    topic, key = f"overview/{scene.context}", "shop/StatefulSet/orders"

    def told(row: WorkloadRow | None) -> bool:
        return row is not None and any(word in reason for point in row.skipped for reason in point.reasons)

    topics = await scene.follow(topic, until=lambda t: told(t.state(topic).records.get(key)))
    found: WorkloadRow = topics.state(topic).records[key]
    return found


async def test_the_overview_finds_out_that_a_completed_backup_holds_no_volume(
    tmp_path: Path, cluster: SandboxCluster
) -> None:
    async with Scene(tmp_path, cluster, sandbox=True) as scene:
        await scene.use()
        row = await overview_row(scene, "no data of volume data-orders-0")
        assert (row.skipped[0].name, row.skipped[0].usable) == ("bare", False)
        assert row.newest is not None
        assert row.newest.name == "full"


async def test_a_read_only_context_stays_unknown_until_it_is_armed(tmp_path: Path, cluster: SandboxCluster) -> None:
    async with Scene(tmp_path, cluster, sandbox=False) as prod:
        asked: list[str] = []
        stop = cluster.api.subscribe(lambda kind, resource, new, old: asked.append(resource.plural))
        await prod.use()
        row = await overview_row(prod, "read-only")
        assert (row.skipped[0].name, row.skipped[0].usable) == ("bare", None)
        assert "downloadrequests" not in asked
        await prod.call("context.arm", context="prod", minutes=5)
        row = await overview_row(prod, "no data of volume")
        assert row.skipped[0].usable is False
        stop()
