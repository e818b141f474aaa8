"""Group snapshots: one moment for all members, members that cannot go alone, and the end of all of them."""

from __future__ import annotations

import hashlib

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.resources import CLAIMS, NAMESPACES
from lazarus_tui.sandbox.dataplane.volumes import DRIVER
from lazarus_tui.sandbox.snapshots.names import (
    CONTENTS,
    GROUP_BEING_CREATED,
    GROUP_CLASSES,
    GROUP_CONTENT_FINALIZER,
    GROUP_CONTENTS,
    GROUP_FINALIZER,
    GROUP_HANDLE,
    GROUP_SNAPSHOTS,
    MEMBER_FINALIZER,
    SNAPSHOTS,
)

LABELS = {"app": "orders"}


async def claims(site, count=2, **spec):
    for index in range(count):
        folder = await site.filled(f"data-orders-{index}", text=f"orders {index}", **spec)
        assert folder.is_dir()
        site.api.patch(CLAIMS, f"data-orders-{index}", {"metadata": {"labels": LABELS}}, "shop")


def group(site, name="set", **spec):
    body = {"metadata": {"name": name}, "spec": {"source": {"selector": {"matchLabels": LABELS}}} | spec}
    return site.api.create(GROUP_SNAPSHOTS, body, "shop")


async def ready(site):
    await claims(site)
    made = group(site)
    await site.advance(20)
    assert site.status(GROUP_SNAPSHOTS, "set")["readyToUse"] is True
    return made


def group_content(site, name="set"):
    return site.get(GROUP_CONTENTS, site.status(GROUP_SNAPSHOTS, name)["boundVolumeGroupSnapshotContentName"], None)


def error(site, name="set"):
    return (site.status(GROUP_SNAPSHOTS, name).get("error") or {}).get("message", "")


async def test_a_group_is_cut_at_one_moment_and_ready_when_all_members_are(site):
    await claims(site)
    await site.filled("other", text="not of the set")
    made = group(site)
    await site.settle()
    cut = site.clock.now()
    told = site.status(GROUP_SNAPSHOTS, "set")
    assert told["boundVolumeGroupSnapshotContentName"] == f"groupsnapcontent-{made['metadata']['uid']}"
    assert parse_rfc3339(told["creationTime"]) == cut
    assert told["readyToUse"] is False
    assert [site.status(SNAPSHOTS, name)["readyToUse"] for name in site.names_of(SNAPSHOTS, "shop")] == [False, False]
    await site.advance(20)
    assert site.status(GROUP_SNAPSHOTS, "set") == told | {"readyToUse": True}
    assert site.reasons("set") == ["CreatingGroupSnapshot", "GroupSnapshotCreated", "GroupSnapshotReady"]
    snapshots = [site.get(SNAPSHOTS, name) for name in site.names_of(SNAPSHOTS, "shop")]
    assert [one["status"]["readyToUse"] for one in snapshots] == [True, True]
    assert {one["status"]["creationTime"] for one in snapshots} == {told["creationTime"]}
    assert len(site.handles()) == 2


async def test_members_are_named_by_group_and_volume_and_owned_by_the_group(site):
    made = await ready(site)
    uid = made["metadata"]["uid"]
    for index in range(2):
        handle = site.folder(f"data-orders-{index}").name
        digest = hashlib.sha256((uid + handle).encode()).hexdigest()
        snapshot = site.get(SNAPSHOTS, f"snapshot-{digest}")
        content = site.get(CONTENTS, f"snapcontent-{digest}", None)
        assert snapshot["spec"] == {"source": {"persistentVolumeClaimName": f"data-orders-{index}"}}
        assert [one["uid"] for one in snapshot["metadata"]["ownerReferences"]] == [uid]
        assert MEMBER_FINALIZER in snapshot["metadata"]["finalizers"]
        assert snapshot["status"]["volumeGroupSnapshotName"] == "set"
        assert content["spec"]["volumeSnapshotRef"]["uid"] == snapshot["metadata"]["uid"]
        assert content["metadata"]["annotations"][GROUP_HANDLE] == content["status"]["volumeGroupSnapshotHandle"]
        assert "volumeSnapshotClassName" not in content["spec"]
        stored = site.driver.storage.data(content["status"]["snapshotHandle"])
        assert (stored / "file").read_text() == f"orders {index}"


async def test_the_content_lists_every_member(site):
    await ready(site)
    content = group_content(site)
    assert content["spec"]["driver"] == DRIVER
    assert content["metadata"]["finalizers"] == [GROUP_CONTENT_FINALIZER]
    listed = {one["volumeHandle"]: one for one in content["status"]["volumeSnapshotInfoList"]}
    assert set(listed) == set(content["spec"]["source"]["volumeHandles"])
    assert {one["snapshotHandle"] for one in listed.values()} == set(site.handles())
    assert {one["restoreSize"] for one in listed.values()} == {2**30}
    assert site.get(GROUP_SNAPSHOTS, "set")["metadata"]["finalizers"] == [GROUP_FINALIZER]


async def test_a_member_is_restored_like_any_snapshot(site):
    await ready(site)
    name = next(
        one["metadata"]["name"]
        for one in site.api.list(SNAPSHOTS, "shop")
        if one["spec"]["source"]["persistentVolumeClaimName"] == "data-orders-1"
    )
    source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": name}
    site.claim("copy", dataSource=source)
    await site.settle()
    assert (site.folder("copy") / "file").read_text() == "orders 1"


async def test_a_member_alone_cannot_be_deleted(site):
    await ready(site)
    name = site.names_of(SNAPSHOTS, "shop")[0]
    site.api.delete(SNAPSHOTS, name, "shop")
    await site.advance(600)
    assert site.there(SNAPSHOTS, name)
    assert "SnapshotDeletePending" in site.reasons(name)
    assert any("it belongs to group snapshot shop/set" in one for one in site.messages(name))
    assert len(site.handles()) == 2


async def test_the_group_takes_its_members_and_their_data_with_it(site):
    await ready(site)
    site.api.delete(GROUP_SNAPSHOTS, "set", "shop")
    await site.advance(30)
    for kind in (GROUP_SNAPSHOTS, GROUP_CONTENTS, SNAPSHOTS, CONTENTS):
        assert site.names_of(kind) == []
    assert site.handles() == []


async def test_a_group_that_is_kept_leaves_its_contents_and_their_data(site):
    await claims(site)
    site.api.create(GROUP_CLASSES, {"metadata": {"name": "kept"}, "driver": DRIVER, "deletionPolicy": "Retain"})
    group(site, volumeGroupSnapshotClassName="kept")
    await site.advance(20)
    site.api.delete(GROUP_SNAPSHOTS, "set", "shop")
    await site.advance(30)
    assert site.names_of(GROUP_SNAPSHOTS) == site.names_of(SNAPSHOTS) == []
    assert len(site.names_of(GROUP_CONTENTS)) == 1
    assert len(site.names_of(CONTENTS)) == 2
    assert len(site.handles()) == 2


async def test_a_group_waits_for_the_claim_that_is_restored_from_a_member(site):
    await ready(site)
    name = site.names_of(SNAPSHOTS, "shop")[0]
    source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": name}
    site.claim("copy", "standard", dataSource=source)
    await site.settle()
    site.api.delete(GROUP_SNAPSHOTS, "set", "shop")
    await site.advance(600)
    assert site.there(GROUP_SNAPSHOTS, "set")
    assert "SnapshotDeletePending" in site.reasons("set")
    assert len(site.handles()) == 2
    site.api.delete(CLAIMS, "copy", "shop")
    await site.advance(900)
    assert not site.there(GROUP_SNAPSHOTS, "set")
    assert site.handles() == []


async def test_the_namespace_takes_a_group_with_it(site):
    await ready(site)
    site.api.delete(NAMESPACES, "shop")
    await site.advance(1200)
    assert not site.there(NAMESPACES, "shop")
    assert site.handles() == []
    assert site.names_of(GROUP_CONTENTS) == site.names_of(CONTENTS) == []


async def test_if_one_member_cannot_be_cut_none_is(site):
    await claims(site)
    folder = site.folder("data-orders-1")
    folder.rename(folder.with_name("elsewhere"))
    group(site)
    await site.settle()
    assert "failed to take group snapshot of the volumes" in error(site)
    assert site.handles() == []
    assert site.names_of(SNAPSHOTS) == []
    content = group_content(site)
    assert site.reasons(content["metadata"]["name"]) == ["GroupSnapshotCreationFailed"]
    assert GROUP_BEING_CREATED not in content["metadata"].get("annotations", {})
    folder.with_name("elsewhere").rename(folder)
    await site.advance(60)
    assert site.status(GROUP_SNAPSHOTS, "set")["readyToUse"] is True
    assert error(site) == ""


async def test_what_a_group_needs(site):
    group(site)
    await site.settle()
    assert "label selector app=orders for group snapshot not applied to any PVC" in error(site)
    await claims(site, 1)
    site.api.delete(GROUP_CLASSES, "directory")
    group(site, "without-class")
    group(site, "with-a-missing-one", volumeGroupSnapshotClassName="gold")
    site.api.create(
        GROUP_CLASSES, {"metadata": {"name": "foreign"}, "driver": "other.example", "deletionPolicy": "Delete"}
    )
    group(site, "with-a-foreign-one", volumeGroupSnapshotClassName="foreign")
    await site.settle()
    assert error(site, "without-class").endswith("cannot find default group snapshot class")
    assert site.reasons("without-class") == ["SetDefaultGroupSnapshotClassFailed"]
    assert '"gold" not found' in error(site, "with-a-missing-one")
    assert "Volume CSI driver (directory.lazarus.dev) mismatch" in error(site, "with-a-foreign-one")


async def test_a_claim_of_the_group_that_waits_stops_it(site):
    await claims(site, 1)
    site.claim("data-orders-1", "standard")
    site.api.patch(CLAIMS, "data-orders-1", {"metadata": {"labels": LABELS}}, "shop")
    group(site)
    await site.settle()
    assert "the PVC data-orders-1 is not yet bound to a PV, will not attempt to take a group snapshot" in error(site)


async def test_a_stuck_group_is_cut_and_not_ready(site):
    await claims(site)
    site.driver.faults.stuck = True
    group(site)
    await site.advance(900)
    assert site.status(GROUP_SNAPSHOTS, "set")["creationTime"]
    assert site.status(GROUP_SNAPSHOTS, "set")["readyToUse"] is False
    assert [site.status(SNAPSHOTS, name)["readyToUse"] for name in site.names_of(SNAPSHOTS, "shop")] == [False, False]


async def test_a_group_that_was_there_before_is_imported(site):
    await ready(site)
    known = group_content(site)["status"]
    handles = {
        "volumeGroupSnapshotHandle": known["volumeGroupSnapshotHandle"],
        "volumeSnapshotHandles": [one["snapshotHandle"] for one in known["volumeSnapshotInfoList"]],
    }
    spec = {
        "deletionPolicy": "Retain",
        "driver": DRIVER,
        "source": {"groupSnapshotHandles": handles},
        "volumeGroupSnapshotRef": {"name": "again", "namespace": "other"},
    }
    site.api.create(GROUP_CONTENTS, {"metadata": {"name": "again"}, "spec": spec})
    wanted = {"source": {"volumeGroupSnapshotContentName": "again"}}
    made = site.api.create(GROUP_SNAPSHOTS, {"metadata": {"name": "again"}, "spec": wanted}, "other")
    await site.advance(20)
    told = site.status(GROUP_SNAPSHOTS, "again", "other")
    assert told["readyToUse"] is True
    assert told["creationTime"] == known["creationTime"]
    bound = site.get(GROUP_CONTENTS, "again", None)["spec"]["volumeGroupSnapshotRef"]
    assert bound["uid"] == made["metadata"]["uid"]
    site.api.delete(GROUP_SNAPSHOTS, "again", "other")
    await site.advance(30)
    assert not site.there(GROUP_SNAPSHOTS, "again", "other")
    assert len(site.handles()) == 2


async def test_a_crash_after_half_of_the_copies_gives_members_of_one_moment(site):
    await claims(site)
    made = group(site)
    await site.settle()
    names = sorted(site.handles())
    assert names == [f"groupsnapshot-{made['metadata']['uid']}-{index}" for index in range(2)]
    await site.loop.stop()
    content = group_content(site)
    site.driver.storage.delete(names[1])
    site.api.update_status(GROUP_CONTENTS, {key: value for key, value in content.items() if key != "status"})
    await site.clock.advance(7)
    site.build()
    await site.loop.start()
    await site.settle()
    found = [site.driver.storage.find(name) for name in names]
    assert len({one.created for one in found}) == 1
    assert found[0].created == int(site.clock.now().timestamp()) * 1_000_000_000
