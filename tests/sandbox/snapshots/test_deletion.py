"""What deleting does to objects and to storage, for either policy."""

from __future__ import annotations

import pytest

from lazarus_tui.model.resources import NAMESPACES
from lazarus_tui.sandbox.dataplane.volumes import DRIVER
from lazarus_tui.sandbox.snapshots.names import CONTENT_FINALIZER, CONTENTS, SNAPSHOTS


async def prepared(site, policy):
    """A ready snapshot whose content has the policy; the content's name."""
    await site.filled()
    await site.ready()
    if policy == "Retain":
        site.keep()
        await site.settle()
    return site.content()["metadata"]["name"]


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
async def test_deleting_a_snapshot(site, policy):
    name = await prepared(site, policy)
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.advance(5)
    assert not site.there(SNAPSHOTS, "snap")
    assert site.there(CONTENTS, name, None) == (policy == "Retain")
    assert bool(site.handles()) == (policy == "Retain")


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
async def test_deleting_the_namespace(site, policy):
    name = await prepared(site, policy)
    site.api.delete(NAMESPACES, "shop")
    await site.advance(60)
    assert not site.there(NAMESPACES, "shop")
    assert site.there(CONTENTS, name, None) == (policy == "Retain")
    assert bool(site.handles()) == (policy == "Retain")


async def test_the_content_that_stays_names_a_snapshot_that_is_gone(site):
    name = await prepared(site, "Retain")
    uid = site.get(SNAPSHOTS, "snap")["metadata"]["uid"]
    handle = site.content()["status"]["snapshotHandle"]
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.settle()
    left = site.get(CONTENTS, name, None)
    assert left["spec"]["volumeSnapshotRef"]["uid"] == uid
    assert left["status"]["snapshotHandle"] == handle


async def test_such_a_content_goes_at_once_and_leaves_storage_alone(site):
    name = await prepared(site, "Retain")
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.settle()
    site.api.delete(CONTENTS, name)
    await site.settle()
    assert not site.there(CONTENTS, name, None)
    assert site.handles()


async def test_patched_back_to_delete_it_takes_the_storage_snapshot_with_it(site):
    name = await prepared(site, "Retain")
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.settle()
    site.api.patch(CONTENTS, name, {"spec": {"deletionPolicy": "Delete"}})
    await site.settle()
    assert site.handles(), "a policy alone deletes nothing"
    site.api.delete(CONTENTS, name)
    await site.settle()
    assert site.handles() == []


async def test_patched_back_to_delete_before_the_snapshot_goes(site):
    await prepared(site, "Retain")
    site.api.patch(CONTENTS, site.content()["metadata"]["name"], {"spec": {"deletionPolicy": "Delete"}})
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.advance(5)
    assert site.names_of(CONTENTS) == []
    assert site.handles() == []


async def test_a_content_copied_without_its_snapshot_is_not_deleted(site):
    """The explicit rule against data loss; and its price: such a content cannot be deleted either."""
    await prepared(site, "Delete")
    handle = site.content()["status"]["snapshotHandle"]
    reference = {"name": "nobody", "namespace": "shop", "uid": "11111111-0000-4000-8000-000000000000"}
    spec = {
        "deletionPolicy": "Delete",
        "driver": DRIVER,
        "source": {"snapshotHandle": handle},
        "volumeSnapshotRef": reference,
    }
    site.api.create(CONTENTS, {"metadata": {"name": "copied"}, "spec": spec})
    await site.advance(3600)
    assert site.there(CONTENTS, "copied", None)
    site.api.delete(CONTENTS, "copied")
    await site.advance(3600)
    assert site.get(CONTENTS, "copied", None)["metadata"]["finalizers"] == [CONTENT_FINALIZER]
    assert site.handles() == [handle]


async def test_of_two_contents_on_one_handle_the_one_with_delete_destroys_the_others_data(site):
    await prepared(site, "Retain")
    handle = site.content()["status"]["snapshotHandle"]
    site.alias("alias", handle, policy="Delete")
    await site.advance(5)
    assert site.status(SNAPSHOTS, "alias")["readyToUse"] is True
    site.api.delete(SNAPSHOTS, "alias", "shop")
    await site.advance(5)
    assert site.handles() == []
    assert site.status(SNAPSHOTS, "snap")["readyToUse"] is True, "the first one does not learn of it"
    source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "snap"}
    site.claim("copy", dataSource=source)
    await site.settle()
    assert any("does not exist in the snapshots list" in one for one in site.messages("copy"))


async def test_an_alias_that_is_kept_leaves_the_data_alone(site):
    await prepared(site, "Delete")
    handle = site.content()["status"]["snapshotHandle"]
    site.alias("alias", handle, namespace="other")
    await site.advance(5)
    site.api.delete(SNAPSHOTS, "alias", "other")
    await site.advance(5)
    site.api.delete(CONTENTS, "alias-content")
    await site.advance(5)
    assert not site.there(CONTENTS, "alias-content", None)
    assert site.handles() == [handle]


async def test_a_snapshot_deleted_before_it_was_cut_leaves_nothing(site):
    await site.filled()
    site.driver.faults.fails = "no"
    site.snapshot()
    await site.settle()
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.advance(300)
    assert not site.there(SNAPSHOTS, "snap")
    assert site.names_of(CONTENTS) == []
    assert site.handles() == []


async def test_deleting_goes_on_after_a_crash(site):
    name = await prepared(site, "Delete")
    site.driver.faults.delete_fails = "later"
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.settle()
    await site.loop.stop()
    site.build()
    await site.loop.start()
    await site.advance(5)
    assert not site.there(SNAPSHOTS, "snap")
    assert not site.there(CONTENTS, name, None)
    assert site.handles() == []
