"""Storage locations: do they answer, and which backups lie in them."""

from __future__ import annotations

import json
import shutil
from typing import Any

from lazarus_tui.model.resources import BACKUPS, LOCATIONS, POD_VOLUME_BACKUPS
from lazarus_tui.sandbox.velero.installation import phase


async def test_the_shipped_locations_are_two_good_and_one_that_does_not_answer(lab: Any) -> None:
    assert [lab.phase(LOCATIONS, name) for name in ("default", "dr", "offsite")] == [
        "Available",
        "Available",
        "Unavailable",
    ]
    message = lab.get(LOCATIONS, "offsite")["status"]["message"]
    assert message.startswith('BackupStorageLocation "offsite" is unavailable: rpc error:')
    assert "nas.office.invalid" in message


async def test_a_strange_folder_makes_a_location_unavailable_at_the_next_look(lab: Any) -> None:
    folder = lab.cluster.objects.root / "shop-velero-backups" / "holiday-photos"
    folder.mkdir()
    assert lab.phase(LOCATIONS, "default") == "Available"
    await lab.pass_(61)
    message = lab.get(LOCATIONS, "default")["status"]["message"]
    assert message.endswith("Backup store contains invalid top-level directories: [holiday-photos]")
    folder.rmdir()
    await lab.pass_(61)
    assert lab.phase(LOCATIONS, "default") == "Available"
    assert "message" not in lab.get(LOCATIONS, "default")["status"]


async def test_validation_keeps_to_its_frequency(lab: Any) -> None:
    lab.api.patch(LOCATIONS, "dr", {"spec": {"validationFrequency": "5m"}}, "velero")
    lab.api.patch(LOCATIONS, "offsite", {"spec": {"validationFrequency": "0s"}}, "velero")
    await lab.cluster.settle()
    stamps = {name: lab.get(LOCATIONS, name)["status"]["lastValidationTime"] for name in ("dr", "offsite")}
    await lab.pass_(290)
    assert lab.get(LOCATIONS, "default")["status"]["lastValidationTime"] > stamps["dr"]
    await lab.pass_(700)
    assert lab.get(LOCATIONS, "dr")["status"]["lastValidationTime"] > stamps["dr"]


async def test_a_backup_found_in_the_bucket_becomes_an_object_with_its_copies(lab: Any) -> None:
    before = await lab.backup("found")
    assert lab.bytes_of()
    lab.api.delete(BACKUPS, "found", "velero")
    await lab.cluster.settle()
    assert lab.api.list(POD_VOLUME_BACKUPS, "velero") == []  # collected with their owner
    await lab.pass_(61)
    after = lab.get(BACKUPS, "found")

    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["status"] == before["status"]
    (copy,) = lab.api.list(POD_VOLUME_BACKUPS, "velero")
    assert copy["metadata"]["ownerReferences"][0]["uid"] == after["metadata"]["uid"]
    restored = await lab.restore("r", "found", namespaceMapping={"shop": "copy"})
    assert restored["status"]["phase"] == "Completed"


async def test_a_synced_backup_belongs_to_the_location_it_was_found_in(lab: Any) -> None:
    await lab.backup("moved", includedResources=["configmaps"])
    root = lab.cluster.objects.root
    shutil.copytree(
        root / "shop-velero-backups" / "backups" / "moved", root / "shop-velero-dr-backups" / "backups" / "moved"
    )
    shutil.rmtree(root / "shop-velero-backups" / "backups" / "moved")
    await lab.pass_(130)
    found = lab.get(BACKUPS, "moved")

    assert found["spec"]["storageLocation"] == "dr"
    assert found["metadata"]["labels"]["velero.io/storage-location"] == "dr"


async def test_objects_without_files_are_dropped_but_failed_ones_stay(lab: Any) -> None:
    await lab.backup("orphan", includedResources=["configmaps"])
    body = {
        "metadata": {"name": "failed", "labels": {"velero.io/storage-location": "default"}},
        "spec": {"storageLocation": "default"},
        "status": {"phase": "Failed"},
    }
    lab.api.create(BACKUPS, body, "velero")
    shutil.rmtree(lab.cluster.objects.root / "shop-velero-backups" / "backups" / "orphan")
    await lab.pass_(61)

    assert lab.api.get(BACKUPS, "orphan", "velero") is None
    assert lab.phase(BACKUPS, "failed") == "Failed"


async def test_unfinished_or_unreadable_metadata_is_not_imported(lab: Any) -> None:
    folder = lab.cluster.objects.root / "shop-velero-backups" / "backups"
    for name, text in (
        ("half", json.dumps({"metadata": {"name": "half"}, "spec": {}, "status": {"phase": "Finalizing"}})),
        ("junk", "{"),
        ("empty", None),
    ):
        (folder / name).mkdir(parents=True)
        if text is not None:
            (folder / name / "velero-backup.json").write_text(text)
    await lab.pass_(61)

    assert [backup["metadata"]["name"] for backup in lab.api.list(BACKUPS, "velero")] == []


async def test_sync_can_be_turned_off(lab: Any) -> None:
    await lab.backup("b", includedResources=["configmaps"])
    lab.api.patch(LOCATIONS, "default", {"spec": {"backupSyncPeriod": "0s"}}, "velero")
    lab.api.delete(BACKUPS, "b", "velero")
    await lab.pass_(600)

    assert lab.api.get(BACKUPS, "b", "velero") is None


async def test_of_two_defaults_the_newest_stays(lab: Any) -> None:
    await lab.clock.advance(5)
    spec = {"provider": "aws", "default": True, "objectStorage": {"bucket": "shop-velero-dr-backups", "prefix": "x"}}
    lab.create(LOCATIONS, "newer", spec)
    await lab.cluster.settle()

    assert lab.get(LOCATIONS, "newer")["spec"]["default"] is True
    assert lab.get(LOCATIONS, "default")["spec"]["default"] is False
    backup = await lab.backup("b", includedResources=["configmaps"])
    assert backup["spec"]["storageLocation"] == "newer"
    assert (lab.cluster.objects.root / "shop-velero-dr-backups" / "x" / "backups" / "b").is_dir()
    assert phase(backup) == "Completed"
