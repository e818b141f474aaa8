"""Contents that were there before: another namespace, another cluster, and everything that does not fit."""

from __future__ import annotations

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.sandbox.dataplane.volumes import DRIVER
from lazarus_tui.sandbox.snapshots.names import CONTENT_FINALIZER, CONTENTS, SNAPSHOTS


def error(site, name, namespace="shop"):
    return (site.status(SNAPSHOTS, name, namespace).get("error") or {}).get("message", "")


async def original(site):
    await site.filled()
    await site.ready()
    return site.content()["status"]


async def test_an_import_into_another_namespace_is_bound_and_tells_what_storage_knows(site):
    known = await original(site)
    await site.advance(3600)
    site.alias("copy", known["snapshotHandle"], namespace="other", sourceVolumeMode="Filesystem")
    await site.advance(5)
    snapshot = site.get(SNAPSHOTS, "copy", "other")
    content = site.get(CONTENTS, "copy-content", None)
    assert content["spec"]["volumeSnapshotRef"]["uid"] == snapshot["metadata"]["uid"]
    assert content["metadata"]["finalizers"] == [CONTENT_FINALIZER]
    assert content["status"] == known
    first = site.status(SNAPSHOTS, "snap")
    assert snapshot["status"] == first | {"boundVolumeSnapshotContentName": "copy-content"}
    site.claim("data", dataSource=source("copy"), namespace="other")
    await site.settle()
    assert (site.folder("data", "other") / "file").read_text() == "orders"


async def test_the_order_of_content_and_snapshot_is_free(site):
    known = await original(site)
    wanted = {"source": {"volumeSnapshotContentName": "late-content"}}
    site.api.create(SNAPSHOTS, {"metadata": {"name": "late"}, "spec": wanted}, "shop")
    await site.settle()
    assert error(site, "late") == "VolumeSnapshotContent is missing"
    assert site.reasons("late") == ["SnapshotContentMissing"]
    site.api.delete(SNAPSHOTS, "late", "shop")
    await site.settle()
    reference = {"name": "late", "namespace": "shop"}
    spec = {"deletionPolicy": "Retain", "driver": DRIVER, "volumeSnapshotRef": reference}
    content = {
        "metadata": {"name": "late-content"},
        "spec": spec | {"source": {"snapshotHandle": known["snapshotHandle"]}},
    }
    site.api.create(CONTENTS, content)
    await site.settle()
    assert "finalizers" not in site.get(CONTENTS, "late-content", None)["metadata"]
    site.api.create(SNAPSHOTS, {"metadata": {"name": "late"}, "spec": wanted}, "shop")
    await site.advance(5)
    assert site.status(SNAPSHOTS, "late")["readyToUse"] is True


async def test_a_content_that_nobody_claimed_goes_at_once(site):
    known = await original(site)
    spec = {
        "deletionPolicy": "Delete",
        "driver": DRIVER,
        "volumeSnapshotRef": {"name": "x", "namespace": "shop"},
        "source": {"snapshotHandle": known["snapshotHandle"]},
    }
    site.api.create(CONTENTS, {"metadata": {"name": "free"}, "spec": spec})
    await site.settle()
    site.api.delete(CONTENTS, "free")
    await site.settle()
    assert not site.there(CONTENTS, "free", None)
    assert site.handles() == [known["snapshotHandle"]]


async def test_a_handle_that_storage_does_not_know_is_an_error(site):
    site.alias("ghost", "snapshot-nowhere")
    await site.advance(5)
    assert site.status(SNAPSHOTS, "ghost")["readyToUse"] is False
    assert "can not find snapshot for snapshotID snapshot-nowhere" in error(site, "ghost")
    assert site.reasons("ghost-content") == ["SnapshotContentCheckandUpdateFailed"]


async def test_a_driver_that_cannot_list_calls_every_handle_ready(site):
    """So that ready proves nothing: no size, and the moment of the import as that of the cut."""
    site.driver.faults.unlisted = True
    await site.advance(100)
    site.alias("ghost", "snapshot-nowhere")
    await site.settle()
    told = site.status(SNAPSHOTS, "ghost")
    assert told["readyToUse"] is True
    assert parse_rfc3339(told["creationTime"]) == site.clock.now()
    assert "restoreSize" not in told
    site.claim("data", dataSource=source("ghost"))
    await site.settle()
    assert any("does not exist in the snapshots list" in one for one in site.messages("data"))


async def test_contents_of_somebody_else_are_not_taken(site):
    known = await original(site)
    site.alias("first", known["snapshotHandle"])
    await site.settle()
    wanted = {"source": {"volumeSnapshotContentName": "first-content"}}
    site.api.create(SNAPSHOTS, {"metadata": {"name": "second"}, "spec": wanted}, "shop")
    site.api.create(SNAPSHOTS, {"metadata": {"name": "first"}, "spec": wanted}, "other")
    dynamic = {"source": {"volumeSnapshotContentName": site.content()["metadata"]["name"]}}
    site.api.create(SNAPSHOTS, {"metadata": {"name": "third"}, "spec": dynamic}, "shop")
    await site.settle()
    taken = "VolumeSnapshotContent [first-content] is bound to a different snapshot"
    assert error(site, "second") == error(site, "first", "other") == taken
    expected = "VolumeSnapshotContent is dynamically provisioned while expecting a pre-provisioned one"
    assert error(site, "third") == expected
    assert "SnapshotContentMismatch" in site.reasons("third")
    assert site.status(SNAPSHOTS, "first")["readyToUse"] is True


async def test_an_import_for_a_driver_without_a_sidecar_waits_without_a_word(site):
    site.alias("foreign", "snap-123", driver="other.example")
    await site.advance(600)
    told = site.status(SNAPSHOTS, "foreign")
    assert told == {"boundVolumeSnapshotContentName": "foreign-content", "readyToUse": False}


def source(name):
    return {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": name}
