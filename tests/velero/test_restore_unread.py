"""A restore whose list of volumes cannot be read: what is unknown is said, and nothing is begun that could do harm."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import BACKUPS
from lazarus_tui.model.steps import Seen, StepStopped
from lazarus_tui.velero.restore_steps import Contents, Preflight
from tests.velero.lab import VELERO, Lab, merge

PARAMS: dict[str, Any] = {
    "velero": VELERO, "backup": "b1", "name": "", "spec": {"includedNamespaces": ["shop"]},
    "targets": ["shop"], "sources": {"shop": "shop"}, "settle": 1.0,
}  # fmt: skip


@pytest.mark.usefixtures("point")
@pytest.mark.parametrize("trouble", [None, b"<html>sign in</html>"])
async def test_without_a_volume_list_a_restore_without_data_is_not_begun_where_disks_could_be_the_originals(
    lab: Lab, trouble: Any
) -> None:
    lab.world.artefacts[("BackupVolumeInfos", "b1")] = trouble
    merge(lab.world.at(BACKUPS, "b1"), {"status": {"volumeSnapshotsAttempted": 1}})
    await lab.run(Preflight(PARAMS))
    step = Contents({**PARAMS, "spec": {**PARAMS["spec"], "restorePVs": False}})
    with pytest.raises(StepStopped, match=r"volume.* list|which volumes") as stopped:
        await lab.run(step)
    assert "has 1 native snapshot, and without their data" in stopped.value.what
    assert "leave out persistentvolumes" in stopped.value.hint
    assert "restore.volumes" not in lab.facts
    merge(lab.world.at(BACKUPS, "b1"), {"status": {"volumeSnapshotsAttempted": 0}})
    assert (await lab.run(step)).seen is Seen.DONE
    assert lab.facts["restore.unread"] in (await step.observe(lab)).detail


@pytest.mark.usefixtures("point")
async def test_what_is_not_known_is_said_beside_what_is_left_out(lab: Lab) -> None:
    lab.world.artefacts[("BackupVolumeInfos", "b1")] = None
    await lab.run(Preflight(PARAMS))
    lab.facts |= {"restore.volumes": [], "restore.left_out": ["shop/data"], "restore.unread": "nobody knows"}
    assert (await Contents(PARAMS).observe(lab)).detail == "nobody knows; left out on request: shop/data"
