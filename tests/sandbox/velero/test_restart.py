"""A Velero server that dies in the middle: what was running is Failed, what was waiting goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model.resources import BACKUPS, POD_VOLUME_BACKUPS, POD_VOLUME_RESTORES, RESTORES
from lazarus_tui.sandbox.cluster import SandboxCluster
from lazarus_tui.sandbox.velero.installation import Settings, phase


async def turns(lab: Any, seconds: int) -> None:
    for _ in range(seconds):
        await lab.turn(1)


@pytest.fixture
async def slow(make_lab: Any) -> Any:
    return await make_lab(settings=Settings(prepare_seconds=60))


async def restart(lab: Any) -> None:
    """The process dies and a new one starts on what was kept."""
    root: Path = lab.cluster.root
    await lab.cluster.stop()
    lab.cluster = SandboxCluster(
        root, lab.clock, store=lab.cluster.store, settings=Settings(prepare_seconds=60), serve_bucket=False
    )
    lab.api = lab.cluster.api
    await lab.cluster.start()
    await lab.quiet()


async def test_a_running_backup_is_failed_and_the_next_one_runs(slow: Any) -> None:
    slow.create(BACKUPS, "cut", {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True})
    slow.create(BACKUPS, "next", {"includedNamespaces": ["shop"], "includedResources": ["configmaps"]})
    await turns(slow, 3)
    assert slow.phase(BACKUPS, "cut") == "InProgress"
    await restart(slow)

    status = slow.get(BACKUPS, "cut")["status"]
    assert status["phase"] == "Failed"
    assert status["failureReason"] == (
        'found a backup with status "InProgress" during the server starting, mark it as "Failed"'
    )
    (copy,) = slow.api.list(POD_VOLUME_BACKUPS, "velero")
    assert phase(copy) == "Canceled"
    assert (await slow.over(BACKUPS, "next"))["status"]["phase"] == "Completed"


async def test_a_running_restore_is_failed_and_the_next_one_runs(slow: Any) -> None:
    await slow.backup("b")
    slow.create(RESTORES, "cut", {"backupName": "b", "namespaceMapping": {"shop": "one"}})
    slow.create(RESTORES, "next", {"backupName": "b", "namespaceMapping": {"shop": "two"}})
    await turns(slow, 5)
    assert slow.phase(RESTORES, "cut") == "InProgress"
    await restart(slow)

    status = slow.get(RESTORES, "cut")["status"]
    assert status["phase"] == "Failed"
    assert 'found a restore with status "InProgress"' in status["failureReason"]
    assert (await slow.over(RESTORES, "next"))["status"]["phase"] == "Completed"
    outcomes = {phase(copy) for copy in slow.api.list(POD_VOLUME_RESTORES, "velero")}
    assert outcomes == {"Canceled", "Completed"}


async def test_a_backup_left_in_finalizing_is_finished(slow: Any) -> None:
    await slow.backup("b", includedResources=["configmaps"])
    slow.api.patch(
        BACKUPS, "b", {"status": {"phase": "FinalizingPartiallyFailed", "completionTimestamp": None}}, "velero"
    )
    await restart(slow)
    await slow.cluster.settle()

    assert slow.get(BACKUPS, "b")["status"]["phase"] == "PartiallyFailed"
    assert slow.get(BACKUPS, "b")["status"]["completionTimestamp"]
