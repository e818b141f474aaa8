"""Two volumes are the same bytes, or may be: with nodes, paths written otherwise, and disks under two names."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import CLAIMS, VOLUMES
from lazarus_tui.prove.places import identity, same
from lazarus_tui.prove.proof.identity import compared
from tests.prove.hostile.build import claim, volume, workload
from tests.prove.site import Site, captured
from tests.velero.lab import World

Json = dict[str, Any]


def on(*nodes: str, key: str = "kubernetes.io/hostname") -> Json:
    one = {"key": key, "operator": "In", "values": list(nodes)}
    return {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [one]}]}}}


EFS = "csi:efs.csi.aws.com"
# As a class of azurefile-csi-driver may name its shares: the attributes keep it so, the handle has what it became.
TEMPLATE = "${pvc.metadata.namespace}-${pvc.metadata.name}"


def nfs_csi(**attributes: str) -> Json:
    return {"csi": {"driver": "nfs.csi.k8s.io", "volumeHandle": "h", "volumeAttributes": attributes}}


def azure(handle: str, **attributes: str) -> Json:
    return {"csi": {"driver": "file.csi.azure.com", "volumeHandle": handle, "volumeAttributes": attributes}}


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ({"csi": {"driver": "d", "volumeHandle": "h", "fsType": "ext4"}}, "csi:d:h"),
        ({"nfs": {"server": "NAS.", "path": "/x/", "readOnly": True}}, "nfs:nas:/x"),
        ({"hostPath": {"path": "/srv//data/"}}, "hostPath:*:/srv/data"),
        ({"local": {"path": "/srv"}, **on("b", "a")}, "local:a,b:/srv"),
        ({"local": {"path": "/srv"}, **on("eu-1", key="topology.kubernetes.io/zone")}, "local:*:/srv"),
        ({"awsElasticBlockStore": {"volumeID": "aws://eu-1a/vol-9"}}, "csi:ebs.csi.aws.com:vol-9"),
        ({"azureDisk": {"diskURI": "/subscriptions/A/d"}}, "csi:disk.csi.azure.com:/subscriptions/a/d"),
        ({"csi": {"driver": "disk.csi.azure.com", "volumeHandle": "/subscriptions/A/D"}},
         "csi:disk.csi.azure.com:/subscriptions/a/d"),
        ({"rbd": {"monitors": ["b:6789", "a:6789"], "image": "x"}}, "rbd:['a:6789', 'b:6789']:rbd:x"),
        ({"iscsi": {"targetPortal": "10.0.0.1:3260", "iqn": "q", "lun": 0}}, "iscsi:10.0.0.1:q:0"),
        ({"iscsi": {"targetPortal": "10.0.0.1", "iqn": "q", "lun": 0}}, "iscsi:10.0.0.1:q:0"),
        ({"fc": {"wwids": ["3600508b"]}}, "fc:::['3600508b']"),
        ({"portworxVolume": {"volumeID": "7"}}, "portworxVolume:7"),
        ({"flexVolume": {"driver": "d/x", "options": {"id": "7"}}}, "flexVolume:d/x:{'id': '7'}"),
        ({"cephfs": {"monitors": ["a:6789"]}}, "cephfs:['a:6789']:/"),
        (nfs_csi(server="NAS", share="/x/"), "nfs:nas:/x"),
        (nfs_csi(Server="nas", share="/", subDir="a/b"), "nfs:nas:/a/b"),
        (nfs_csi(server="[fd00::1]", share="/x", subdir="t/${pvc.metadata.name}/u"), "nfs:fd00::1:/x/t"),
        (nfs_csi(server="nas"), "csi:nfs.csi.k8s.io:h"),
        ({"azureFile": {"secretName": "azure-storage-account-ACC1-secret", "shareName": "s"}}, "azureFile:acc1:s"),
        ({"azureFile": {"secretName": "mine", "shareName": "s"}}, "azureFile:*:s"),
        (azure("rg#acc1#s#"), "azureFile:acc1:s"), (azure("rg#acc1#s##uuid#ns"), "azureFile:acc1:s"),
        (azure("any-id", shareName="s", storageAccount="ACC1"), "azureFile:acc1:s"),
        (azure("any-id", shareName="s"), "azureFile:*:s"), (azure("any-id"), "csi:file.csi.azure.com:any-id"),
        (azure("rg#acc1#shop-data###ns", shareName=TEMPLATE), "azureFile:acc1:shop-data"),
        (azure("any-id", shareName=TEMPLATE), "csi:file.csi.azure.com:any-id"),
        (azure("rg#acc1#s#a.vhd#uuid#ns", shareName="s"), "azureFile:acc1:s/a.vhd"),
        (azure("rg#acc1#s##uuid#ns", shareName="s", folderName="/a/b/"), "azureFile:acc1:s/a/b"),
        (azure("rg#acc1#s##uuid#ns", diskName="b.vhd"), "azureFile:acc1:s/b.vhd"),
        ({"csi": {**azure("any-id", shareName="s")["csi"],
                  "nodeStageSecretRef": {"name": "azure-storage-account-acc1-secret"}}}, "azureFile:acc1:s"),
        ({"capacity": {"storage": "1Gi"}}, ""),
    ],
)  # fmt: skip
def test_what_a_volume_points_at(spec: Json, what: str) -> None:
    assert identity(spec) == what


def test_a_node_is_chosen_by_any_term_and_by_all_parts_of_one() -> None:
    parts = [{"key": "kubernetes.io/hostname", "operator": "In", "values": values} for values in (["a", "b"], ["b"])]
    terms = [{"matchExpressions": parts}, {"matchExpressions": [{**parts[0], "values": ["c"]}]}]
    spec = {"local": {"path": "/x"}, "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}
    assert identity(spec) == "local:b,c:/x"
    terms.append({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["d"]}]})  # type: ignore[list-item]
    assert identity(spec) == "local:*:/x"


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("local:a:/x", "local:a:/x", True), ("local:a:/x", "local:b:/x", False), ("local:a:/x", "local:a:/y", False),
        ("local:a,b:/x", "local:b,c:/x", True), ("local:*:/x", "local:b:/x", True),
        ("hostPath:*:/x", "local:a:/x", True),
        ("hostPath:/x", "hostPath:a:/x", True), ("csi:d:/x", "hostPath:*:/x", False), ("csi:d:h", "csi:d:h", True),
        ("nfs:nas:/x", "nfs:nas:/x/a", True), ("nfs:nas:/", "nfs:nas:/x", True), ("nfs:nas:/x", "nfs:nas:/xa", False),
        ("nfs:nas:/x", "nfs:other:/x/a", False), ("nfs:fd00::1:/x", "nfs:fd00::1:/x/a", True),
        ("nfs:nas:/x", "cephfs:nas:/x/a", False), ("cephfs:['a']:/", "cephfs:['a']:/x", True),
        ("hostPath:*:/srv", "local:a:/srv/data", True), ("local:a:/srv", "local:b:/srv/data", False),
        ("nfs:nas:/x", "hostPath:*:/x", False),
        (f"{EFS}:fs-1", f"{EFS}:fs-1:/a", True), (f"{EFS}:fs-1", f"{EFS}:fs-1::fsap-1", True),
        (f"{EFS}:fs-1:/a", f"{EFS}:fs-1:/b", False), (f"{EFS}:fs-1::fsap-1", f"{EFS}:fs-1::fsap-2", False),
        (f"{EFS}:fs-1::fsap-1", f"{EFS}:fs-1:/x:fsap-1", True), (f"{EFS}:fs-1", f"{EFS}:fs-2:/a", False),
        ("azureFile:a:s", "azureFile:a:s", True), ("azureFile:a:s", "azureFile:b:s", False),
        ("azureFile:*:s", "azureFile:b:s", True), ("azureFile:*:s", "azureFile:*:t", False),
        ("azureFile:a:s", "csi:a:s", False), ("azureFile:a:s/a.vhd", "azureFile:a:s/b.vhd", False),
        ("azureFile:a:s", "azureFile:*:s/a", True), ("azureFile:a:s/a", "azureFile:b:s", False),
        ("azureFile:a:s/a", "azureFile:a:sa", False),
        ("", "", False),
    ],
)  # fmt: skip
def test_the_same_directory_is_the_same_if_a_node_can_have_both(one: str, other: str, alike: bool) -> None:
    assert bool(same(one, [other])) is alike
    assert bool(same(other, ["csi:other:1", one])) is alike


async def found_same(mine: Json, theirs: Json) -> list[str]:
    world = World()
    world.put(CLAIMS, "data", "q")
    world.put(VOLUMES, "copy", "", spec={**mine, "claimRef": {"namespace": "q", "name": "data"}})
    world.put(VOLUMES, "live", "", spec={**theirs, "claimRef": {"namespace": "shop", "name": "data"}})
    return list((await compared(world, "q", ()))["same"])


async def test_a_restored_volume_is_a_live_one_only_on_its_node() -> None:
    disk = {"local": {"path": "/mnt/disks/ssd0"}}
    assert await found_same({**disk, **on("a")}, {**disk, **on("b")}) == []
    (told,) = await found_same({**disk, **on("a")}, {"hostPath": {"path": "/mnt/disks/ssd0/"}})
    assert told == "claim data is local:a:/mnt/disks/ssd0, volume live of shop/data"
    old = {"awsElasticBlockStore": {"volumeID": "vol-1"}}
    assert await found_same(old, {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}})


@pytest.mark.parametrize(
    ("mine", "theirs", "words"),
    [
        ("/exports/a", "/exports", "claim data is nfs:nas:/exports/a, in or around nfs:nas:/exports"),
        ("/exports", "/exports/a", "claim data is nfs:nas:/exports, in or around nfs:nas:/exports/a"),
        ("/exports/a", "/exports/b", ""),
    ],
)  # fmt: skip
async def test_a_directory_in_or_around_a_live_one_is_not_its_own(mine: str, theirs: str, words: str) -> None:
    told = await found_same({"nfs": {"server": "nas", "path": mine}}, nfs_csi(server="nas", share=theirs))
    assert told == ([f"{words}, volume live of shop/data"] if words else [])


async def of_a_copy(path: str, *, name: str = "pvc-{uid}", provisioned: bool = True, mover: str = "") -> list[str]:
    """Production has a volume of all that the server exports, and one in it."""
    world = World()
    selector = {"selector": {"matchLabels": {"velero.io/dynamic-pv-restore": mover}}} if mover else {}
    uid = world.put(CLAIMS, "data", "q", spec=selector)["metadata"]["uid"]
    notes = {"annotations": {"pv.kubernetes.io/provisioned-by": "nfs"}} if provisioned else {}
    bound = {"namespace": "q", "name": "data", "uid": uid}
    world.put(VOLUMES, name.format(uid=uid), "", metadata=notes,
              spec={"nfs": {"server": "nas", "path": path}, "claimRef": bound})  # fmt: skip
    for what, place in (("root", "/exports"), ("live", "/exports/live")):
        spec = {"nfs": {"server": "nas", "path": place}, "claimRef": {"namespace": "shop", "name": what}}
        world.put(VOLUMES, what, "", spec=spec)
    return list((await compared(world, "q", ()))["same"])


async def test_what_a_provisioner_made_for_the_claim_lies_in_what_it_serves_from() -> None:
    assert await of_a_copy("/exports/pvc-new") == []
    for wrong in ("/exports/live", "/exports", "/"):
        assert await of_a_copy(wrong), wrong
    assert await of_a_copy("/exports/pvc-new", name="pv-by-hand"), "a volume of any other name was not made for it"
    assert await of_a_copy("/exports/pvc-new", provisioned=False)


async def test_what_the_data_mover_filled_for_the_claim_lies_in_what_its_provisioner_serves_from() -> None:
    """It was provisioned for a claim of the mover's own, whose uid it is named after."""
    assert await of_a_copy("/exports/pvc-new", name="pvc-movers", mover="q.data.x7k2p") == []
    assert await of_a_copy("/exports/live", name="pvc-movers", mover="q.data.x7k2p")
    assert await of_a_copy("/exports/pvc-new", name="pvc-movers", mover="shop.data.x7k2p"), "of another restore"
    assert await of_a_copy("/exports/pvc-new", name="by-hand", mover="q.data.x7k2p", provisioned=False)


@pytest.mark.parametrize(
    ("mine", "live", "alike"),
    [
        ("azureFile:a:s/new", "azureFile:a:s", False), ("azureFile:a:s", "azureFile:a:s", True),
        ("azureFile:a:s", "azureFile:a:s/live", True),
    ],
)  # fmt: skip
def test_what_was_made_in_a_share_is_not_all_of_it(mine: str, live: str, alike: bool) -> None:
    assert bool(same(mine, [live], made=True)) is alike


async def test_no_volume_of_a_claim_hides_another_one_of_it() -> None:
    world = World()
    world.put(CLAIMS, "data", "q")
    for name, path in (("a-restored", "/exports"), ("b-new", "/elsewhere")):
        bound = {"namespace": "q", "name": "data"}
        world.put(VOLUMES, name, "", spec={"nfs": {"server": "nas", "path": path}, "claimRef": bound})
    assert len((await compared(world, "q", ["nfs:nas:/exports"]))["same"]) == 1


FREE = {
    "storageClassName": "standard", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"},
    "persistentVolumeReclaimPolicy": "Delete", "csi": {"driver": "d", "volumeHandle": "precious"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "takes"),
    [
        ({}, True), ({"persistentVolumeReclaimPolicy": "Retain"}, False), ({"storageClassName": "fast"}, False),
        ({"capacity": {"storage": "512Mi"}}, False), ({"accessModes": ["ReadOnlyMany"]}, False),
        ({"volumeMode": "Block"}, False), ({"claimRef": {"namespace": "other", "name": "x"}}, False),
    ],
)  # fmt: skip
async def test_the_plan_says_which_free_volume_could_lose_its_data(spec: Json, takes: bool) -> None:
    site = Site()
    site.put(VOLUMES, "spare", "", spec={**FREE, **spec})
    site.backup("full", [workload(), claim()], [captured("data", "shop")])
    told = [one for one in (await site.plan(point="full")).warnings if one.startswith("volume spare is free")]
    assert bool(told) is takes
    assert all("may take claim data of the copy" in one and "made Retain" in one for one in told)


async def test_the_plan_names_a_static_volume_of_the_point_that_would_delete_the_original() -> None:
    disk = {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-2"}}
    for policy in ("Delete", "Retain"):
        site = Site()
        bodies = [workload(), claim(), volume("pv-1", "data", disk, policy)]
        bodies[-1]["spec"]["claimRef"]["namespace"] = "shop"
        site.backup("full", bodies)
        plan = await site.plan(point="full")
        told = [one for one in plan.warnings if one.startswith("volume pv-1 of the point has policy Delete")]
        assert bool(told) is (policy == "Delete")
        assert all("csi:ebs.csi.aws.com:vol-2 would be deleted" in one for one in told)
        assert "csi:ebs.csi.aws.com:vol-2" in plan.params["handles"]
