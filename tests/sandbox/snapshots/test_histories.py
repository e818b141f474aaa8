"""Any order of creating and deleting: what is to be kept is kept, what is to go goes, and nothing hangs."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_tui.model.resources import CLAIMS, NAMESPACES
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.snapshots.marks import marks_of
from lazarus_tui.sandbox.snapshots.names import (
    BEING_DELETED,
    CONTENTS,
    GROUP_CLASSES,
    GROUP_CONTENTS,
    GROUP_SNAPSHOTS,
    SNAPSHOTS,
)
from tests.sandbox.snapshots.site import Site

SLOTS = st.integers(0, 2)
MOVES = st.one_of(
    st.tuples(st.just("snapshot"), SLOTS, st.sampled_from(["directory", "kept"])),
    st.tuples(st.just("group"), SLOTS, st.sampled_from(["directory", "kept"])),
    st.tuples(st.just("policy"), SLOTS, st.sampled_from(["Delete", "Retain"])),
    st.tuples(st.just("delete"), SLOTS, st.sampled_from(["snapshot", "content"])),
    st.tuples(st.just("delete"), SLOTS, st.sampled_from(["group", "claim", "restored"])),
    st.tuples(st.just("restore"), SLOTS, st.sampled_from(["immediate", "standard"])),
    st.tuples(st.just("fail"), SLOTS, st.sampled_from(["cut", "delete", "nothing"])),
    st.tuples(st.just("wait"), SLOTS, st.sampled_from([0, 1, 10])),
    st.tuples(st.just("crash"), SLOTS, st.just("")),
)


class Player:
    """Makes the moves on a site and remembers which storage snapshots nobody may lose."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.left_behind: set[str] = set()
        self.handles_of: dict[str, set[str]] = {}
        self.members: set[str] = set()
        site.api.subscribe(self._heard)

    async def prepare(self) -> None:
        site = self.site
        site.snapshot_class("kept", deletionPolicy="Retain")
        group = {"metadata": {"name": "kept"}, "driver": "directory.lazarus.dev", "deletionPolicy": "Retain"}
        site.api.create(GROUP_CLASSES, group)
        for slot in range(3):
            await site.filled(f"data-{slot}")
            site.api.patch(CLAIMS, f"data-{slot}", {"metadata": {"labels": {"app": "orders"}}}, "shop")

    async def play(self, move: str, slot: int, how: object) -> None:
        if move == "wait":
            await self.site.advance(float(how))
        elif move == "crash":
            await self.site.loop.stop()
            self.site.build()
            await self.site.loop.start()
        elif move == "fail":
            self.site.driver.faults.fails = "no" if how == "cut" else ""
            self.site.driver.faults.delete_fails = "no" if how == "delete" else ""
        else:
            with contextlib.suppress(ApiError):  # there is one of that name, or what it needs is not there
                getattr(self, move)(slot, how)

    def snapshot(self, slot: int, kind: str) -> None:
        self.site.snapshot(f"snap-{slot}", f"data-{slot}", volumeSnapshotClassName=kind)

    def group(self, slot: int, kind: str) -> None:
        source = {"source": {"selector": {"matchLabels": {"app": "orders"}}}, "volumeGroupSnapshotClassName": kind}
        self.site.api.create(GROUP_SNAPSHOTS, {"metadata": {"name": f"set-{slot}"}, "spec": source}, "shop")

    def policy(self, slot: int, policy: str) -> None:
        contents = self.site.names_of(CONTENTS)
        if contents:
            self.site.api.patch(CONTENTS, contents[slot % len(contents)], {"spec": {"deletionPolicy": policy}})

    def delete(self, slot: int, what: str) -> None:
        api = self.site.api
        if what == "snapshot":
            api.delete(SNAPSHOTS, f"snap-{slot}", "shop")
        elif what == "group":
            api.delete(GROUP_SNAPSHOTS, f"set-{slot}", "shop")
        elif what == "claim":
            api.delete(CLAIMS, f"data-{slot}", "shop")
        elif what == "restored":
            api.delete(CLAIMS, f"restored-{slot}", "shop")
        elif contents := self.site.names_of(CONTENTS):
            api.delete(CONTENTS, contents[slot % len(contents)])

    def restore(self, slot: int, storage_class: str) -> None:
        source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": f"snap-{slot}"}
        self.site.claim(f"restored-{slot}", storage_class, dataSource=source)

    def _heard(self, kind, resource, obj, old) -> None:
        """A content that goes under Retain leaves its storage snapshots to whoever knows the handles."""
        if resource not in (CONTENTS, GROUP_CONTENTS):
            return
        uid, told = obj["metadata"]["uid"], obj.get("status") or {}
        if handles := _handles(told):
            self.members.discard(uid)
            if resource == CONTENTS and told.get("volumeGroupSnapshotHandle"):
                self.members.add(uid)
            self.handles_of[uid] = handles
        if kind == "DELETED" and obj["spec"]["deletionPolicy"] == "Retain" and uid not in self.members:
            self.left_behind |= self.handles_of.get(uid, set())

    def check(self) -> None:
        """The data of every content that stays is there and whole; a member's belongs to its group."""
        for content in self.site.api.list(CONTENTS):
            told = content.get("status") or {}
            asked = content["metadata"].get("deletionTimestamp") and BEING_DELETED in marks_of(content)
            kept = content["spec"]["deletionPolicy"] == "Retain" or not asked
            if kept and told.get("snapshotHandle") and not told.get("volumeGroupSnapshotHandle"):
                assert (self.site.driver.storage.data(told["snapshotHandle"]) / "file").read_text() == "orders"

    async def end(self) -> None:
        """When nothing fails any more and the namespace is gone, nothing hangs, and storage holds what has a reason."""
        site = self.site
        site.driver.faults.fails = site.driver.faults.delete_fails = ""
        site.api.delete(NAMESPACES, "shop")
        await site.advance(2000)
        assert not site.there(NAMESPACES, "shop", None)
        contents = [*site.api.list(CONTENTS), *site.api.list(GROUP_CONTENTS)]
        assert [one["metadata"]["name"] for one in contents if one["metadata"].get("deletionTimestamp")] == []
        self.check()
        singles = [one for one in contents if not (one.get("status") or {}).get("volumeGroupSnapshotHandle")]
        groups = site.api.list(GROUP_CONTENTS)
        reasons = self.left_behind.union(*(_handles(one.get("status") or {}) for one in [*singles, *groups]))
        assert set(site.handles()) <= reasons
        assert self.left_behind <= set(site.handles())
        assert list(site.driver.storage.root.glob(".*")) == []


def _handles(told: dict) -> set[str]:
    infos = told.get("volumeSnapshotInfoList") or [told]
    return {one["snapshotHandle"] for one in infos if one.get("snapshotHandle")}


@settings(max_examples=8)
@given(
    st.lists(st.sampled_from(["directory", "kept"]), min_size=3, max_size=3), st.lists(MOVES, min_size=4, max_size=14)
)
def test_no_history_loses_what_is_kept_leaves_what_is_to_go_or_hangs(first, moves) -> None:
    async def play(root: Path) -> None:
        site = Site(root)
        await site.start()
        player = Player(site)
        try:
            await player.prepare()
            for slot, kind in enumerate(first):
                player.snapshot(slot, kind)
            for move, slot, how in moves:
                await player.play(move, slot, how)
                await site.settle()
                player.check()
            await player.end()
        finally:
            await site.loop.stop()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))
