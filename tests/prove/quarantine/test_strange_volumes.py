"""Volumes of a quarantine that nobody made for its copy: whose data stays, and what is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.labels import label_value
from lazarus_tui.model.resources import CLAIMS, NAMESPACES, VOLUMES
from lazarus_tui.model.steps import Outcome
from lazarus_tui.prove.quarantine import names, storage
from lazarus_tui.prove.quarantine.leftovers import leftovers
from lazarus_tui.prove.quarantine.sweep import sweep
from tests.prove.quarantine.grounds import OP, QUARANTINE
from tests.velero.lab import Lab, World

Object = dict[str, Any]


def strange(lab: Lab, **volume: Any) -> Object:
    """A quarantine with one claim on a volume that nobody provisioned for it."""
    labels = {names.OPERATION: OP, "lazarus.io/op": OP[:8]}
    lab.world.put(NAMESPACES, QUARANTINE, "", metadata={"labels": labels})
    claim = lab.world.put(CLAIMS, "data", QUARANTINE)
    reference = {"namespace": QUARANTINE, "name": "data", "uid": claim["metadata"]["uid"]}
    spec = {"csi": {"driver": "ebs", "volumeHandle": "disk-9"}, "claimRef": reference, **volume}
    found = lab.world.put(VOLUMES, "static", "", spec=spec, status={"phase": "Bound"})

    def released(write: Any) -> None:
        if write.resource is CLAIMS:
            found["status"]["phase"] = "Released"

    lab.world.after_write = released
    return found


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
async def test_a_volume_nobody_knows_keeps_its_storage_which_is_told(policy: str) -> None:
    """It is found again by the mark it got while its claim was there. Nobody provisioned it: its storage is somebody's,
    whatever its policy says."""
    lab = Lab(World())
    strange(lab, persistentVolumeReclaimPolicy=policy)
    assert await sweep(lab, names.quarantine({"op": OP})) == []  # type: ignore[arg-type]
    writes = [(one.verb, one.resource.plural) for one in lab.world.writes]
    assert writes == [
        ("merge-patch", "persistentvolumes"), ("delete", "persistentvolumeclaims"), ("delete", "namespaces"),
        ("delete", "persistentvolumes"),
    ]  # fmt: skip
    assert lab.facts["prove.storage"] == [
        {"kind": "storage of a PersistentVolume", "name": "csi:ebs:disk-9", "of": "static"}
    ]


async def test_a_volume_that_was_there_before_the_quarantine_is_told_and_not_deleted() -> None:
    """A static volume takes any claim that fits it, and so one of the copy."""
    lab = Lab(World())
    found = strange(lab, persistentVolumeReclaimPolicy="Retain")
    found["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z"
    wanted = names.quarantine({"op": OP})
    assert await sweep(lab, wanted) == []  # type: ignore[arg-type]
    writes = [(one.verb, one.resource.plural) for one in lab.world.writes]
    assert writes == [("delete", "persistentvolumeclaims"), ("delete", "namespaces")]
    (told,) = (await leftovers(lab, wanted)).found  # type: ignore[arg-type]
    assert (told["kind"], told["name"]) == ("PersistentVolume", "static")


async def test_one_that_would_delete_its_data_with_the_claim_is_made_to_keep_it_first() -> None:
    lab = Lab(World())
    found = strange(lab, persistentVolumeReclaimPolicy="Delete")
    found["metadata"] |= {"creationTimestamp": "2001-01-01T00:00:00Z", "labels": {"team": "ledger"}}
    wanted = names.quarantine({"op": OP})
    (note,) = await sweep(lab, wanted)  # type: ignore[arg-type]
    assert note == (
        "PersistentVolume static was there before the quarantine and took a claim of the copy: its policy was Delete"
        " and is Retain now, so that its data stays"
    )
    first, *rest = lab.world.writes
    assert (first.name, first.body) == ("static", {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    assert first.undo == {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
    assert [(one.verb, one.resource.plural) for one in rest] == [
        ("delete", "persistentvolumeclaims"), ("delete", "namespaces"),
    ]  # fmt: skip
    assert found["metadata"]["labels"] == {"team": "ledger"}, "it does not become ours"


async def test_where_it_cannot_be_made_to_keep_its_data_no_claim_goes() -> None:
    lab = Lab(World())
    found = strange(lab, persistentVolumeReclaimPolicy="Delete")
    found["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z"
    lab.world.outcomes = [Outcome.CONFLICT] * 3
    notes = await sweep(lab, names.quarantine({"op": OP}))  # type: ignore[arg-type]
    assert "PersistentVolume static cannot be made Retain: nothing more is deleted" in notes
    assert {one.verb for one in lab.world.writes} == {"merge-patch"}


@pytest.mark.parametrize(
    ("labels", "notes", "policy"),
    [
        ({"velero.io/restore-name": "back"}, {}, "Delete"),  # a disk that Velero made of a snapshot
        ({}, {"pv.kubernetes.io/provisioned-by": "d"}, "Delete"),  # a provisioner that names volumes its own way
        ({"velero.io/restore-name": "theirs"}, {}, "Retain"),
    ],
)
async def test_what_was_made_for_the_copy_goes_with_it(labels: Object, notes: Object, policy: str) -> None:
    lab = Lab(World())
    found = strange(lab, persistentVolumeReclaimPolicy="Delete")
    found["metadata"] |= {"labels": labels, "annotations": notes}
    await sweep(lab, names.quarantine({"op": OP, "restore": {"name": "back"}}))  # type: ignore[arg-type]
    first = lab.world.writes[0]
    assert (first.name, first.body["spec"]) == ("static", {"persistentVolumeReclaimPolicy": policy})


def moved(lab: Lab, wanted: str, *, provisioned: bool = True, policy: str = "Retain") -> Object:
    """A volume that Velero's data mover filled under a claim of its own: it is not named after the copy's."""
    found = strange(lab, persistentVolumeReclaimPolicy=policy)
    claim = lab.world.at(CLAIMS, "data", QUARANTINE)
    claim["spec"] = {"selector": {"matchLabels": {"velero.io/dynamic-pv-restore": wanted}}}
    notes = {"pv.kubernetes.io/provisioned-by": "ebs"} if provisioned else {}
    found["metadata"] |= {"annotations": notes}
    return found


@pytest.mark.parametrize(
    ("wanted", "provisioned", "policy"),
    [
        (f"{QUARANTINE}.data.x7k2p", True, "Delete"),
        (f"{QUARANTINE}.other.x7k2p", True, "Retain"),  # left from a restore of another claim
        ("shop.data.x7k2p", True, "Retain"),
        (f"{QUARANTINE}.data.x7k2p", False, "Retain"),  # nobody provisioned it
    ],
)
async def test_what_the_data_mover_filled_goes_with_its_claim_whatever_policy_the_original_has(
    wanted: str, provisioned: bool, policy: str
) -> None:
    """At its end Velero gives it the original's policy (restore_finalizer_controller.go): a disk for each proof."""
    lab = Lab(World())
    moved(lab, wanted, provisioned=provisioned)
    await sweep(lab, names.quarantine({"op": OP}))  # type: ignore[arg-type]
    assert lab.world.writes[0].body["spec"] == {"persistentVolumeReclaimPolicy": policy}
    assert bool(lab.facts["prove.storage"]) is (policy == "Retain")


async def test_what_the_data_mover_filled_stays_where_others_use_it() -> None:
    lab = Lab(World())
    moved(lab, f"{QUARANTINE}.data.x7k2p", policy="Delete")
    await sweep(lab, names.quarantine({"op": OP, "handles": ["csi:ebs:disk-9"]}))  # type: ignore[arg-type]
    assert lab.world.writes[0].body["spec"] == {"persistentVolumeReclaimPolicy": "Retain"}


def test_the_name_of_a_long_claim_is_cut_as_velero_cuts_it() -> None:
    name = "data-of-the-ledger-of-the-whole-company-0"
    label = label_value(f"{QUARANTINE}.{name}.x7k2p")
    claim = {"metadata": {"namespace": QUARANTINE, "name": name},
             "spec": {"selector": {"matchLabels": {"velero.io/dynamic-pv-restore": label}}}}  # fmt: skip
    assert len(label) == 63
    assert storage.moved_into(claim)
    assert not storage.moved_into({**claim, "spec": {}})
    assert not storage.moved_into({**claim, "spec": {"selector": {"matchLabels": {"app": "x"}}}})


async def test_a_directory_of_another_node_is_not_the_live_one() -> None:
    """Every node has its /mnt/disks/ssd0: only one on the same node is the same disk."""
    for node, policy in (("a", "Retain"), ("b", "Delete")):
        lab = Lab(World())
        host = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
        affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [host]}]}}
        found = strange(lab, persistentVolumeReclaimPolicy="Delete", nodeAffinity=affinity)
        del found["spec"]["csi"]
        found["spec"]["local"] = {"path": "/mnt/disks/ssd0"}
        found["metadata"]["annotations"] = {"pv.kubernetes.io/provisioned-by": "local"}
        params = {"op": OP, "handles": ["local:a:/mnt/disks/ssd0"]}
        await sweep(lab, names.quarantine(params))  # type: ignore[arg-type]
        assert lab.world.writes[0].body["spec"] == {"persistentVolumeReclaimPolicy": policy}, node


@pytest.mark.parametrize(
    ("live", "path", "made", "policy"),
    [
        ("/exports", "/exports/a", False, "Retain"), ("/exports/live", "/exports", True, "Retain"),
        ("/exports", "/exports/pvc-x", True, "Delete"), ("/exports", "/other", False, "Delete"),
    ],
)  # fmt: skip
async def test_a_directory_in_or_around_a_live_one_keeps_its_bytes(
    live: str, path: str, made: bool, policy: str
) -> None:
    """One that was made for the claim, inside what its provisioner serves from, takes nothing along."""
    lab = Lab(World())
    found = strange(lab, persistentVolumeReclaimPolicy="Delete", nfs={"server": "nas", "path": path})
    del found["spec"]["csi"], lab.world.objects[(VOLUMES.plural, "", "static")]
    name = f"pvc-{found['spec']['claimRef']['uid']}" if made else "static"
    found["metadata"] |= {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": "nfs"}}
    lab.world.objects[(VOLUMES.plural, "", name)] = found
    await sweep(lab, names.quarantine({"op": OP, "handles": [f"nfs:nas:{live}"]}))  # type: ignore[arg-type]
    assert lab.world.writes[0].body["spec"] == {"persistentVolumeReclaimPolicy": policy}


async def test_what_its_driver_removes_is_left_to_the_driver() -> None:
    lab = Lab(World())
    found = strange(lab, persistentVolumeReclaimPolicy="Delete")
    found["metadata"]["annotations"] = {"pv.kubernetes.io/provisioned-by": "ebs"}
    found["status"]["message"] = "rpc error: still attached"
    (note,) = await sweep(lab, names.quarantine({"op": OP}))  # type: ignore[arg-type]
    assert (
        note == "PersistentVolume static is still there after 90 s: it is not being deleted: rpc error: still attached"
    )
    assert ("delete", "persistentvolumes") not in [(one.verb, one.resource.plural) for one in lab.world.writes]
