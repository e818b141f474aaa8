"""Finalizers of snapshots, contents and claims: who is held, and what lets them go."""

from __future__ import annotations

from lazarus_tui.model.resources import CLAIMS, NAMESPACES
from lazarus_tui.sandbox.snapshots.names import (
    BEING_DELETED,
    BOUND_FINALIZER,
    CLAIM_FINALIZER,
    CONTENT_FINALIZER,
    CONTENTS,
    RESTORE_FINALIZER,
    SNAPSHOTS,
    SOURCE_FINALIZER,
)


def held(obj):
    return set(obj["metadata"].get("finalizers") or ())


async def test_a_claim_is_held_while_a_snapshot_of_it_is_not_ready(site):
    await site.filled()
    site.driver.faults.stuck = True
    site.snapshot()
    await site.settle()
    assert CLAIM_FINALIZER in held(site.get(CLAIMS, "data"))
    site.api.delete(CLAIMS, "data", "shop")
    await site.advance(600)
    assert held(site.get(CLAIMS, "data")) == {CLAIM_FINALIZER}
    site.driver.faults.stuck = False
    await site.advance(600)
    assert not site.there(CLAIMS, "data")


async def test_a_broken_snapshot_blocks_the_deletion_of_its_claim_until_it_is_deleted(site):
    await site.filled()
    site.driver.faults.fails = "never"
    site.snapshot()
    await site.settle()
    site.api.delete(CLAIMS, "data", "shop")
    await site.advance(4 * 3600)
    assert held(site.get(CLAIMS, "data")) == {CLAIM_FINALIZER}
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.advance(600)
    assert not site.there(CLAIMS, "data")
    assert site.names_of(CONTENTS) == []


async def test_of_two_snapshots_the_last_unready_one_frees_the_claim(site):
    await site.filled()
    await site.ready("first")
    site.driver.faults.stuck = True
    site.snapshot("second")
    await site.settle()
    assert CLAIM_FINALIZER in held(site.get(CLAIMS, "data"))
    site.api.delete(SNAPSHOTS, "first", "shop")
    await site.advance(5)
    assert CLAIM_FINALIZER in held(site.get(CLAIMS, "data"))
    site.api.delete(SNAPSHOTS, "second", "shop")
    await site.advance(5)
    assert CLAIM_FINALIZER not in held(site.get(CLAIMS, "data"))


async def test_a_claim_that_is_being_deleted_gives_no_new_snapshot(site):
    await site.filled()
    site.api.patch(CLAIMS, "data", {"metadata": {"finalizers": ["example.com/other"]}}, "shop")
    site.api.delete(CLAIMS, "data", "shop")
    site.snapshot()
    await site.settle()
    said = site.status(SNAPSHOTS, "snap")["error"]["message"]
    assert "cannot add finalizer on claim because it is being deleted" in said
    site.api.patch(CLAIMS, "data", {"metadata": {"finalizers": None}}, "shop")


async def test_the_policy_decides_whether_the_snapshot_waits_for_its_content(site):
    await site.filled()
    site.snapshot_class("kept", deletionPolicy="Retain")
    await site.ready("goes")
    await site.ready("stays", volumeSnapshotClassName="kept")
    assert held(site.get(SNAPSHOTS, "goes")) == {SOURCE_FINALIZER, BOUND_FINALIZER}
    assert held(site.get(SNAPSHOTS, "stays")) == {SOURCE_FINALIZER}
    assert held(site.content("goes")) == held(site.content("stays")) == {CONTENT_FINALIZER}


async def test_a_snapshot_waits_for_the_claim_that_is_restored_from_it(site):
    """And a claim that waits for its first consumer may do so for ever."""
    await site.filled()
    await site.ready()
    site.claim("copy", "standard", dataSource=source("snap"))
    await site.settle()
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.advance(3600)
    assert SOURCE_FINALIZER in held(site.get(SNAPSHOTS, "snap"))
    assert "SnapshotDeletePending" in site.reasons("snap")
    assert "Snapshot is being used to restore a PVC" in site.messages("snap")
    site.api.delete(CLAIMS, "copy", "shop")
    await site.advance(600)
    assert not site.there(SNAPSHOTS, "snap")
    assert site.handles() == []


async def test_a_namespace_with_such_a_claim_goes_all_the_same_once_the_claim_is_gone(site):
    await site.filled()
    await site.ready()
    site.claim("copy", "standard", dataSource=source("snap"))
    await site.settle()
    site.api.delete(NAMESPACES, "shop")
    await site.advance(900)
    assert not site.there(NAMESPACES, "shop")
    assert site.names_of(CONTENTS) == []
    assert site.handles() == []


async def test_a_claim_of_another_namespace_does_not_protect_the_snapshot(site):
    await site.filled()
    await site.ready()
    site.claim("copy", "standard", dataSource=source("snap"), namespace="other")
    await site.settle()
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.advance(5)
    assert not site.there(SNAPSHOTS, "snap")


async def test_the_provisioner_holds_the_snapshot_while_it_copies(site, monkeypatch):
    await site.filled()
    await site.ready()
    seen, whole = [], site.driver.restore

    async def restore(handle, name):
        seen.append(held(site.get(SNAPSHOTS, "snap")))
        await whole(handle, name)

    monkeypatch.setattr(site.driver, "restore", restore)
    site.claim("copy", dataSource=source("snap"))
    await site.settle()
    assert [RESTORE_FINALIZER in one for one in seen] == [True]
    assert RESTORE_FINALIZER not in held(site.get(SNAPSHOTS, "snap"))


async def test_a_hold_that_a_crash_left_behind_is_taken_away(site):
    await site.filled()
    await site.ready()
    await site.loop.stop()
    kept = site.get(SNAPSHOTS, "snap")["metadata"]["finalizers"]
    site.api.patch(SNAPSHOTS, "snap", {"metadata": {"finalizers": [*kept, RESTORE_FINALIZER]}}, "shop")
    site.build()
    await site.loop.start()
    await site.settle()
    assert held(site.get(SNAPSHOTS, "snap")) == set(kept)


async def test_a_content_deleted_first_waits_until_its_snapshot_is_deleted(site):
    await site.filled()
    await site.ready()
    name = site.content()["metadata"]["name"]
    site.api.delete(CONTENTS, name)
    await site.advance(3600)
    assert site.get(CONTENTS, name, None)["metadata"]["deletionTimestamp"]
    assert site.handles()
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.advance(5)
    assert not site.there(CONTENTS, name, None)
    assert not site.there(SNAPSHOTS, "snap")
    assert site.handles() == []


async def test_the_content_of_a_snapshot_that_is_going_is_marked(site):
    await site.filled()
    await site.ready()
    name = site.content()["metadata"]["name"]
    site.driver.faults.delete_fails = "locked"
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.advance(60)
    assert site.get(CONTENTS, name, None)["metadata"]["annotations"][BEING_DELETED] == "yes"
    assert held(site.get(SNAPSHOTS, "snap")) == {BOUND_FINALIZER}
    assert "SnapshotDeleteError" in site.reasons(name)
    site.driver.faults.delete_fails = ""
    await site.advance(300)
    assert not site.there(SNAPSHOTS, "snap")
    assert not site.there(CONTENTS, name, None)


def source(name):
    return {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": name}
