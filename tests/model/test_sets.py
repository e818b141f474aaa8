"""Snapshot sets read from their members: what makes one usable, and what keeps it from being so."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.objects import record
from lazarus_tui.model.sets import ABOUT, HOLD, ROLE_LABEL, SET_LABEL, SetAbout, SetState, SnapshotSet, sets
from lazarus_tui.model.snapshots import Content, Snapshot

CLAIMS = ("data-db-0", "data-db-1")


def snapshot(claim: str, *, name: str = "s1", cut: str = "2026-01-31T02:00:05Z", ready: bool = True, error: str = "",
             deleting: bool = False, annotations: dict[str, str] | None = None) -> Snapshot:  # fmt: skip
    about = SetAbout(workload="StatefulSet/db", replicas=2, claims=CLAIMS, method="each")
    found: dict[str, Any] = {
        "metadata": {
            "name": f"{name}-{claim}", "namespace": "shop", "uid": f"uid-{name}-{claim}",
            "labels": {SET_LABEL: name}, "annotations": {ABOUT: about.text(), **(annotations or {})},
            "deletionTimestamp": "2026-02-01T00:00:00Z" if deleting else None,
        },
        "spec": {"source": {"persistentVolumeClaimName": claim}},
        "status": {
            "boundVolumeSnapshotContentName": f"c-{name}-{claim}", "creationTime": cut or None, "readyToUse": ready,
            "restoreSize": "1Gi", "error": {"message": error} if error else None,
        },
    }  # fmt: skip
    return record(found, Snapshot)


def content(claim: str, *, name: str = "s1", uid: str = "", policy: str = "Retain") -> Content:
    found: dict[str, Any] = {
        "metadata": {"name": f"c-{name}-{claim}"},
        "spec": {
            "deletionPolicy": policy, "driver": "d",
            "volumeSnapshotRef": {
                "namespace": "shop", "name": f"{name}-{claim}", "uid": uid or f"uid-{name}-{claim}",
            },
        },
        "status": {"snapshotHandle": f"h-{name}-{claim}", "creationTime": 1769824805000000000, "readyToUse": True},
    }  # fmt: skip
    return record(found, Content)


def only(members: list[Snapshot], contents: list[Content]) -> SnapshotSet:
    [found] = sets(members, contents)
    return found


def test_a_complete_set_is_usable_and_says_what_it_holds() -> None:
    found = only(
        [snapshot("data-db-0"), snapshot("data-db-1", cut="2026-01-31T02:00:07Z")], [content(c) for c in CLAIMS]
    )
    assert found.usable
    assert found.state is SetState.READY
    assert found.troubles == ()
    assert (found.skew, found.size) == (2.0, 2 * 2**30)
    assert found.taken
    assert found.taken.isoformat() == "2026-01-31T02:00:05+00:00"
    assert [member.handle for member in found.members.values()] == ["h-s1-data-db-0", "h-s1-data-db-1"]
    assert all(member.retained for member in found.members.values())


def test_a_member_whose_object_is_gone_is_known_as_missing() -> None:
    found = only([snapshot("data-db-1")], [content("data-db-1")])
    assert (found.usable, found.state, found.skew) == (False, SetState.INCOMPLETE, None)
    assert found.troubles == ("data-db-0 has no snapshot",)


@pytest.mark.parametrize(
    ("broken", "state", "words"),
    [
        (snapshot("data-db-1", ready=False, cut=""), SetState.TAKING, "is not ready yet"),
        (snapshot("data-db-1", ready=False), SetState.TAKING, "is not ready yet"),
        (snapshot("data-db-1", ready=False, cut="", error="quota"), SetState.FAILED, "quota"),
        (snapshot("data-db-1", deleting=True), SetState.DELETING, "is being deleted"),
    ],
)
def test_one_member_in_trouble_spoils_the_set(broken: Snapshot, state: SetState, words: str) -> None:
    found = only([snapshot("data-db-0"), broken], [content(c) for c in CLAIMS])
    assert (found.usable, found.state) == (False, state)
    assert found.troubles == (f"data-db-1: {words}",)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([content("data-db-0")], "its content c-s1-data-db-1 does not exist"),
        (
            [content("data-db-0"), content("data-db-1", uid="other")],
            "its content c-s1-data-db-1 belongs to an earlier snapshot of this name",
        ),
    ],
)
def test_ready_is_not_enough_the_content_must_be_bound_both_ways(contents: list[Content], words: str) -> None:
    found = only([snapshot(c) for c in CLAIMS], contents)
    assert not found.usable
    assert found.troubles == (f"data-db-1: {words}",)


def test_sets_are_told_apart_and_the_newest_comes_first() -> None:
    old = [snapshot(c, name="old", cut="2026-01-01T00:00:00Z") for c in CLAIMS]
    new = [snapshot(c, name="new", cut="2026-01-02T00:00:00Z") for c in CLAIMS]
    young = [snapshot(c, name="young", cut="", ready=False) for c in CLAIMS]
    assert [found.id for found in sets([*old, *young, *new], [])] == ["young", "new", "old"]


def test_a_hold_on_one_member_holds_the_set() -> None:
    found = only([snapshot("data-db-0"), snapshot("data-db-1", annotations={HOLD: "audit"})], [])
    assert found.hold == "audit"


def test_foreign_snapshots_and_unreadable_notes_make_no_set_and_no_crash() -> None:
    foreign = record({"metadata": {"name": "x", "namespace": "shop"}}, Snapshot)
    odd = record(
        {
            "metadata": {"name": "y", "namespace": "shop", "labels": {SET_LABEL: "s2", ROLE_LABEL: "pre-restore"},
                         "annotations": {ABOUT: '{"claims": 5}'}},
            "spec": {"source": {"persistentVolumeClaimName": "data-db-0"}},
        },
        Snapshot,
    )  # fmt: skip
    [found] = sets([foreign, odd], [])
    assert (found.id, found.role, found.usable) == ("s2", "pre-restore", False)
