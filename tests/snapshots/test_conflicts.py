"""Writes that controllers and quotas are in the way of: the next look decides, and nothing is taken for done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lazarus_tui.model.sets import ABOUT, SET_LABEL, SetAbout
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from lazarus_tui.model.steps import Outcome, StepStopped
from lazarus_tui.snapshots.inplace.events import warn
from lazarus_tui.snapshots.names import event_name
from lazarus_tui.snapshots.prune import Remove
from lazarus_tui.snapshots.taking.steps import Keep
from tests.velero.lab import Lab, World

PARAMS = {"namespace": "shop", "statefulset": "db", "set": "s1", "claims": {"data-db-0": "fast"}, "replicas": 1}
ABOUT_IT = SetAbout(workload="StatefulSet/db", replicas=1, claims=("data-db-0",)).text()


@pytest.fixture
def lab() -> Lab:
    world = World()
    marks: dict[str, Any] = {"labels": {SET_LABEL: "s1"}, "annotations": {ABOUT: ABOUT_IT}}
    spec = {"source": {"persistentVolumeClaimName": "data-db-0"}}
    status = {"boundVolumeSnapshotContentName": "content", "readyToUse": True, "creationTime": "2026-06-01T12:00:00Z"}
    found = world.put(SNAPSHOTS, "s1-data-db-0", "shop", metadata=marks, spec=spec, status=status)
    ref = {"namespace": "shop", "name": "s1-data-db-0", "uid": found["metadata"]["uid"]}
    spec = {"deletionPolicy": "Retain", "volumeSnapshotRef": ref}  # type: ignore[dict-item]
    world.put(CONTENTS, "content", spec=spec, status={"snapshotHandle": "h", "readyToUse": True})
    return Lab(world)


def policy(lab: Lab) -> str:
    return str(lab.world.at(CONTENTS, "content")["spec"]["deletionPolicy"])


@pytest.mark.parametrize("outcome", [Outcome.CONFLICT, Outcome.AMBIGUOUS])
async def test_the_undo_of_keeping_a_set_goes_on_until_its_data_goes_along(lab: Lab, outcome: Outcome) -> None:
    lab.world.outcomes = [outcome, outcome]
    await Keep(PARAMS).undo(lab)
    assert policy(lab) == "Delete"
    assert len(lab.world.writes) == 3


async def test_an_undo_that_never_gets_through_waits_for_a_person(lab: Lab) -> None:
    lab.world.outcomes = [Outcome.CONFLICT] * 1000
    with pytest.raises(StepStopped, match="not known to be taken back within 120 s") as stopped:
        await Keep(PARAMS).undo(lab)
    assert stopped.value.park


async def test_a_snapshot_is_pruned_only_once_its_data_goes_along(lab: Lab) -> None:
    uid = lab.world.at(SNAPSHOTS, "s1-data-db-0", "shop")["metadata"]["uid"]
    step = Remove("shop", "s1", {"s1-data-db-0": {"content": "content", "uid": uid}})
    lab.world.outcomes = [Outcome.CONFLICT]
    await step.act(lab)
    assert [write.verb for write in lab.world.writes] == ["merge-patch"]
    await step.act(lab)
    assert [write.verb for write in lab.world.writes[1:]] == ["merge-patch", "delete"]
    assert policy(lab) == "Delete"


async def test_an_event_that_a_quota_has_no_room_for_is_tried_once(lab: Lab) -> None:
    """Each try waits for the quota, and most of them come while the workload is at zero."""
    step: Any = SimpleNamespace(workload="db", namespace="shop", uid="u")
    lab.world.outcomes = [Outcome.FORBIDDEN]
    await warn(step, lab, "RestoreStops", "it is stopped")
    await warn(step, lab, "RestoreReplaces", "it is replaced")
    assert [write.name for write in lab.world.writes] == [event_name("db", lab.op[:8], "RestoreStops")]
