"""VolumeSnapshots from creation to readyToUse, what they hold meanwhile, and what goes wrong."""

from __future__ import annotations

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.sandbox.snapshots.names import SNAPSHOTS


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
    assert (site.driver.storage.data(f"snapshot-{uid}") / "file").read_text() == "orders"
    assert site.reasons("snap") == ["CreatingSnapshot", "SnapshotCreated", "SnapshotReady"]


async def test_a_snapshot_keeps_what_was_there_at_the_cut(site):
    folder = await site.filled(text="before")
    site.snapshot()
    await site.settle()
    (folder / "file").write_text("after")
    await site.advance(5)
    site.claim("copy", dataSource=source("snap"))
    await site.settle()
    assert (site.folder("copy") / "file").read_text() == "before"
    assert (folder / "file").read_text() == "after"
    (site.folder("copy") / "file").write_text("changed in the copy")
    assert (site.driver.storage.data(site.handles()[0]) / "file").read_text() == "before"


def source(name, kind="VolumeSnapshot", group="snapshot.storage.k8s.io"):
    return {"apiGroup": group, "kind": kind, "name": name} if group else {"kind": kind, "name": name}
