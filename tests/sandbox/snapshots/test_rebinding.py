"""Volumes that are kept, bound again, grown: what a restore in place and its undo stand on."""

from __future__ import annotations

import pytest

from lazarus_tui.model.resources import CLAIMS, VOLUMES
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.snapshots.names import SNAPSHOTS

SOURCE = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "snap"}


def phase(site, name):
    return site.status(CLAIMS, name)["phase"]


async def test_a_bound_claim_grows_with_its_volume_and_never_shrinks(site):
    await site.filled()
    name = site.get(CLAIMS, "data")["spec"]["volumeName"]
    larger = {"spec": {"resources": {"requests": {"storage": "3Gi"}}}}
    site.api.patch(CLAIMS, "data", larger, "shop")
    await site.settle()
    assert site.status(CLAIMS, "data")["capacity"] == {"storage": "3Gi"}
    assert site.get(VOLUMES, name, None)["spec"]["capacity"] == {"storage": "3Gi"}
    assert "VolumeResizeSuccessful" in site.reasons("data")
    with pytest.raises(ApiError, match="field can not be less than"):
        site.api.patch(CLAIMS, "data", {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}, "shop")
    await site.ready()
    assert site.status(SNAPSHOTS, "snap")["restoreSize"] == "3Gi"


async def test_the_old_volume_is_bound_again_instead_of_the_restored_one(site):
    """The undo of a restore in place: exact, since nobody wrote to the old volume meanwhile."""
    folder = await site.filled(text="today")
    old = site.get(CLAIMS, "data")["spec"]["volumeName"]
    await site.ready()
    site.api.patch(VOLUMES, old, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    site.api.delete(CLAIMS, "data", "shop")
    await site.settle()
    assert site.status(VOLUMES, old, None)["phase"] == "Released"
    site.claim("data", dataSource=SOURCE)
    await site.settle()
    new = site.get(CLAIMS, "data")["spec"]["volumeName"]
    assert new != old
    site.api.delete(CLAIMS, "data", "shop")
    await site.settle()
    assert not site.there(VOLUMES, new, None)
    site.api.patch(VOLUMES, old, {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}})
    await site.settle()
    assert site.status(VOLUMES, old, None)["phase"] == "Available"
    site.claim("data", volumeName=old)
    await site.settle()
    assert phase(site, "data") == "Bound"
    assert site.folder("data") == folder
    assert (folder / "file").read_text() == "today"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"storage_class": "standard"}, "storageClassName does not match"),
        ({"size": "2Gi"}, "requested PV is too small"),
        ({"accessModes": ["ReadWriteMany"]}, "incompatible accessMode"),
        ({"volumeMode": "Block"}, "incompatible volumeMode"),
    ],
)
async def test_a_volume_that_is_nobodys_must_fit_the_claim_that_names_it(site, spec, why):
    await site.filled()
    name = site.get(CLAIMS, "data")["spec"]["volumeName"]
    site.api.patch(VOLUMES, name, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    site.api.delete(CLAIMS, "data", "shop")
    await site.settle()
    site.api.patch(VOLUMES, name, {"spec": {"claimRef": None}})
    site.claim("data", volumeName=name, **spec)
    await site.settle()
    assert phase(site, "data") == "Pending"
    assert f'Cannot bind to requested volume "{name}": {why}' in site.messages("data")
    assert "VolumeMismatch" in site.reasons("data")


async def test_a_released_volume_patched_back_to_delete_is_gone_at_once(site):
    folder = await site.filled()
    old = site.get(CLAIMS, "data")["spec"]["volumeName"]
    site.api.patch(VOLUMES, old, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    site.api.delete(CLAIMS, "data", "shop")
    await site.settle()
    assert folder.exists()
    site.api.patch(VOLUMES, old, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    await site.settle()
    assert not folder.exists()
    assert not site.there(VOLUMES, old, None)
