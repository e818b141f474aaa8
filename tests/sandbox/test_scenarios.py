"""What a fresh sandbox holds: five tiers, weeks of history with traps, and points that really restore."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.resources import BACKUPS, CRDS, LOCATIONS, POD_VOLUME_BACKUPS, RESTORES, SCHEDULES
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.cluster import SandboxCluster
from lazarus_tui.sandbox.scenarios.manifests import definitions
from lazarus_tui.sandbox.scenarios.orderbook import FILE, OrderBook
from lazarus_tui.sandbox.velero.installation import phase
from lazarus_tui.sandbox.velero.layout import artefact_key, unpacked

NOW = datetime(2026, 3, 4, 9, 10, 47, tzinfo=UTC)
DATA_TIERS = ("tier-hot", "tier-critical", "tier-full", "tier-dr")


@asynccontextmanager
async def running(root: Path) -> AsyncIterator[SandboxCluster]:
    made = SandboxCluster(root, VirtualClock(NOW), serve_bucket=False)
    try:
        await made.start()
        await made.settle()
        yield made
    finally:
        await made.stop()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SandboxCluster]:
    async with running(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> SandboxCluster:
    """A fresh sandbox that has stopped, for those who only look."""

    async def filled() -> SandboxCluster:
        async with running(tmp_path_factory.mktemp("fresh")) as made:
            return made

    return asyncio.run(filled())


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> SandboxCluster:
    """One that has stopped after the newest usable point of every tier with data was restored beside the shop."""

    async def filled() -> SandboxCluster:
        async with running(tmp_path_factory.mktemp("restored")) as made:
            for schedule in DATA_TIERS:
                spec = {
                    "backupName": newest_usable(made, schedule)["metadata"]["name"],
                    "includedNamespaces": ["shop"],
                    "namespaceMapping": {"shop": f"{schedule}-back"},
                }
                made.api.create(RESTORES, {"metadata": {"name": schedule}, "spec": spec}, "velero")
                await clock_of(made).advance(10, between=made.settle)
            return made

    return asyncio.run(filled())


def clock_of(cluster: SandboxCluster) -> VirtualClock:
    assert isinstance(cluster.clock, VirtualClock)
    return cluster.clock


def backups(cluster: SandboxCluster) -> list[dict[str, Any]]:
    """Newest first, by the moment they were started."""
    found = cluster.api.list(BACKUPS, "velero")
    return sorted(found, key=lambda backup: backup["status"]["startTimestamp"], reverse=True)


def infos(cluster: SandboxCluster, backup: dict[str, Any]) -> list[dict[str, Any]] | None:
    bucket = {"default": "shop-velero-backups", "dr": "shop-velero-dr-backups"}.get(backup["spec"]["storageLocation"])
    key = artefact_key("BackupVolumeInfos", backup["metadata"]["name"])
    if bucket is None or not cluster.objects.bucket(bucket).exists(key):
        return None
    found: list[dict[str, Any]] = unpacked(cluster.objects.bucket(bucket).get(key))
    return found


def usable(cluster: SandboxCluster, backup: dict[str, Any]) -> bool:
    found = infos(cluster, backup)
    location = cluster.api.get(LOCATIONS, backup["spec"]["storageLocation"], "velero")
    return (
        phase(backup) == "Completed"
        and phase(location or {}) == "Available"
        and parse_rfc3339(backup["status"]["expiration"]) > NOW
        and bool(found)
        and all(info["result"] == "succeeded" for info in found or [] if not info["skipped"])
        and not any(info["skipped"] for info in found or [])
    )


def newest_usable(cluster: SandboxCluster, schedule: str) -> dict[str, Any]:
    return next(
        backup
        for backup in backups(cluster)
        if backup["metadata"]["labels"].get("velero.io/schedule-name") == schedule and usable(cluster, backup)
    )


def test_there_are_definitions_for_the_thirteen_kinds_without_a_status_subresource() -> None:
    found = definitions()
    assert len(found) == 13
    for definition in found:
        for version in definition["spec"]["versions"]:
            assert not version.get("subresources")
    assert not any("description" in str(definition) for definition in found)


def test_the_five_tiers_are_as_written_down(fresh: SandboxCluster) -> None:
    tiers = {
        schedule["metadata"]["name"]: (
            schedule["spec"]["schedule"],
            schedule["spec"]["template"]["ttl"],
            schedule["spec"]["template"]["storageLocation"],
        )
        for schedule in fresh.api.list(SCHEDULES, "velero")
    }
    assert tiers == {
        "tier-hot": ("0 * * * *", "168h0m0s", "default"),
        "tier-critical": ("0 2 * * *", "720h0m0s", "default"),
        "tier-full": ("0 3 * * 0", "2160h0m0s", "default"),
        "tier-config": ("*/30 * * * *", "72h0m0s", "default"),
        "tier-dr": ("0 4 1 * *", "8760h0m0s", "dr"),
    }
    assert all(phase(schedule) == "Enabled" for schedule in fresh.api.list(SCHEDULES, "velero"))
    assert len(fresh.api.list(CRDS)) == 13 + 6  # Velero's and those of snapshots


def test_history_has_everything_a_rule_must_choose_between(fresh: SandboxCluster) -> None:
    found = backups(fresh)
    phases = Counter(phase(backup) for backup in found)
    assert len(found) > 300
    assert phases["Failed"] >= 1
    assert phases["PartiallyFailed"] >= 3
    assert any(backup["spec"]["storageLocation"] == "offsite" for backup in found)
    assert any(parse_rfc3339(backup["status"]["expiration"]) <= NOW for backup in found)
    hollow = [b for b in found if phase(b) == "Completed" and any(i["skipped"] for i in infos(fresh, b) or [])]
    assert hollow
    assert parse_rfc3339(found[-1]["status"]["startTimestamp"]) < NOW - timedelta(days=300)
    assert all(parse_rfc3339(backup["status"]["startTimestamp"]) < NOW for backup in found)
    outcomes = {phase(restore) for restore in fresh.api.list(RESTORES, "velero")}
    assert outcomes == {"Completed", "PartiallyFailed", "FailedValidation"}


def test_the_newest_points_are_traps_and_the_newest_usable_one_is_hot(fresh: SandboxCluster) -> None:
    found = backups(fresh)
    position = next(index for index, backup in enumerate(found) if usable(fresh, backup))

    assert position >= 3
    assert found[position]["metadata"]["labels"]["velero.io/schedule-name"] == "tier-hot"
    before = {backup["spec"]["storageLocation"] for backup in found[:position]}
    assert "offsite" in before
    assert any(not infos(fresh, backup) for backup in found[:position] if phase(backup) == "Completed")


async def test_no_schedule_is_overdue_right_after_the_start(cluster: SandboxCluster) -> None:
    before = len(backups(cluster))
    await clock_of(cluster).advance(61, between=cluster.settle)
    assert len(backups(cluster)) == before


@pytest.mark.parametrize("schedule", DATA_TIERS)
def test_seeded_points_really_restore(restored: SandboxCluster, schedule: str) -> None:
    restore = restored.api.get(RESTORES, schedule, "velero")

    assert restore is not None
    assert phase(restore) == "Completed"
    newest = newest_order(restored, f"{schedule}-back")
    started = parse_rfc3339(newest_usable(restored, schedule)["status"]["startTimestamp"])
    assert newest <= started
    if schedule == "tier-hot":
        assert started - newest < timedelta(minutes=10)


def newest_order(cluster: SandboxCluster, namespace: str) -> datetime:
    from lazarus_tui.model.resources import CLAIMS

    claim = cluster.api.get(CLAIMS, "data-orders-0", namespace)
    assert claim is not None
    db = sqlite3.connect(cluster.volumes.root / claim["spec"]["volumeName"] / FILE)
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return parse_rfc3339(db.execute("SELECT at FROM orders ORDER BY id DESC LIMIT 1").fetchone()[0])
    finally:
        db.close()


async def test_what_the_bucket_holds_is_what_the_objects_say(cluster: SandboxCluster) -> None:
    """A sync finds nothing to import and nothing to drop."""
    names = {backup["metadata"]["name"] for backup in backups(cluster)}
    copies = len(cluster.api.list(POD_VOLUME_BACKUPS, "velero"))
    await clock_of(cluster).advance(130, between=cluster.settle)

    assert {backup["metadata"]["name"] for backup in backups(cluster)} == names
    assert len(cluster.api.list(POD_VOLUME_BACKUPS, "velero")) == copies


def test_the_order_book_is_the_same_every_time_and_grows(tmp_path: Path) -> None:
    book = OrderBook(NOW)
    book.write(tmp_path / "a", 50)
    OrderBook(NOW).write(tmp_path / "b", 50)

    assert (tmp_path / "a" / FILE).read_bytes() == (tmp_path / "b" / FILE).read_bytes()
    assert book.count(NOW - timedelta(days=30)) < book.count(NOW - timedelta(hours=1)) < book.count(NOW)
