"""Snapshot sets as points in the Overview: newest by start among both kinds, judged by what each holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.sets import SetAbout, sets
from lazarus_tui.model.snapshots import Content, Snapshot
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.posture import Proof, latest
from tests.posture.test_overview import START, backup, row, said


def member(
    name: str, age: float, *, claim: str = "data-orders-0", claims: tuple[str, ...] = ("data-orders-0",),
    of: str = "StatefulSet/orders", ready: bool = True, schedule: str = "", role: str = "backup",
) -> tuple[Snapshot, Content]:  # fmt: skip
    """One snapshot of a set with its content, cut ``age`` hours before the look."""
    labels = {"lazarus.io/set": name, "lazarus.io/role": role, "lazarus.io/snapshot-schedule": schedule}
    meta = {
        "name": f"{name}-{claim}", "namespace": "shop", "uid": f"uid-{name}",
        "labels": {key: value for key, value in labels.items() if value},
        "annotations": {"lazarus.io/set-about": SetAbout(workload=of, replicas=1, claims=claims).text()},
    }  # fmt: skip
    cut = rfc3339(START - timedelta(hours=age))
    snapshot: dict[str, Any] = {
        "metadata": meta,
        "spec": {"source": {"persistentVolumeClaimName": claim}},
        "status": {"boundVolumeSnapshotContentName": f"c-{name}", "creationTime": cut, "readyToUse": ready},
    }
    content: dict[str, Any] = {
        "metadata": {"name": f"c-{name}", "uid": f"cuid-{name}"},
        "spec": {
            "deletionPolicy": "Retain",
            "volumeSnapshotRef": {"name": meta["name"], "namespace": "shop", "uid": f"uid-{name}"},
        },
        "status": {"snapshotHandle": f"h-{name}", "readyToUse": ready},
    }
    return msgspec.convert(snapshot, Snapshot), msgspec.convert(content, Content)


def taken(*members: tuple[Snapshot, Content]) -> Any:
    return sets([one for one, _ in members], [content for _, content in members])


def test_the_newer_of_a_backup_and_a_set_is_the_newest_point() -> None:
    newer = row(sets=taken(member("s1", 0.5)))
    assert newer.newest is not None
    assert (newer.newest.name, newer.newest.kind, newer.newest.usable) == ("s1", "snapshots", True)
    assert newer.skipped == ()
    older = row(sets=taken(member("s1", 2)))
    assert older.newest is not None
    assert (older.newest.name, older.newest.kind) == ("b1", "velero")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (member("s1", 0.5, claims=("data-orders-0", "data-orders-1")), "data-orders-1 has no snapshot"),
        (member("s1", 0.5, ready=False), "is not ready yet"),
        (
            member("s1", 0.5, claim="logs-orders-0", claims=("logs-orders-0",)),
            "claim data-orders-0 is not in the set",
        ),
    ],
)
def test_a_set_that_does_not_hold_everything_is_passed_over_with_its_reason(found: Any, reason: str) -> None:
    seen = row(sets=taken(found))
    assert seen.newest is not None
    assert seen.newest.name == "b1"
    assert [point.name for point in seen.skipped] == ["s1"]
    assert any(reason in text for text in seen.skipped[0].reasons), seen.skipped[0].reasons


def test_sets_of_others_and_safety_sets_are_no_points() -> None:
    others = taken(member("s1", 0.5, of="StatefulSet/other"), member("s2", 0.5, role="pre-restore"))
    seen = row(sets=others)
    assert seen.newest is not None
    assert (seen.newest.name, seen.skipped) == ("b1", ())


def test_a_workload_with_sets_alone_is_not_lost_but_warned_of() -> None:
    seen = row(backups=[], copies=[], sets=taken(member("s1", 0.5)))
    assert seen.newest is not None
    assert seen.newest.name == "s1"
    assert "warning: only snapshot sets can bring it back (newest s1)" in said(seen)
    assert "no usable point" not in said(seen)
    without = row(backups=[], copies=[], schedules=[], sets=taken(member("s1", 0.5, schedule="six-hourly")))
    assert "warning: only its snapshot sets are taken by a schedule (six-hourly)" in said(without)
    assert "no schedule covers it" not in said(without)
    bare = row(backups=[], copies=[], schedules=[])
    assert "error: no usable point" in said(bare)
    assert "error: no schedule covers it" in said(bare)


def test_the_newest_set_that_a_gate_asks_about_is_one_that_could_be_restored() -> None:
    found = taken(member("s1", 0.5), member("s0", 3))
    rows = [row(sets=found)]
    newest = latest.of_sets(found, rows, "shop", f"{rows[0].kind}/{rows[0].name}")
    assert newest is not None
    assert (newest.name, newest.kind) == ("s1", "snapshots")
    assert latest.of_sets(found, rows, "shop", "StatefulSet/other") is None
    assert latest.of_sets([], rows, "shop", f"{rows[0].kind}/{rows[0].name}") is None


def test_beside_a_newer_set_the_newest_backup_is_told_too() -> None:
    seen = row(backups=[backup("b1", 1)], sets=taken(member("s1", 0.5)))
    assert seen.newest is not None
    assert seen.backed_up is not None
    assert (seen.newest.name, seen.backed_up.name) == ("s1", "b1")
    alone = row(backups=[backup("b1", 1)], sets=())
    assert alone.backed_up is None


def test_a_proven_set_is_the_newest_proven_point() -> None:
    proof = Proof("s1", ("shop",), Verdict.PASSED, rfc3339(START), source="snapshots")
    seen = row(sets=taken(member("s1", 0.5), member("s0", 3)), proofs=[proof])
    assert seen.newest_proven is not None
    assert (seen.newest_proven.name, seen.newest_proven.kind) == ("s1", "snapshots")
    older = Proof("b1", ("shop",), Verdict.PASSED, rfc3339(START))
    both = row(backups=[backup("b1", 1)], sets=taken(member("s1", 0.5)), proofs=[older])
    assert both.newest_proven is not None
    assert both.newest_proven.name == "b1"
