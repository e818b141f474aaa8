"""Claims filled from snapshots and from other claims: what is allowed, what is said, and what never happens."""

from __future__ import annotations

import asyncio

import pytest

from lazarus_tui.model.resources import CLAIMS, PODS, VOLUMES
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.dataplane import copy
from lazarus_tui.sandbox.snapshots.driver import DriverFault
from lazarus_tui.sandbox.snapshots.names import CLONE_FINALIZER, CONTENTS, SNAPSHOTS

SNAPSHOT_GROUP = "snapshot.storage.k8s.io"


def source(name="snap", kind="VolumeSnapshot", group=SNAPSHOT_GROUP):
    return ({"apiGroup": group} if group else {}) | {"kind": kind, "name": name}


def phase(site, name, namespace="shop"):
    return site.status(CLAIMS, name, namespace)["phase"]


def refusal(site, name, storage_class="immediate"):
    """The provisioner's words about a claim, without their beginning."""
    begin = f'failed to provision volume with StorageClass "{storage_class}": '
    found = [one.removeprefix(begin) for one in site.messages(name) if one.startswith(begin)]
    return found[-1] if found else ""


@pytest.mark.parametrize("field", ["dataSource", "dataSourceRef"])
async def test_a_claim_gets_the_snapshots_data_and_both_fields(site, field):
    folder = await site.filled(text="before")
    await site.ready()
    (folder / "file").write_text("after")
    site.claim("copy", **{field: source()})
    await site.settle()
    assert phase(site, "copy") == "Bound"
    assert (site.folder("copy") / "file").read_text() == "before"
    spec = site.get(CLAIMS, "copy")["spec"]
    assert spec["dataSource"] == spec["dataSourceRef"] == source()
    (site.folder("copy") / "file").write_text("changed in the copy")
    assert (site.driver.storage.data(site.handles()[0]) / "file").read_text() == "before"
    assert "ProvisioningSucceeded" in site.reasons("copy")


async def test_nobody_sees_the_volume_before_its_data_is_there(site, monkeypatch):
    await site.filled()
    await site.ready()
    seen, whole = [], site.driver.restore

    async def restore(handle, name):
        await whole(handle, name)
        seen.append((site.there(VOLUMES, name, None), phase(site, "copy")))

    monkeypatch.setattr(site.driver, "restore", restore)
    site.claim("copy", dataSource=source())
    await site.settle()
    assert seen == [(False, "Pending")]
    assert phase(site, "copy") == "Bound"


async def test_with_a_late_class_the_claim_waits_for_a_pod(site):
    await site.filled()
    await site.ready()
    site.claim("copy", "standard", dataSource=source())
    await site.advance(3600)
    assert phase(site, "copy") == "Pending"
    assert site.reasons("copy") == ["WaitForFirstConsumer"]
    site.pod("reader", "copy")
    await site.settle()
    assert phase(site, "copy") == "Bound"
    assert (site.folder("copy") / "file").read_text() == "orders"
    assert site.status(PODS, "reader")["phase"] == "Running"


async def test_a_snapshot_that_is_not_ready_is_waited_for(site):
    await site.filled()
    site.driver.faults.stuck = True
    site.snapshot()
    await site.settle()
    site.claim("copy", dataSource=source())
    await site.settle()
    where = "error getting handle for DataSource Type VolumeSnapshot by Name snap: "
    assert refusal(site, "copy") == f"{where}snapshot snap is not Ready"
    assert phase(site, "copy") == "Pending"
    site.driver.faults.stuck = False
    await site.advance(60)
    assert (site.folder("copy") / "file").read_text() == "orders"


async def test_a_snapshot_that_is_not_bound_is_said_so(make_site):
    site = await make_site(parts=("sidecar",))
    await site.filled()
    site.snapshot()
    site.claim("copy", dataSource=source())
    await site.settle()
    assert refusal(site, "copy").endswith("snapshot snap not bound")


async def test_a_snapshot_that_is_missing_gives_no_volume_and_one_that_comes_later_does(site):
    await site.filled()
    site.claim("copy", dataSource=source())
    await site.settle()
    assert refusal(site, "copy").endswith(
        'error getting snapshot snap from api server: volumesnapshots.snapshot.storage.k8s.io "snap" not found'
    )
    assert len(list(site.volumes.handles())) == 1
    await site.ready()
    await site.advance(30)
    assert (site.folder("copy") / "file").read_text() == "orders"


async def test_a_snapshot_that_is_being_deleted_is_no_source(site):
    await site.filled()
    await site.ready()
    site.driver.faults.delete_fails = "locked"
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.settle()
    site.claim("copy", dataSource=source())
    await site.settle()
    assert refusal(site, "copy").endswith("snapshot snap is being deleted")
    assert phase(site, "copy") == "Pending"


async def test_a_class_of_another_driver_is_refused(site):
    await site.filled()
    site.alias("foreign", "snap-1", driver="other.example")
    await site.settle()
    site.claim("copy", dataSource=source("foreign"))
    await site.settle()
    expected = (
        "snapshotcontent foreign-content for snapshot foreign is not handled by CSI driver of StorageClass immediate"
    )
    assert refusal(site, "copy").endswith(expected)


async def test_a_class_whose_provisioner_is_not_here_is_waited_for(site):
    await site.filled()
    await site.ready()
    site.claim("copy", "foreign", dataSource=source())
    await site.settle()
    assert site.reasons("copy") == ["ExternalProvisioning"]
    assert "external provisioner 'other.example'" in site.messages("copy")[0]


@pytest.mark.parametrize(("size", "bound"), [("1023Mi", False), ("1Gi", True), ("2Gi", True)])
async def test_the_claim_must_be_as_large_as_the_snapshot(site, size, bound):
    await site.filled()
    await site.ready()
    site.claim("copy", size=size, dataSource=source())
    await site.settle()
    assert (phase(site, "copy") == "Bound") == bound
    if bound:
        assert site.status(CLAIMS, "copy")["capacity"]["storage"] == size
    else:
        said = "requested volume size 1072693248 is less than the size 1073741824 for the source snapshot snap"
        assert refusal(site, "copy").endswith(said)


async def test_another_mode_needs_permission_on_the_content(site):
    await site.filled()
    await site.ready()
    site.claim("copy", dataSource=source(), volumeMode="Block")
    await site.settle()
    text = "requested volume shop/copy modifies the mode of the source volume but does not have permission to do so."
    assert text in refusal(site, "copy")
    mark = {"snapshot.storage.kubernetes.io/allow-volume-mode-change": "true"}
    site.api.patch(CONTENTS, site.content()["metadata"]["name"], {"metadata": {"annotations": mark}})
    await site.advance(10)
    assert phase(site, "copy") == "Bound"


async def test_a_content_that_points_elsewhere_is_not_used(site):
    await site.filled()
    await site.ready()
    reference = site.content()["spec"]["volumeSnapshotRef"] | {"uid": "somebody-else"}
    site.api.patch(CONTENTS, site.content()["metadata"]["name"], {"spec": {"volumeSnapshotRef": reference}})
    site.claim("copy", dataSource=source())
    await site.settle()
    assert refusal(site, "copy").endswith("for snapshot snap is bound to a different snapshot")


async def test_a_content_that_is_gone_is_said_so(site):
    await site.filled()
    await site.ready()
    name = site.content()["metadata"]["name"]
    await site.loop.stop()
    site.parts = ()
    site.build()
    site.api.patch(CONTENTS, name, {"metadata": {"finalizers": None}})
    site.api.delete(CONTENTS, name)
    await site.loop.start()
    site.claim("copy", dataSource=source())
    await site.settle()
    assert refusal(site, "copy").endswith(f"error getting snapshotcontent {name} for snapshot snap")


async def test_an_import_without_a_size_is_restored_at_any_size(site):
    await site.filled()
    await site.ready()
    site.driver.faults.unlisted = True
    site.alias("copy", site.content()["status"]["snapshotHandle"], namespace="other")
    await site.settle()
    site.claim("small", size="1Mi", dataSource=source("copy"), namespace="other")
    await site.settle()
    assert (site.folder("small", "other") / "file").read_text() == "orders"


# --- what the API does with the two fields


async def test_a_namespace_in_the_reference_is_dropped_so_the_claim_asks_at_home(site):
    await site.filled()
    await site.ready()
    made = site.claim("copy", dataSourceRef=source() | {"namespace": "shop"}, namespace="other")
    assert made["spec"]["dataSourceRef"] == made["spec"]["dataSource"] == source()
    await site.settle()
    assert "error getting snapshot snap from api server" in refusal(site, "copy")
    assert phase(site, "copy", "other") == "Pending"


async def test_an_unknown_source_is_dropped_by_the_old_field_and_the_volume_is_empty(site):
    made = site.claim("copy", dataSource=source("x", "Backup", "backups.example"))
    assert "dataSource" not in made["spec"]
    await site.settle()
    assert list(site.folder("copy").iterdir()) == []


async def test_by_the_new_field_it_is_left_to_whoever_fills_it(site):
    site.claim("copy", dataSourceRef=source("x", "Backup", "backups.example"))
    await site.advance(600)
    assert phase(site, "copy") == "Pending"
    assert "Assuming an external populator will provision the volume" in site.messages("copy")
    assert list(site.volumes.handles()) == []


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"dataSourceRef": source("x", "Pod", "")}, "must be 'PersistentVolumeClaim' when referencing the default"),
        ({"dataSourceRef": {"kind": "VolumeSnapshot", "apiGroup": SNAPSHOT_GROUP}}, "dataSourceRef.name: Required"),
        ({"dataSource": source("a"), "dataSourceRef": source("b")}, "must match dataSourceRef"),
    ],
)
async def test_wrong_references_are_refused(site, spec, text):
    with pytest.raises(ApiError, match=text):
        site.claim("copy", **spec)


async def test_the_source_cannot_be_changed_afterwards(site):
    site.claim("copy", dataSource=source())
    with pytest.raises(ApiError, match="immutable"):
        site.api.patch(CLAIMS, "copy", {"spec": {"dataSource": source("other"), "dataSourceRef": None}}, "shop")


# --- clones


def clone(name="data"):
    return source(name, "PersistentVolumeClaim", "")


async def test_a_claim_is_cloned_and_its_source_held_meanwhile(site, monkeypatch):
    folder = await site.filled(text="mine")
    seen, whole = [], site.driver.clone

    async def watched(handle, name):
        seen.append(CLONE_FINALIZER in site.get(CLAIMS, "data")["metadata"]["finalizers"])
        await whole(handle, name)

    monkeypatch.setattr(site.driver, "clone", watched)
    site.claim("copy", dataSource=clone())
    await site.settle()
    assert (site.folder("copy") / "file").read_text() == "mine"
    assert site.folder("copy") != folder
    assert seen == [True]
    assert CLONE_FINALIZER not in site.get(CLAIMS, "data")["metadata"]["finalizers"]


async def test_what_cannot_be_cloned(site):
    await site.filled(size="2Gi")
    site.claim("waiting", "standard", size="2Gi")
    site.claim("too-small", dataSource=clone())
    site.claim("of-nothing", dataSource=clone("nowhere"))
    site.claim("of-waiting", size="2Gi", dataSource=clone("waiting"))
    site.claim("as-block", size="2Gi", dataSource=clone(), volumeMode="Block")
    await site.settle()
    assert "requested 1073741824 but source is 2147483648" in refusal(site, "too-small")
    assert "error getting PVC nowhere" in refusal(site, "of-nothing")
    assert "the PVC DataSource waiting must have a status of Bound" in refusal(site, "of-waiting")
    assert "Source is Filesystem, but new PVC requested Block" in refusal(site, "as-block")
    assert len(list(site.volumes.handles())) == 1


# --- when it goes wrong


async def test_a_claim_deleted_while_its_data_is_copied_leaves_no_volume(site, monkeypatch):
    await site.filled()
    await site.ready()
    whole = site.driver.restore

    async def restore(handle, name):
        await whole(handle, name)
        site.api.patch(CLAIMS, "copy", {"metadata": {"finalizers": None}}, "shop")
        site.api.delete(CLAIMS, "copy", "shop")

    monkeypatch.setattr(site.driver, "restore", restore)
    site.claim("copy", dataSource=source())
    await site.settle()
    assert not site.there(CLAIMS, "copy")
    assert len(list(site.volumes.handles())) == len(site.names_of(VOLUMES)) == 1


async def test_a_copy_that_fails_is_said_and_tried_again(site, monkeypatch):
    await site.filled()
    await site.ready()
    whole = site.driver.restore

    async def fails(handle, name):
        raise DriverFault("Internal", "copy failed: No space left on device")

    monkeypatch.setattr(site.driver, "restore", fails)
    site.claim("copy", dataSource=source())
    await site.settle()
    assert "No space left on device" in refusal(site, "copy")
    assert site.names_of(VOLUMES) == [site.get(CLAIMS, "data")["spec"]["volumeName"]]
    monkeypatch.setattr(site.driver, "restore", whole)
    await site.advance(5)
    assert (site.folder("copy") / "file").read_text() == "orders"


async def test_a_snapshot_that_vanishes_while_it_is_copied_never_gives_half_a_volume(site, monkeypatch):
    """Another content on the same handle may be deleted at any moment."""
    folder = await site.filled()
    for number in range(3):
        (folder / f"more-{number}").write_text("more")
    await site.ready()
    handle, whole = site.handles()[0], copy.copy_file

    def copy_file(source, target):
        site.driver.storage.delete(handle)
        return whole(source, target)

    monkeypatch.setattr(copy, "copy_file", copy_file)
    site.claim("copy", dataSource=source())
    await site.settle()
    assert "copy failed" in refusal(site, "copy")
    await site.advance(5)
    assert any("does not exist in the snapshots list" in one for one in site.messages("copy"))
    assert phase(site, "copy") == "Pending"
    assert len(list(site.volumes.handles())) == 1


async def test_a_large_copy_does_not_keep_other_claims_waiting(site, monkeypatch):
    await site.filled()
    await site.ready()
    whole, go = site.driver.restore, asyncio.Event()

    async def slow(handle, name):
        await go.wait()
        await whole(handle, name)

    monkeypatch.setattr(site.driver, "restore", slow)
    site.claim("large", dataSource=source())
    site.claim("small")
    while phase(site, "small") != "Bound":
        await asyncio.sleep(0)
    assert phase(site, "large") == "Pending"
    go.set()
    await site.settle()
    assert phase(site, "large") == "Bound"
