"""The files that Velero keeps, as a person reads them: a tick stands only where the file says that it went well."""

from __future__ import annotations

import pytest

from lazarus_tui.view import documents
from lazarus_tui.view.text import plain

COPIED = {"pvcNamespace": "shop", "pvcName": "data-orders-0", "backupMethod": "PodVolumeBackup"}


def shown(*entries: object) -> str:
    return "\n".join(map(plain, documents.artefact("volumes", {"json": list(entries)})))


def test_a_volume_whose_copy_succeeded_has_a_tick_and_its_size():
    text = shown({**COPIED, "result": "succeeded", "pvbInfo": {"size": 4096, "Phase": "Completed"}})
    assert "✓ shop/data-orders-0" in text
    assert "4.0 KiB" in text


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({**COPIED, "result": "failed", "pvbInfo": {"size": 4096, "Phase": "Failed"}}, "no data: its copy failed"),
        ({**COPIED, "pvbInfo": {"Phase": "Canceled"}}, "no data: its copy ended Canceled"),
        ({**COPIED, "backupMethod": "CSISnapshot", "csiSnapshotInfo": {"ReadyToUse": False}}, "never ready to use"),
    ],
)
def test_a_volume_whose_copy_failed_has_no_tick_although_a_method_was_chosen(entry, why):
    text = shown(entry)
    assert "✗ shop/data-orders-0" in text
    assert why in text
    assert "✓" not in text


def test_a_volume_of_which_no_result_is_recorded_is_not_known():
    text = shown(COPIED)
    assert "? shop/data-orders-0" in text
    assert "its result is not recorded" in text
    assert "✓" not in text


def test_a_volume_that_a_restore_filled_is_not_said_to_be_whole():
    restored = {"pvcNamespace": "shop", "pvcName": "data-orders-0", "restoreMethod": "PodVolumeRestore",
                "pvrInfo": {"size": 4096}}  # fmt: skip
    text = shown(restored)
    assert "? shop/data-orders-0" in text
    assert "PodVolumeRestore" in text
    assert "4.0 KiB" in text
    assert "✓" not in text


def test_a_volume_that_was_skipped_says_why():
    assert "▲ shop/data-orders-0" in (text := shown({**COPIED, "backupMethod": "", "skipped": True,
                                                     "skippedReason": "opted out"}))  # fmt: skip
    assert "no data: opted out" in text


@pytest.mark.parametrize("view", ["errors", "contents"])
def test_an_empty_file_is_not_that_there_was_nothing(view):
    text = "\n".join(map(plain, documents.artefact(view, {"json": None})))
    assert "? not known: the file that Velero kept is empty" in text
    assert "✓" not in text


def test_a_file_that_names_no_errors_says_so():
    text = "\n".join(map(plain, documents.artefact("errors", {"json": {"errors": {}, "warnings": {}}})))
    assert "✓ no errors" in text
    assert "✓ no warnings" in text
