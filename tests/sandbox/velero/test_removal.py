"""The end of a backup: expiration, requests, what goes with it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import (
    BACKUPS,
    DELETE_REQUESTS,
    LOCATIONS,
    POD_VOLUME_BACKUPS,
    RESTORES,
)
from lazarus_tui.sandbox.dataplane.content import ContentStore
from lazarus_tui.sandbox.velero.installation import Settings, phase


def generations(lab: Any) -> list[str]:
    return ContentStore(lab.cluster.objects.root / "shop-velero-backups" / "kopia" / "shop").names()


async def request(lab: Any, backup: str, name: str = "please") -> None:
    lab.create(DELETE_REQUESTS, name, {"backupName": backup})
    await lab.cluster.settle()


async def test_everything_of_the_backup_goes_and_nothing_else(lab: Any) -> None:
    await lab.backup("doomed")
    (lab.volume() / "more").write_text("so that the second backup has data of its own")
    await lab.backup("kept")
    await lab.restore("of-doomed", "doomed", namespaceMapping={"shop": "copy"})
    assert len(generations(lab)) == 2
    await request(lab, "doomed")

    assert lab.api.get(BACKUPS, "doomed", "velero") is None
    assert lab.api.get(RESTORES, "of-doomed", "velero") is None
    assert lab.api.list(DELETE_REQUESTS, "velero") == []
    bucket = lab.cluster.objects.root / "shop-velero-backups"
    assert not (bucket / "backups" / "doomed").exists()
    assert not (bucket / "restores" / "of-doomed").exists()
    (left,) = lab.api.list(POD_VOLUME_BACKUPS, "velero")
    assert left["status"]["snapshotID"] in generations(lab)
    assert len(generations(lab)) == 1
    await lab.pass_(5)
    assert lab.bytes_of("copy")  # what was restored stays
    again = await lab.restore("r", "kept", namespaceMapping={"shop": "other"})
    assert again["status"]["phase"] == "Completed"


@pytest.mark.parametrize(
    ("backup", "location", "error"),
    [
        ("", {}, "spec.backupName is required"),
        ("gone", {}, "backup not found"),
        ("b", {"accessMode": "ReadOnly"}, "cannot delete backup because backup storage location default is currently"),
        ("b", {"config": {"s3Url": "https://gone.invalid"}}, "is currently in Unavailable state"),
    ],
)
async def test_a_refused_request_leaves_the_backup_as_it_was(lab: Any, backup: str, location: Any, error: str) -> None:
    await lab.backup("b", includedResources=["configmaps"])
    lab.api.patch(LOCATIONS, "default", {"spec": location}, "velero")
    await lab.cluster.settle()
    await request(lab, backup)
    status = lab.get(DELETE_REQUESTS, "please")["status"]

    assert status["phase"] == "Processed"
    assert error in status["errors"][0]
    assert lab.phase(BACKUPS, "b") == "Completed"


async def test_a_running_backup_is_not_deleted(lab: Any) -> None:
    body = {"metadata": {"name": "running"}, "spec": {"storageLocation": "default"}, "status": {"phase": "InProgress"}}
    lab.api.create(BACKUPS, body, "velero")
    await request(lab, "running")

    assert lab.get(DELETE_REQUESTS, "please")["status"]["errors"] == ["backup is still in progress"]


async def test_an_expired_backup_is_collected_within_the_hour(lab: Any) -> None:
    await lab.backup("short", includedResources=["configmaps"], ttl="30m")
    await lab.backup("long", includedResources=["configmaps"], ttl="90m")
    await lab.pass_(31 * 60)
    assert lab.phase(BACKUPS, "short") == "Completed"  # expired, but nobody has looked yet
    await lab.pass_(30 * 60)

    assert lab.api.get(BACKUPS, "short", "velero") is None
    assert lab.phase(BACKUPS, "long") == "Completed"


async def test_a_later_expiration_in_the_object_wins(lab: Any) -> None:
    await lab.backup("pinned", includedResources=["configmaps"], ttl="30m")
    lab.api.patch(BACKUPS, "pinned", {"status": {"expiration": "2030-01-01T00:00:00Z"}}, "velero")
    await lab.pass_(2 * 3600)

    assert lab.phase(BACKUPS, "pinned") == "Completed"


async def test_an_expired_backup_in_a_read_only_location_is_marked_not_deleted(lab: Any) -> None:
    await lab.backup("stuck", includedResources=["configmaps"], ttl="30m")
    lab.api.patch(LOCATIONS, "default", {"spec": {"accessMode": "ReadOnly"}}, "velero")
    await lab.pass_(3700)

    assert lab.get(BACKUPS, "stuck")["metadata"]["labels"]["velero.io/gc-failure"] == "BSLReadOnly"


async def test_processed_requests_are_forgotten_after_a_day(make_lab: Any) -> None:
    lab = await make_lab(shop=False, settings=Settings(sync_period=36000, validation_period=36000))
    await request(lab, "gone")
    assert phase(lab.get(DELETE_REQUESTS, "please")) == "Processed"
    await lab.clock.advance(26 * 3600)
    await lab.cluster.settle()

    assert lab.api.get(DELETE_REQUESTS, "please", "velero") is None
