"""The plan of a proof, from a backup's own contents: what stands in it, what it refuses, what it warns of."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.errors import Refused
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.plan import Plan, PlanRefused
from lazarus_tui.model.resources import CONFIGMAPS, LOCATIONS, NODES, PODS, RESTORES, VOLUMES, Resource
from lazarus_tui.model.verdict import Verdict
from tests.prove.hostile import APPLICATIONS, Application
from tests.prove.hostile.build import bare_pod, claim, mounting, service, thing, volume, workload
from tests.prove.site import Site, captured
from tests.velero.lab import START

CANARY = "c2VjcmV0LWNhbmFyeQ=="
MUTATING = Resource(
    "admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", False
)


@pytest.fixture
def site() -> Site:
    return Site()


def shop(**more: Any) -> list[dict[str, Any]]:
    """A front, a database on a claim whose data is captured, a secret."""
    return [
        workload(name="web", **more), workload("StatefulSet", "db", volumes=mounting("data")), service(), claim(),
        thing("v1", "Secret", "key", data={"token": CANARY}),
    ]  # fmt: skip


def effects(plan: Plan) -> set[tuple[str, str, str]]:
    return {(e.detail.partition(":")[0], e.verb, e.what) for e in plan.effects}


async def refused(site: Site, **params: Any) -> PlanRefused:
    with pytest.raises(PlanRefused) as caught:
        await site.plan(**params)
    assert site.writes == []
    return caught.value


async def test_every_name_stands_in_the_plan_and_comes_from_its_operation(site: Site) -> None:
    site.backup("full", shop(), [captured("data", "shop")])
    first, second = await site.plan(), await site.plan()
    params = first.params
    assert re.fullmatch(r"[0-9a-f]{16}", params["op"])
    eight = params["op"][:8]
    assert first.target == params["quarantine"] == f"lazarus-q-{eight}"
    assert params["restore"]["name"].endswith(eight)
    assert params["modifiers"]["name"].endswith(eight)
    assert first.params["op"] != second.params["op"], "several proofs of one namespace may run at once"
    assert first.params["contents_digest"] == second.params["contents_digest"]
    assert site.writes == []


async def test_the_restore_maps_one_namespace_and_nothing_else(site: Site) -> None:
    site.backup("full", shop(), [captured("data", "shop")])
    plan = await site.plan()
    restore, quarantine = plan.params["restore"], plan.params["quarantine"]
    spec = restore["spec"]
    assert spec["includedNamespaces"] == ["shop"]
    assert spec["namespaceMapping"] == {"shop": quarantine}
    assert (restore["targets"], restore["sources"]) == ([quarantine], {quarantine: "shop"})
    assert "existingResourcePolicy" not in spec
    assert spec["preserveNodePorts"] is False
    assert spec["resourceModifier"] == {"kind": "configmap", "name": plan.params["modifiers"]["name"]}
    assert all(rule["conditions"]["namespaces"] == ["shop"] for rule in plan.params["modifiers"]["rules"])
    assert restore["checks"] is False


async def test_the_plan_of_a_control_that_withholds_data_promises_none(site: Site) -> None:
    pod = bare_pod("db-0", volumes=mounting("data"))
    pod["metadata"]["ownerReferences"] = [{"kind": "StatefulSet", "name": "db", "controller": True}]
    site.backup("files", [*shop(), pod], [captured("data", "shop", method="PodVolumeBackup", pod="db-0")])
    told = {one.what: one.detail for one in (await site.plan()).effects}
    plan = await site.plan(control="withhold")
    withheld = {one.what: one.detail for one in plan.effects}
    volume = next(what for what in withheld if what.startswith("volume "))
    assert withheld[volume] == "EMPTY: the control withholds its data"
    assert "on empty volumes" in withheld["pods of the point"]
    assert not any(what.startswith("pods/db-0 in") for what in withheld)
    assert any(what.startswith("pods/db-0 in") for what in told)
    assert any(what.startswith("volume ") and "with its data" in detail for what, detail in told.items())


@pytest.mark.parametrize("files", [False, True], ids=["disks alone", "files beside"])
async def test_withheld_disks_are_new_ones_and_not_the_originals(site: Site, files: bool) -> None:
    """Without their data Velero restores PersistentVolumes of native snapshots as they were (pv_restorer.go)."""
    disk = volume("pv-1", "data", {"csi": {"driver": "ebs", "volumeHandle": "vol-1"}}, "Delete")
    infos = [captured("data", "shop", method="NativeSnapshot", nativeSnapshotInfo={"Phase": "Completed"})]
    objects = [*shop(), disk]
    if files:
        objects.append(claim("files", "pv-2"))
        infos.append(captured("files", "shop", method="PodVolumeBackup", pod="db-0"))
    site.backup("disks", objects, infos)

    def brings_it_back(plan: Plan) -> bool:
        spec = plan.params["restore"]["spec"]
        return "persistentvolumes" not in spec["excludedResources"] and spec.get("includeClusterResources") is not False

    plan = await site.plan()
    assert brings_it_back(plan)
    withheld = await site.plan(control="withhold")
    assert not brings_it_back(withheld)
    taken_off = [rule for rule in withheld.params["modifiers"]["rules"]
                 if {"patchData": '{"spec": {"volumeName": null}}'} in rule.get("mergePatches", ())]  # fmt: skip
    assert [rule["conditions"]["groupResource"] for rule in taken_off] == ["persistentvolumeclaims"]
    assert "data" in taken_off[0]["conditions"]["resourceNameRegex"]


async def test_no_secret_gets_into_a_plan(site: Site) -> None:
    site.backup("full", shop(), [captured("data", "shop")])
    text = msgspec.json.encode(await site.plan()).decode()
    assert "v1/Secret/key" in text
    assert CANARY not in text


async def test_workloads_wait_for_the_look_but_for_those_whose_volumes_velero_fills_in_their_pods(site: Site) -> None:
    pod = bare_pod("db-0", volumes=mounting("data"))
    pod["metadata"]["ownerReferences"] = [{"kind": "StatefulSet", "name": "db", "controller": True}]
    site.backup("csi", shop(), [captured("data", "shop")], hours=1)
    site.backup("files", [*shop(), pod], [captured("data", "shop", pod="db-0", method="PodVolumeBackup")], hours=2)
    held = {one["name"] for one in (await site.plan(point="csi")).params["held"]}
    assert held == {"web", "db"}
    files = await site.plan(point="files")
    assert {one["name"] for one in files.params["held"]} == {"web"}
    spec = files.params["restore"]["spec"]
    assert not {"pods", "persistentvolumes"} & set(spec["excludedResources"]), "Velero would fill nothing"
    assert spec["includeClusterResources"] is False
    by_snapshots = (await site.plan(point="csi")).params["restore"]["spec"]
    assert "includeClusterResources" not in by_snapshots, "contents of snapshots are of the cluster"
    assert not any(e["name"] == "db" and e["pointer"] == "/spec/replicas" for e in files.params["expected"])


async def test_a_volume_without_data_forbids_green_for_its_own_workload_only(site: Site) -> None:
    objects = [*shop(), claim("cache", "pv-2"), workload("StatefulSet", "cache", volumes=mounting("cache"))]
    lost = {"pvcName": "cache", "pvcNamespace": "shop", "skipped": True, "skippedReason": "opted out"}
    site.backup("full", objects, [captured("data", "shop"), lost])
    whole = await site.plan(point="full")
    assert whole.params["not_green"] == ["persistentvolumeclaims/cache: no data in this point: skipped: opted out"]
    assert any("cannot be PASSED" in warning for warning in whole.warnings)
    assert (await site.plan(point="full", workload="StatefulSet/db")).params["not_green"] == []
    assert (await site.plan(point="full", workload="StatefulSet/cache")).params["not_green"] != []
    held = {volume["claim"]: volume["held"] for volume in whole.params["volumes"]}
    assert held == {"data": "captured", "cache": "absent"}


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("", "new"), ("latest", "new"), ("oldest", "old"), ("latest-proven", "old"), ("mid", "mid"),
        (f"before:{rfc3339(START.replace(hour=10))}", "mid"), ("random:4h", "new|mid"),
    ],
)  # fmt: skip
async def test_points_are_chosen_by_rule_or_name(site: Site, wanted: str, chosen: str) -> None:
    for name, hours in (("new", 1), ("mid", 3), ("old", 30)):
        site.backup(name, shop(), [captured("data", "shop")], hours=hours)
    site.known["old"] = (Verdict.PASSED, "2026-05-31T12:00:00Z")
    assert re.fullmatch(chosen, (await site.plan(point=wanted)).params["point"])


async def test_a_point_by_name_is_not_warned_of_for_a_list_that_the_plan_has_read(site: Site) -> None:
    lost = {"pvcName": "data", "pvcNamespace": "shop", "skipped": True, "skippedReason": "opted out"}
    for name, listed in (("good", captured("data", "shop")), ("lost", lost)):
        site.backup(name, shop(), [listed])
        warnings = (await site.plan(point=name)).warnings
        assert not any("has not been read" in one for one in warnings)
        assert any("cannot be PASSED" in one for one in warnings) is (name == "lost")


async def test_the_newest_point_without_the_volumes_data_is_passed_over(site: Site) -> None:
    site.backup("good", shop(), [captured("data", "shop")], hours=2)
    site.backup("empty", shop(), [], hours=1)
    assert (await site.plan()).params["point"] == "good"


async def test_without_a_usable_point_every_reason_is_told(site: Site) -> None:
    site.backup("empty", shop(), [])
    error = await refused(site)
    assert error.code == "not-found"
    assert "empty: no data of volume data" in error.hint
    assert "no backup" in (await refused(site, namespace="elsewhere")).hint


async def test_what_is_asked_must_make_sense(site: Site) -> None:
    site.backup("full", shop(), [captured("data", "shop")])
    for params, words in (
        ({"namespace": ""}, "which namespace"),
        ({"source": "tape"}, "source"),
        ({"control": "burn"}, "control"),
        ({"require": ["shiny"]}, "require"),
        ({"workload": "db"}, "no workload"),
        ({"workload": "StatefulSet/nobody"}, "does not hold StatefulSet nobody"),
        ({"limits": {"cpu": "many"}}, "not a quantity"),
        ({"limits": {"gpu": "1"}}, "limits"),
        ({"keep_minutes": 1e9}, "keep_minutes"),
        ({"colour": "red"}, "no parameter colour"),
        ({"point": "random:soon"}, "no window"),
        ({"point": "before:yesterday"}, "no time"),
        ({"point": "missing"}, "no point missing"),
        ({"source": "snapshots"}, "one StatefulSet"),
        ({"checks": {"nonsense": 1}}, "nonsense|checks"),
        ({"allow": [{"rule": "S10", "what": "x", "reason": " ", "expires": "2027-01-01T00:00:00Z"}]}, "no reason"),
        ({"allow": [{"rule": "S10", "what": "x", "reason": "r", "expires": "2026-01-01T00:00:00Z"}]}, "ended"),
        ({"allow": [{"rule": "S10"}]}, "exception"),
        ({"allow": [{"rule": "S99", "what": "x", "reason": "r", "expires": "2027-01-01T00:00:00Z"}]}, "no rule 'S99'"),
        ({"allow": [{"rule": "S2", "what": "x", "reason": "r", "expires": "2027-01-01T00:00:00Z"}]}, "no exceptions"),
    ):
        assert re.search(words, str(await refused(site, **params))), params


async def test_a_point_that_cannot_be_read_is_not_planned_for(site: Site) -> None:
    site.backup("full", shop(), [captured("data", "shop")])
    site.denied = Refused("context prod is read-only", code="read-only", hint="lazarus context arm --context prod")
    error = await refused(site, point="full")
    assert "read-only" in error.what
    assert error.hint == "lazarus context arm --context prod"
    site.denied = None
    site.artefacts[("BackupContents", "full")] = b"\x1f\x8bgarbage"
    assert "no readable tarball" in (await refused(site, point="full")).what
    del site.artefacts[("BackupContents", "full")]
    assert "not known" in (await refused(site, point="full")).what


async def test_what_can_only_fail_is_refused_before(site: Site) -> None:
    lost = claim("data")
    lost["spec"]["storageClassName"] = "gone"
    site.backup("classless", [lost, workload()], [captured("data", "shop")], hours=3)
    assert "no storage class gone" in (await refused(site, point="classless")).what
    labels = {"velero.io/plugin-config": "", "velero.io/change-storage-class": "RestoreItemAction"}
    site.put(CONFIGMAPS, "classes", metadata={"labels": labels}, data={"gone": "standard"})
    mapped = await site.plan(point="classless")
    assert any("velero/classes changes the storage classes" in warning for warning in mapped.warnings)
    site.backup("dying", shop(), [captured("data", "shop")], hours=2, expires=1.5, live=False)
    assert (await site.plan(point="dying")).params["point"] == "dying"
    site.clock.seconds += 3600 * 0.75
    assert "expires" in (await refused(site, point="dying")).what
    site.at(LOCATIONS, "default")["status"]["phase"] = "Unavailable"
    assert "default does not answer" in (await refused(site, point="classless")).what


async def test_room_is_counted_for_a_second_copy(site: Site) -> None:
    asking = {"resources": {"requests": {"cpu": "1500m", "memory": "1Gi"}}}
    site.backup("full", shop(container=asking), [captured("data", "shop")])
    site.node("small", "2", "8Gi")
    assert not any("left" in warning for warning in (await site.plan()).warnings)
    site.put(PODS, "busy", "bank", spec={"nodeName": "small", "containers": [asking]}, status={"phase": "Running"})
    assert "the nodes have 0.5 cpu left, the copy asks for 1.5" in (await site.plan()).warnings
    site.node("other", "1.2", "8Gi")
    assert "no node has 1.5 cpu left for the largest pod of the copy" in (await site.plan()).warnings
    site.at(NODES, "small")["status"]["allocatable"]["pods"] = "3"
    assert not any("more pod" in warning for warning in (await site.plan()).warnings), "the other does not say"
    site.at(NODES, "other")["status"]["allocatable"]["pods"] = "2"
    assert not any("more pod" in warning for warning in (await site.plan()).warnings), "2 of 3 and 2 are room for 4"
    site.at(NODES, "other")["status"]["allocatable"]["pods"] = "1"
    words = "the nodes take 3 more pods, the copy and its probes are 4"
    assert words in (await site.plan()).warnings
    error = await refused(site, limits={"cpu": "1"})
    assert "2 pods, 1.51 CPU, 1.0 GiB memory, 1.0 GiB storage" in error.what, "what asks for nothing is counted as 10m"
    assert "pods" in (await refused(site, limits={"pods": "1"})).what
    assert (await site.plan(limits={"cpu": "2", "pods": "2"})).params["limits"] == {"cpu": "2", "pods": "2"}


async def test_what_waits_for_volumes_and_what_starts_before_is_counted_as_a_quota_counts_it(site: Site) -> None:
    """A quota that the plan's limits make would refuse the pod, and no volume would be filled."""
    small = {"resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}
    first = {"name": "init", "image": "i", "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}}
    aside = {"name": "aside", "image": "i", "restartPolicy": "Always", **small}
    database, pod = workload("StatefulSet", "db", volumes=mounting("data")), bare_pod("db-0", volumes=mounting("data"))
    database["spec"]["template"]["spec"] |= {"initContainers": [aside, first]}
    for spec in (database["spec"]["template"]["spec"], pod["spec"]):
        spec["containers"] = [{"name": "db", "image": "db:1", **small}]
    pod["metadata"]["ownerReferences"] = [{"kind": "StatefulSet", "name": "db", "controller": True}]
    site.backup("snapshots", [database, pod, claim()], [captured("data", "shop")], hours=2)
    error = await refused(site, limits={"cpu": "1m"})
    assert "1 pod, 0.06 CPU, 80.0 MiB memory" in error.what
    site.backup("files", [database, pod, claim()], [captured("data", "shop", method="PodVolumeBackup", pod="db-0")])
    error = await refused(site, limits={"cpu": "50m"})
    assert "1 pod, 0.1 CPU, 128 MiB memory" in error.what
    assert (await site.plan(limits={"cpu": "100m", "memory": "128Mi"})).params["limits"]["cpu"] == "100m"


async def test_who_will_interfere_is_told(site: Site) -> None:
    site.backup("full", shop(), [captured("data", "shop")], phase="PartiallyFailed")
    site.put(RESTORES, "before-us", spec={"backupName": "x"}, status={"phase": "InProgress"})
    rules = [{"apiGroups": ["apps"], "resources": ["*"], "operations": ["CREATE"]}]
    mesh = {"name": "inject.mesh", "rules": rules, "failurePolicy": "Fail"}
    apart = {"name": "apart.mesh", "rules": rules, "namespaceSelector": {"matchLabels": {"mesh": "on"}}}
    site.put(MUTATING, "mesh", "", webhooks=[mesh, apart])
    warnings = (await site.plan(point="full")).warnings
    assert "it waits for restore before-us: Velero runs one at a time" in warnings
    assert any(
        "mesh (inject.mesh) may change what is restored: deployments.apps, statefulsets.apps" in w for w in warnings
    )
    assert not any("apart.mesh" in warning for warning in warnings)
    assert any("PartiallyFailed with 2 errors" in warning for warning in warnings)


async def test_live_storage_is_named_so_that_a_copy_on_it_is_found_out(site: Site) -> None:
    site.backup("full", shop(), [captured("data", "shop")])
    csi = {"driver": "d", "volumeHandle": "vol-7"}
    site.put(VOLUMES, "pv-1", "", spec={"csi": csi, "claimRef": {"namespace": "shop", "name": "data"}})
    site.put(VOLUMES, "pv-9", "", spec={"nfs": {"server": "nas", "path": "/b"}, "claimRef": {"namespace": "bank"}})
    assert (await site.plan()).params["handles"] == ["csi:d:vol-7"]


async def test_an_exception_stands_in_the_plan_with_its_reason_and_never_opens_the_quarantine(site: Site) -> None:
    gadget = next(app for app in APPLICATIONS if app.name == "nobody-knows")
    bucket = next(app for app in APPLICATIONS if app.name == "crossplane-bucket")
    site.backup("full", [*gadget.objects, *bucket.objects, service(type="LoadBalancer"), workload()])
    until = {"reason": "its operator is not installed here", "expires": "2027-01-01T00:00:00Z"}
    allow = [
        {"rule": "S10", "what": "gadgets.*", **until}, {"rule": "S10", "what": "buckets.*/orders", **until},
        {"rule": "S12", "what": "*", **until},
    ]  # fmt: skip
    stern = [*allow, {"rule": "S7", "what": "*", **until}]
    assert "S7 has no exceptions" in (await refused(site, point="full", allow=stern)).what
    plan = await site.plan(point="full", allow=allow)
    assert "gadgets.gadgets.example.com" not in plan.params["restore"]["spec"]["excludedResources"]
    assert any("its operator is not installed here" in warning for warning in plan.warnings)
    assert ("S7", "change", "services/web") in effects(plan)
    orphan = [rule for rule in plan.params["modifiers"]["rules"] if "buckets" in rule["conditions"]["groupResource"]]
    assert "Orphan" in orphan[0]["mergePatches"][0]["patchData"]


@pytest.mark.parametrize("app", APPLICATIONS, ids=lambda app: app.name)
async def test_a_hostile_application_is_planned_for_object_by_object(site: Site, app: Application) -> None:
    infos = [{"pvcName": name, "pvcNamespace": "shop", "skipped": True} for name in app.empty]
    beside = thing("v1", "ConfigMap", "kube-root-ca.crt")
    site.backup("full", [*app.manifests("shop"), beside], infos, live=False)
    if app.blocked:
        error = await refused(site, point="full")
        assert error.code == "blocked"
        assert all(what.rpartition("/")[2] in " ".join(error.details) for _, _, what in app.says)
        return
    plan = await site.plan(point="full")
    assert set(app.says) <= effects(plan)
    assert bool(app.empty) <= bool(plan.params["not_green"])
    assert site.writes == []


async def test_kinds_that_open_the_quarantine_stay_out_also_when_the_point_showed_none(site: Site) -> None:
    site.backup("full", shop(), [captured("data", "shop")])
    until = {"reason": "to see it scale", "expires": "2027-01-01T00:00:00Z"}
    out = (await site.plan()).params["restore"]["spec"]["excludedResources"]
    assert {"networkpolicies.networking.k8s.io", "ingresses.networking.k8s.io", "endpoints"} < set(out)
    assert {"clusterrolebindings.rbac.authorization.k8s.io", "leases.coordination.k8s.io"} < set(out)
    scaler = next(app for app in APPLICATIONS if app.name == "autoscaler")
    site.backup("scaled", scaler.objects, hours=0.5)
    allow = [{"rule": "S15", "what": "horizontalpodautoscalers.autoscaling/web", **until}]
    freed = await site.plan(point="scaled", allow=allow)
    assert "horizontalpodautoscalers.autoscaling" not in freed.params["restore"]["spec"]["excludedResources"]


async def test_an_exception_for_one_object_does_not_let_the_others_of_its_kind_in(site: Site) -> None:
    gadgets = [thing("gadgets.example.com/v1", "Gadget", name) for name in ("good", "bad")]
    site.backup("full", [*gadgets, workload()])
    allow = [{"rule": "S10", "what": "*/good", "reason": "known", "expires": "2027-01-01T00:00:00Z"}]
    plan = await site.plan(point="full", allow=allow)
    assert "gadgets.gadgets.example.com" in plan.params["restore"]["spec"]["excludedResources"]
    assert any("Gadget/good is allowed, but others of its kind are not" in warning for warning in plan.warnings)
    assert not any("Gadget" in entry for entry in plan.params["inventory"])


async def test_where_nothing_runs_readiness_is_not_asked_and_so_not_tested(site: Site) -> None:
    site.backup("settings", [thing("v1", "ConfigMap", "a")])
    checks = (await site.plan(point="settings")).params["checks"]
    assert checks["readiness"] is False
    site.backup("agents", [workload("DaemonSet", "agent")])
    assert (await site.plan(point="agents")).params["checks"]["readiness"] is True
    site.backup("full", shop(), [captured("data", "shop")])
    assert (await site.plan(point="full")).params["checks"]["readiness"] is True


async def test_it_may_take_as_long_as_the_proofs_before_it(site: Site) -> None:
    site.backup("full", shop(), [captured("data", "shop")])
    assert (await site.plan()).estimate is None
    site.lengths = {"shop": (14.0, 20.0, 16.0), "bank": (900.0,)}
    found = (await site.plan()).estimate
    assert found is not None
    assert (found.low, found.high, found.basis) == (14.0, 20.0, "median 16 s of the last 3 runs of proofs of shop")


@pytest.mark.parametrize("listed", [OSError("404"), b"not json"])
async def test_a_point_whose_own_list_of_objects_is_gone_is_not_known_to_be_complete(site: Site, listed: Any) -> None:
    site.backup("full", shop(), [captured("data", "shop")])
    assert (await site.plan()).params["unlisted"] == ""
    site.artefacts[("BackupResourceList", "full")] = listed
    assert "its own list of objects" in (await site.plan()).params["unlisted"]
