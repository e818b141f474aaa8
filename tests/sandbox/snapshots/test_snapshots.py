"""VolumeSnapshots from creation to readyToUse, and what keeps them from it."""

from __future__ import annotations

import errno
from itertools import pairwise

import pytest

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.resources import VOLUMES
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.snapshots import driver, storage
from lazarus_tui.sandbox.snapshots.names import (
    BEING_CREATED,
    CLASSES,
    CONTENTS,
    FROZEN_MILLISECONDS,
    SNAPSHOTS,
)
from lazarus_tui.sandbox.snapshots.sources import is_bound


def error(site, name="snap"):
    return (site.status(SNAPSHOTS, name).get("error") or {}).get("message", "")


async def test_a_snapshot_is_cut_at_once_and_ready_after_its_upload(site):
    await site.filled()
    made = site.snapshot()
    await site.settle()
    uid, cut = made["metadata"]["uid"], site.clock.now()
    told = site.status(SNAPSHOTS, "snap")
    assert told["boundVolumeSnapshotContentName"] == f"snapcontent-{uid}"
    assert parse_rfc3339(told["creationTime"]) == cut
    assert told["readyToUse"] is False
    assert told["restoreSize"] == "1Gi"
    await site.advance(5)
    assert site.status(SNAPSHOTS, "snap") == told | {"readyToUse": True}
    content = site.content()
    assert content["status"] == {
        "snapshotHandle": f"snapshot-{uid}",
        "creationTime": int(cut.timestamp()) * 1_000_000_000,
        "readyToUse": True,
        "restoreSize": 2**30,
    }
    assert int(content["metadata"]["annotations"][FROZEN_MILLISECONDS]) >= 0
    assert content["spec"]["sourceVolumeMode"] == "Filesystem"
    assert (site.driver.storage.data(f"snapshot-{uid}") / "file").read_text() == "orders"
    assert site.reasons("snap") == ["CreatingSnapshot", "SnapshotCreated", "SnapshotReady"]


async def test_the_default_class_of_the_driver_is_written_into_the_snapshot(site):
    site.snapshot_class("another-drivers", driver="other.example", default=True)
    await site.filled()
    await site.ready()
    assert site.get(SNAPSHOTS, "snap")["spec"]["volumeSnapshotClassName"] == "directory"
    assert site.content()["spec"]["volumeSnapshotClassName"] == "directory"


@pytest.mark.parametrize(
    ("marked", "said"),
    [([], "cannot find default snapshot class"), (["a", "b"], "2 default snapshot classes were found")],
)
async def test_without_exactly_one_default_class_the_snapshot_says_so_and_tries_again(site, marked, said):
    site.api.delete(CLASSES, "directory")
    for name in marked:
        site.snapshot_class(name, default=True)
    await site.filled()
    site.snapshot()
    await site.settle()
    assert error(site) == f"Failed to set default snapshot class with error {said}"
    assert site.reasons("snap") == ["SetDefaultSnapshotClassFailed"]
    for name in marked:
        site.api.delete(CLASSES, name)
    site.snapshot_class("only", default=True)
    await site.advance(10)
    assert site.status(SNAPSHOTS, "snap")["readyToUse"] is True
    assert "error" not in site.status(SNAPSHOTS, "snap")


async def test_a_class_that_is_missing_is_named_and_waited_for(site):
    await site.filled()
    site.snapshot(volumeSnapshotClassName="gold")
    await site.settle()
    missing = 'volumesnapshotclass.snapshot.storage.k8s.io "gold" not found'
    assert error(site) == f"Failed to get snapshot class with error {missing}"
    site.snapshot_class("gold")
    await site.advance(5)
    assert site.status(SNAPSHOTS, "snap")["readyToUse"] is True


async def test_a_claim_that_waits_or_is_not_there_is_no_source(site):
    site.claim("waiting", "standard")
    site.snapshot("one", "waiting")
    site.snapshot("two", "nowhere")
    await site.settle()
    assert "the PVC waiting is not yet bound to a PV, will not attempt to take a snapshot" in error(site, "one")
    assert "failed to retrieve PVC nowhere from the lister" in error(site, "two")
    assert site.names_of(CONTENTS) == []


async def test_a_volume_without_csi_cannot_be_snapshot(site):
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    site.api.create(VOLUMES, {"metadata": {"name": "disk"}, "spec": spec | {"hostPath": {"path": "/srv"}}})
    site.claim("data", "", volumeName="disk")
    await site.settle()
    site.snapshot("by-default")
    site.snapshot("by-name", volumeSnapshotClassName="directory")
    await site.settle()
    assert error(site, "by-default").endswith("snapshotting non-CSI volumes is not supported, snapshot:shop/by-default")
    assert error(site, "by-name").endswith("cannot find CSI PersistentVolumeSource for volume disk")
    assert site.reasons("by-name") == ["SnapshotContentCreationFailed"]


async def test_without_the_drivers_sidecar_a_snapshot_waits_without_a_word(make_site):
    site = await make_site(parts=("controller",))
    await site.filled()
    site.snapshot()
    await site.advance(3600)
    assert site.status(SNAPSHOTS, "snap") == {
        "boundVolumeSnapshotContentName": site.content()["metadata"]["name"],
        "readyToUse": False,
    }
    assert site.reasons("snap") == ["CreatingSnapshot"]
    assert "status" not in site.content()


async def test_without_the_snapshot_controller_nothing_happens_at_all(make_site):
    site = await make_site(parts=("sidecar",))
    await site.filled()
    site.snapshot()
    await site.advance(3600)
    assert "status" not in site.get(SNAPSHOTS, "snap")
    assert site.reasons("snap") == []


async def test_a_class_of_another_driver_leaves_the_snapshot_to_a_sidecar_that_is_not_there(site):
    site.snapshot_class("foreign", driver="other.example")
    await site.filled()
    site.snapshot(volumeSnapshotClassName="foreign")
    await site.advance(600)
    assert site.status(SNAPSHOTS, "snap")["readyToUse"] is False
    assert error(site) == ""


async def test_a_failing_driver_is_an_error_that_goes_when_it_works_again(site):
    await site.filled()
    site.driver.faults.fails = "the array is on fire"
    site.snapshot()
    await site.settle()
    uid = site.get(SNAPSHOTS, "snap")["metadata"]["uid"]
    handle = site.content()["spec"]["source"]["volumeHandle"]
    why = f'failed to take snapshot of the volume {handle}: "rpc error: code = Internal desc = the array is on fire"'
    assert error(site) == f"Failed to create snapshot: {why}"
    assert site.status(SNAPSHOTS, "snap")["readyToUse"] is False
    assert BEING_CREATED not in site.content()["metadata"].get("annotations", {})
    assert site.reasons(f"snapcontent-{uid}") == ["SnapshotCreationFailed"]
    site.driver.faults.fails = ""
    await site.advance(10)
    assert site.status(SNAPSHOTS, "snap")["readyToUse"] is True
    assert "error" not in site.status(SNAPSHOTS, "snap")
    assert "error" not in site.content()["status"]


async def test_attempts_come_at_one_second_first_and_five_minutes_at_last(site, monkeypatch):
    await site.filled()
    moments = []

    async def fails(name, volume, parameters):
        moments.append(site.clock.monotonic())
        raise driver.DriverFault("Internal", "no")

    monkeypatch.setattr(site.driver, "cut", fails)
    site.snapshot()
    await site.advance(1200)
    waits = [round(after - before) for before, after in pairwise(moments)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


async def test_while_the_driver_does_not_answer_the_content_says_that_a_cut_may_be_under_way(site):
    await site.filled()
    site.driver.faults.silent = True
    site.snapshot()
    await site.settle()
    assert site.content()["metadata"]["annotations"][BEING_CREATED] == "yes"
    assert "DeadlineExceeded" in error(site)
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.advance(100)
    assert site.there(SNAPSHOTS, "snap"), "a cut that may be under way must not be forgotten"
    site.driver.faults.silent = False
    await site.advance(300)
    assert not site.there(SNAPSHOTS, "snap")
    assert site.handles() == []


async def test_a_stuck_snapshot_is_cut_and_never_ready_until_it_comes_loose(site):
    await site.filled()
    site.driver.faults.stuck = True
    site.snapshot()
    await site.advance(3600)
    told = site.status(SNAPSHOTS, "snap")
    assert told["creationTime"]
    assert told["readyToUse"] is False
    assert error(site) == ""
    site.driver.faults.stuck = False
    await site.advance(300)
    assert site.status(SNAPSHOTS, "snap")["readyToUse"] is True


async def test_a_full_disk_is_an_error_and_leaves_no_half_copy(site, monkeypatch):
    folder = await site.filled()
    (folder / "more").write_text("more")
    whole = storage.copy_tree

    def full(source, target, stop, live):
        target.mkdir()
        (target / "file").write_text("ord")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage, "copy_tree", full)
    site.snapshot()
    await site.settle()
    assert "No space left on device" in error(site)
    assert list(site.driver.storage.root.iterdir()) == []
    monkeypatch.setattr(storage, "copy_tree", whole)
    await site.advance(10)
    assert site.status(SNAPSHOTS, "snap")["readyToUse"] is True
    copy = site.driver.storage.data(site.handles()[0])
    assert {one.name: one.read_text() for one in copy.iterdir()} == {"file": "orders", "more": "more"}


async def test_a_copy_that_would_fill_the_disk_is_not_begun(site, monkeypatch):
    folder = await site.filled(text="x" * 1000)
    usage = driver.shutil.disk_usage(folder)
    monkeypatch.setattr(driver.shutil, "disk_usage", lambda _: usage._replace(free=1999))
    site.snapshot()
    await site.settle()
    assert "no room for a copy of 1000 bytes" in error(site)
    monkeypatch.setattr(driver.shutil, "disk_usage", lambda _: usage._replace(free=2000))
    await site.advance(10)
    assert site.status(SNAPSHOTS, "snap")["readyToUse"] is True


async def test_a_crash_between_copy_and_status_gives_the_same_snapshot_again(site):
    folder = await site.filled(text="at the cut")
    site.driver.faults.stuck = True
    site.snapshot()
    await site.settle()
    await site.loop.stop()
    content = site.content()
    site.api.update_status(CONTENTS, {key: value for key, value in content.items() if key != "status"})
    (folder / "file").write_text("later")
    site.build()
    await site.loop.start()
    await site.advance(5)
    assert site.handles() == [content["status"]["snapshotHandle"]]
    assert (site.driver.storage.data(site.handles()[0]) / "file").read_text() == "at the cut"
    assert site.content()["status"]["creationTime"] == content["status"]["creationTime"]


async def test_what_a_crash_left_half_copied_is_swept(site):
    await site.filled()
    left = site.driver.storage.root / ".snapshot-1.partial"
    left.mkdir(parents=True)
    (left / "file").write_text("half")
    await site.loop.stop()
    site.build()
    await site.loop.start()
    assert not left.exists()


async def test_a_bad_upload_time_in_a_class_is_refused_by_the_driver(site):
    site.snapshot_class("odd", parameters={"uploadSeconds": "soon"})
    await site.filled()
    site.snapshot(volumeSnapshotClassName="odd")
    await site.settle()
    assert "uploadSeconds: 'soon' is no number of seconds" in error(site)


async def test_a_volume_that_is_gone_from_storage_cannot_be_cut(site):
    folder = await site.filled()
    folder.rename(folder.with_name("elsewhere"))
    site.snapshot()
    await site.settle()
    assert "does not exist in the volumes list" in error(site)


async def test_a_lost_content_is_an_error_on_the_snapshot(site):
    await site.filled()
    await site.ready()
    name = site.content()["metadata"]["name"]
    site.parts = ()
    site.api.patch(CONTENTS, name, {"metadata": {"finalizers": None}})
    site.api.delete(CONTENTS, name)
    await site.settle()
    assert "SnapshotContentMissing" in site.reasons("snap")


async def test_a_content_that_was_given_to_another_snapshot_is_misbound(site):
    await site.filled()
    await site.ready()
    name = site.content()["metadata"]["name"]
    reference = site.content()["spec"]["volumeSnapshotRef"] | {"uid": "somebody-else"}
    site.api.patch(CONTENTS, name, {"spec": {"volumeSnapshotRef": reference}})
    await site.settle()
    assert {"SnapshotContentMisbound", "SnapshotFinalizerError"} <= set(site.reasons("snap"))
    assert error(site) == f"VolumeSnapshotContent [{name}] is bound to a different snapshot"
    assert site.status(SNAPSHOTS, "snap")["readyToUse"] is False


async def test_an_empty_class_name_and_two_sources_are_refused(site):
    with pytest.raises(ApiError, match="must not be the empty string when set"):
        site.snapshot(volumeSnapshotClassName="")
    both = {"persistentVolumeClaimName": "data", "volumeSnapshotContentName": "content"}
    with pytest.raises(ApiError, match="exactly one of volumeSnapshotContentName and persistentVolumeClaimName"):
        site.snapshot(source=both)
    site.snapshot()
    with pytest.raises(ApiError, match="persistentVolumeClaimName is immutable"):
        site.api.patch(SNAPSHOTS, "snap", {"spec": {"source": {"persistentVolumeClaimName": "other"}}}, "shop")


@pytest.mark.parametrize(("uid", "bound"), [("mine", True), ("", True), ("another", False)])
def test_a_volume_is_bound_to_the_claim_it_says_and_not_to_one_of_the_same_name(uid, bound):
    claim = {"metadata": {"namespace": "shop", "name": "data", "uid": "mine"}}
    volume = {"spec": {"claimRef": {"namespace": "shop", "name": "data", "uid": uid}}}
    assert is_bound(volume, claim) is bound
    assert not is_bound({"spec": {}}, claim)
