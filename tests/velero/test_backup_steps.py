"""A backup from its plan to its verdict, and everything that can come between."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from lazarus_tui.model.objects import Backup
from lazarus_tui.model.resources import BACKUPS, LOCATIONS, POD_VOLUME_BACKUPS
from lazarus_tui.model.steps import Outcome, Seen, StepStopped
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.velero.backup_steps import Create, Preflight, Settle, Verify, Wait
from tests.velero.lab import VELERO, Lab, World, merge

PARAMS = {
    "velero": VELERO,
    "name": "b1",
    "spec": {"includedNamespaces": ["shop"], "storageLocation": "default", "defaultVolumesToFsBackup": True},
    "settle": 1.0,
}
GOOD = {
    "pvcName": "data-orders-0", "pvcNamespace": "shop", "backupMethod": "PodVolumeBackup", "result": "succeeded",
    "pvbInfo": {"Phase": "Completed", "size": 4096},
}  # fmt: skip


def packed(value: Any) -> bytes:
    return gzip.compress(json.dumps(value).encode(), mtime=0)


async def created(lab: Lab) -> dict[str, Any]:
    await lab.run(Preflight(PARAMS))
    await lab.run(Create(PARAMS))
    return lab.world.at(BACKUPS, "b1")


def phase(world: World, value: str, **status: Any) -> Any:
    def happen() -> None:
        merge(world.at(BACKUPS, "b1"), {"status": {"phase": value, **status}})

    return happen


def copy(world: World, state: str, name: str = "c1", message: str = "") -> Any:
    def happen() -> None:
        uid = world.at(BACKUPS, "b1")["metadata"]["uid"]
        moved = 4096 if state == "Completed" else 2048
        world.put(
            POD_VOLUME_BACKUPS, name,
            metadata={"labels": {"velero.io/backup-uid": uid}, "annotations": {"velero.io/pvc-name": "data-orders-0"}},
            spec={"pod": {"namespace": "shop", "name": "orders-0"}, "volume": "data"},
            status={"phase": state, "message": message, "progress": {"totalBytes": 4096, "bytesDone": moved}},
        )  # fmt: skip

    return happen


async def test_a_good_backup_ends_with_its_volumes_counted(lab: Lab) -> None:
    world = lab.world
    await created(lab)
    assert lab.facts["backup.claims"] == ["shop/data-orders-0"]
    seen = await lab.run(
        Wait(PARAMS), phase(world, "Queued", queuePosition=2), phase(world, "InProgress"), copy(world, "InProgress"),
        phase(world, "Finalizing"), phase(world, "Completed", startTimestamp="2026-06-01T12:00:01Z"),
    )  # fmt: skip
    assert seen.seen is Seen.DONE
    copy(world, "Completed")()
    assert (await lab.run(Settle(PARAMS))).seen is Seen.DONE
    world.artefacts[("BackupVolumeInfos", "b1")] = packed([GOOD])
    assert (await lab.run(Verify(PARAMS))).seen is Seen.DONE
    assert lab.verdicts == [Verdict.PASSED]
    assert lab.facts["backup.volumes"] == ["shop/data-orders-0"]
    assert lab.facts["backup.bytes"] == 4096
    assert not [key for key in world.objects if key[0] == "downloadrequests"], "its requests are cleaned up"


async def test_progress_has_two_stages_and_never_says_all_too_early(lab: Lab) -> None:
    await created(lab)
    phase(lab.world, "InProgress", progress={"totalItems": 9, "itemsBackedUp": 9})()
    copy(lab.world, "InProgress")()
    seen = await Wait(PARAMS).observe(lab)
    assert [(s.stage, s.unit) for s in seen.progress] == [("items", "items"), ("volumes", "bytes")]
    assert seen.progress[0].done < seen.progress[0].total
    assert (seen.progress[1].done, seen.progress[1].total) == (2048, 4096)
    assert "orders-0/data InProgress" in seen.detail


async def test_a_completed_backup_without_the_volume_is_failed_in_words(lab: Lab) -> None:
    await created(lab)
    phase(lab.world, "Completed")()
    await lab.run(Settle(PARAMS))
    skipped = {"pvcName": "data-orders-0", "pvcNamespace": "shop", "skipped": True, "skippedReason": "no snapshotter"}
    lab.world.artefacts[("BackupVolumeInfos", "b1")] = packed([skipped])
    seen = await lab.run(Verify(PARAMS))
    assert lab.verdicts == [Verdict.FAILED]
    assert "Completed, but 1 of 1 volumes have NO data" in seen.detail
    assert "no snapshotter" in seen.detail
    assert lab.checks[0].verdict is Verdict.FAILED


async def test_a_copy_that_fails_after_completed_is_waited_for_and_counts(lab: Lab) -> None:
    world = lab.world
    await created(lab)
    phase(world, "Completed")()
    copy(world, "InProgress")()
    seen = await lab.run(Settle(PARAMS), lambda: None, copy(world, "Failed", message="disk full"))
    assert seen.seen is Seen.DONE
    world.artefacts[("BackupVolumeInfos", "b1")] = packed([GOOD])
    await lab.run(Verify(PARAMS))
    assert lab.verdicts == [Verdict.FAILED]
    assert "disk full" in lab.facts["backup.words"]


async def test_a_phase_that_flips_back_is_not_settled(lab: Lab) -> None:
    world = lab.world
    await created(lab)
    phase(world, "Failed", failureReason="restart")()
    seen = await lab.run(
        Settle(PARAMS), phase(world, "WaitingForPluginOperations"), lambda: None, phase(world, "Completed")
    )
    assert seen.seen is Seen.DONE
    assert lab.facts["backup.phase"] == "Completed"


@pytest.mark.parametrize("state", ["Reticulating", "FinalizingPartiallyFailed", "WaitingForPluginOperations"])
async def test_phases_that_do_not_end_are_waited_through(lab: Lab, state: str) -> None:
    await created(lab)
    phase(lab.world, state)()
    seen = await Wait(PARAMS).observe(lab)
    assert seen.seen is Seen.WAITING
    assert state in seen.detail


async def test_a_refused_backup_says_what_it_means(lab: Lab) -> None:
    await created(lab)
    error = "backup can't be created because backup storage location default is currently in read-only mode"
    phase(lab.world, "FailedValidation", validationErrors=[error])()
    seen = await lab.run(Wait(PARAMS))
    assert seen.seen is Seen.FAILED
    assert "read-only" in seen.detail
    assert "ReadWrite" in seen.hint


@pytest.mark.parametrize("step", [Wait, Settle])
async def test_a_backup_that_vanishes_while_waiting_fails(lab: Lab, step: Any) -> None:
    await created(lab)
    phase(lab.world, "InProgress")()
    seen = await lab.run(step(PARAMS), lambda: lab.world.drop(BACKUPS, "b1"))
    assert seen.seen is Seen.FAILED
    assert "deleted" in seen.detail


async def test_a_backup_of_the_same_name_by_somebody_else_is_not_ours(lab: Lab) -> None:
    await created(lab)
    lab.world.put(BACKUPS, "b1", status={"phase": "Completed"})
    assert (await Wait(PARAMS).observe(lab)).seen is Seen.DIVERGED
    assert (await Create(PARAMS).observe(lab)).seen is Seen.DIVERGED


async def test_a_server_restart_is_explained(lab: Lab) -> None:
    await created(lab)
    reason = 'found a backup with status "InProgress" during the server starting, mark it as "Failed"'
    phase(lab.world, "Failed", failureReason=reason)()
    await lab.run(Settle(PARAMS))
    seen = await lab.run(Verify(PARAMS))
    assert seen.seen is Seen.FAILED
    assert "restarted in the middle" in seen.detail
    assert "OOMKilled" in seen.hint


async def test_partially_failed_lists_the_reasons(lab: Lab) -> None:
    await created(lab)
    phase(lab.world, "PartiallyFailed", errors=2)()
    await lab.run(Settle(PARAMS))
    lab.world.artefacts[("BackupVolumeInfos", "b1")] = packed([GOOD])
    errors = {"errors": {"namespaces": {"shop": ["pod volume backup failed: x", "pod volume backup failed: y"]}}}
    lab.world.artefacts[("BackupResults", "b1")] = packed(errors)
    seen = await lab.run(Verify(PARAMS))
    assert lab.verdicts == [Verdict.FAILED]
    assert "copying a volume failed" in seen.detail


@pytest.mark.parametrize(("errors", "words"), [(1, "PartiallyFailed: 1 error"), (2, "PartiallyFailed: 2 errors")])
async def test_partially_failed_without_the_reasons_says_how_many_there_were(lab: Lab, errors: int, words: str) -> None:
    await created(lab)
    phase(lab.world, "PartiallyFailed", errors=errors)()
    await lab.run(Settle(PARAMS))
    lab.world.artefacts[("BackupVolumeInfos", "b1")] = packed([GOOD])
    assert (await lab.run(Verify(PARAMS))).detail == words


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        (None, "no BackupVolumeInfos"),
        (OSError("minio.velero.svc cannot be resolved from here"), "does not resolve"),
        (OSError("store answered 403"), "refused the signed URL"),
        (b"\x1f\x8bgarbage", "damaged"),
        (packed({"not": "a list"}), "not a list"),
    ],
)
async def test_an_unreadable_volume_list_is_never_a_pass(lab: Lab, trouble: Any, word: str) -> None:
    await created(lab)
    phase(lab.world, "Completed")()
    copy(lab.world, "Completed")()
    await lab.run(Settle(PARAMS))
    lab.world.artefacts[("BackupVolumeInfos", "b1")] = trouble
    seen = await lab.run(Verify(PARAMS))
    assert lab.verdicts == [Verdict.INCONCLUSIVE]
    assert word in seen.detail


async def test_a_lost_answer_to_the_create_is_found_by_name(lab: Lab) -> None:
    await lab.run(Preflight(PARAMS))
    lab.world.after_write = lambda write: None
    lab.world.outcomes = [Outcome.AMBIGUOUS]
    assert (await lab.run(Create(PARAMS))).seen is Seen.DONE
    assert len([w for w in lab.world.writes if w.resource is BACKUPS]) == 2, "not applied: sent again"
    assert (await lab.run(Create(PARAMS))).seen is Seen.DONE
    assert len([w for w in lab.world.writes if w.resource is BACKUPS]) == 2, "applied: not sent again"


async def test_a_refusal_for_good_stops_and_a_missing_right_waits(lab: Lab) -> None:
    lab.world.outcomes = [Outcome.PERMANENT]
    assert not (await lab.stopped(Create(PARAMS))).park
    lab.world.outcomes = [Outcome.FORBIDDEN]
    stop = await lab.stopped(Create(PARAMS))
    assert stop.park
    assert "create backups.velero.io" in stop.hint


async def test_nothing_starts_while_the_storage_is_away(lab: Lab) -> None:
    lab.world.at(LOCATIONS, "default")["status"] = {"phase": "Unavailable", "message": "dial tcp"}
    seen = await lab.run(Preflight(PARAMS), looks=3)
    assert seen.seen is Seen.WAITING
    assert "dial tcp" in seen.detail


async def test_a_new_backup_nobody_looks_at_points_to_the_server(lab: Lab) -> None:
    await created(lab)
    assert (await Wait(PARAMS).observe(lab)).hint == ""
    lab.clock.seconds += 120
    assert "server running" in (await Wait(PARAMS).observe(lab)).hint


async def test_only_a_backup_that_never_began_is_taken_back(lab: Lab) -> None:
    await created(lab)
    await Create(PARAMS).undo(lab)
    assert await lab.reader.get(BACKUPS, "b1", VELERO, type=Backup) is None
    await created(lab)
    phase(lab.world, "InProgress")()
    with pytest.raises(Exception, match="cannot be taken back"):
        await Create(PARAMS).undo(lab)


async def test_a_backup_that_velero_begins_while_it_is_taken_back_is_not_called_undone(lab: Lab) -> None:
    await created(lab)
    lab.world.outcomes = [Outcome.CONFLICT]
    lab.world.after_write = lambda write: phase(lab.world, "InProgress")()
    with pytest.raises(StepStopped, match="has begun cannot be taken back"):
        await Create(PARAMS).undo(lab)
    assert lab.world.at(BACKUPS, "b1")["status"]["phase"] == "InProgress"


async def test_a_deletion_whose_end_nobody_knows_is_looked_at_again(lab: Lab) -> None:
    await created(lab)
    lab.world.outcomes = [Outcome.AMBIGUOUS]
    await Create(PARAMS).undo(lab)
    assert await lab.reader.get(BACKUPS, "b1", VELERO, type=Backup) is None


async def test_a_backup_without_volumes_to_hold_is_not_called_tested(lab: Lab) -> None:
    params = {**PARAMS, "spec": {"includedNamespaces": ["shop"], "snapshotVolumes": False}}
    for step in (Preflight(params), Create(params)):
        await lab.run(step)
    phase(lab.world, "Completed")()
    await lab.run(Settle(params))
    assert (await lab.run(Verify(params))).detail == "no volumes expected"
    assert lab.verdicts == [Verdict.NOT_TESTED]
    assert lab.fetched == []
