"""Rules that look at more than one object: who starts when, which volumes are new, what blocks a proof."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.volumes import Held
from lazarus_tui.prove.points import Contents, Item, PointVolume
from lazarus_tui.prove.rules import Allowed, Options, Ruling, judge
from tests.prove.hostile import APPLICATIONS, namespaced, resource_of
from tests.prove.hostile.build import bare_pod, claim, mounting, thing, volume, workload

HERE, THERE = "shop", "lazarus-q-01234567"


def ruled(*objects: dict[str, Any], volumes: tuple[PointVolume, ...] = (), filled: tuple[str, ...] = ()) -> Ruling:
    items = [Item(resource_of(one), HERE if namespaced(one) else "", one["metadata"]["name"], one) for one in objects]
    inside = tuple(item for item in items if item.namespace)
    outside = tuple(item for item in items if not item.namespace)
    point = Contents("velero", "p", HERE, inside, outside, volumes, frozenset(filled))
    return judge(point, Options(target=THERE))


def owned(body: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    body["metadata"]["ownerReferences"] = [{"kind": kind, "name": name, "controller": True}]
    return body


def here(body: dict[str, Any]) -> dict[str, Any]:
    body["metadata"]["namespace"] = HERE
    return body


def says(found: Ruling, what: str) -> set[tuple[str, str]]:
    return {(line.rule, line.verb) for line in found.lines if f"{line.resource}/{line.name}" == what}


def replica_set(name: str, owner: str) -> dict[str, Any]:
    return owned(thing("apps/v1", "ReplicaSet", name, spec={"replicas": 1}), "Deployment", owner)


FILES = PointVolume("data", Held.CAPTURED, method="PodVolumeBackup")
CSI = PointVolume("data", Held.CAPTURED, method="CSISnapshot")
DISK = PointVolume("data", Held.CAPTURED, method="NativeSnapshot", reclaim_policy="Delete")


def test_without_file_copies_pods_and_replica_sets_are_made_again_by_their_workloads() -> None:
    found = ruled(workload(), replica_set("web-1", "web"), owned(bare_pod("web-1-x"), "ReplicaSet", "web-1"),
                  claim(), volumes=(CSI,))  # fmt: skip
    assert {"pods", "replicasets.apps"} <= set(found.excluded)
    assert [one["name"] for one in found.held] == ["web"]


def test_a_pod_whose_files_are_copied_starts_by_itself_and_all_others_wait() -> None:
    found = ruled(
        workload("StatefulSet", "db", volumes=mounting("data")), owned(bare_pod("db-0"), "StatefulSet", "db"), claim(),
        workload(), replica_set("web-1", "web"), owned(bare_pod("web-1-x"), "ReplicaSet", "web-1"),
        volumes=(FILES,), filled=("db-0",),
    )  # fmt: skip
    assert "pods" not in found.excluded
    assert [one["name"] for one in found.held] == ["web"]
    assert says(found, "pods/db-0") == set()
    assert says(found, "pods/web-1-x") == says(found, "replicasets.apps/web-1") == {("S9", "suspend")}
    parked = found.apply(here(owned(bare_pod("web-1-x"), "ReplicaSet", "web-1")))
    assert parked is not None
    assert parked["spec"]["nodeSelector"] == {"lazarus.io/held": "true"}


def test_a_bare_pod_is_restored_because_nothing_would_make_it_again() -> None:
    found = ruled(workload(), bare_pod("alone"))
    assert "pods" not in found.excluded
    assert "pod alone has no controller: it starts as soon as it is restored" in found.warnings


def test_a_pod_of_a_running_job_does_not_run_again() -> None:
    job = thing("batch/v1", "Job", "pay", spec={"template": {"spec": {"containers": []}}})
    pod = owned(bare_pod("pay-x"), "Job", "pay")
    found = ruled(job, pod, bare_pod("alone"))
    assert ("S6", "suspend") in says(found, "pods/pay-x")
    blocked = ruled(job, pod, claim(), volumes=(FILES,), filled=("pay-x",))
    assert len(blocked.blocked) == 1
    assert "pay-x" in blocked.blocked[0]


def test_a_consumer_stays_at_zero_and_is_never_released_unless_its_files_need_its_pod() -> None:
    consumer = workload("StatefulSet", "mail", volumes=mounting("data"))
    consumer["metadata"]["labels"]["lazarus/role"] = "consumer"
    found = ruled(consumer)
    assert found.held == ()
    zero = {"resource": "statefulsets", "name": "mail", "pointer": "/spec/replicas", "value": 0}
    assert zero.items() <= found.expected[0].items()
    busy = ruled(
        consumer, owned(bare_pod("mail-0"), "StatefulSet", "mail"), claim(), volumes=(FILES,), filled=("mail-0",)
    )
    assert says(busy, "statefulsets.apps/mail") == {("S15", "keep")}
    assert any("it has to run" in warning for warning in busy.warnings)


def test_claims_get_volumes_of_their_own_but_for_disks_that_velero_restores_itself() -> None:
    csi = {"csi": {"driver": "ebs", "volumeHandle": "vol-1"}}
    fresh = ruled(claim(), volume("pv-1", "data", csi, "Retain"), volumes=(CSI,))
    assert "persistentvolumes" in fresh.excluded
    made = fresh.apply(here(claim()))
    assert made is not None
    assert "volumeName" not in made["spec"]
    disk = ruled(claim(), volume("pv-1", "data", csi, "Delete"), volumes=(DISK,))
    assert "persistentvolumes" not in disk.excluded
    assert disk.apply(here(claim())) == here(claim())
    nfs = {"nfs": {"server": "nas", "path": "/orders"}}
    both = ruled(
        claim(), volume("pv-1", "data", csi, "Delete"), claim("share", "pv-2"), volume("pv-2", "share", nfs, "Retain"),
        volumes=(DISK, PointVolume("share", Held.ABSENT, "skipped")),
    )  # fmt: skip
    assert "nfs:nas:/orders" in both.blocked[0]


def test_volumes_by_files_need_their_kind_so_that_all_of_the_cluster_stays_out() -> None:
    nfs = {"nfs": {"server": "nas", "path": "/orders"}}
    shared = claim("share", "pv-2"), volume("pv-2", "share", nfs, "Retain")
    found = ruled(claim(), volume("pv-1", "data", nfs, "Retain"), *shared, volumes=(FILES,))
    assert found.without_cluster
    assert not {"persistentvolumes", "persistentvolumeclaims"} & set(found.excluded)
    assert found.blocked == ()
    assert "persistentvolumes" not in found.created
    made = found.apply(here(claim("share", "pv-2")))
    assert made is not None
    assert "volumeName" not in made["spec"], "it would be the original's"
    doubtful = PointVolume("data", Held.UNKNOWN, "ended before its last byte", method="PodVolumeBackup")
    unsure = ruled(
        workload("StatefulSet", "db", volumes=mounting("data")), owned(bare_pod("db-0"), "StatefulSet", "db"), claim(),
        volume("pv-1", "data", nfs, "Retain"), volumes=(doubtful,), filled=("db-0",),
    )  # fmt: skip
    assert unsure.without_cluster, "Velero fills what we doubt, too"
    assert "persistentvolumes" not in unsure.excluded
    for other in (DISK, CSI):
        beside = PointVolume("other", Held.CAPTURED, method=other.method, reclaim_policy="Delete")
        mixed = ruled(claim(), volume("pv-1", "data", nfs, "Retain"), *shared, volumes=(FILES, beside))
        assert not mixed.without_cluster, "snapshots come back through objects of the cluster"
        assert "persistentvolumes" not in mixed.excluded
        assert says(mixed, "persistentvolumes/pv-1") == {("S9", "skip")}
        assert "pv-2" in mixed.blocked[0]


def test_an_image_as_a_volume_is_pulled_again_and_no_data() -> None:
    found = ruled(workload(volumes=[{"name": "model", "image": {"reference": "models/small:1"}}]))
    assert ("S9", "empty") not in says(found, "deployments.apps/web")
    assert found.not_green == ()


def test_modifiers_match_the_original_namespace_exact_names_and_one_kind_of_patch() -> None:
    names = ["web", "web-2", "a.b"]
    found = ruled(*(workload(name=name, hostNetwork=True) for name in names))
    for rule in found.modifiers:
        conditions = rule["conditions"]
        assert conditions["namespaces"] == [HERE]
        assert conditions["groupResource"] == "deployments.apps"
        assert conditions["resourceNameRegex"] == r"^(?:a\.b|web|web-2)$"
        assert len(set(rule) - {"conditions"}) == 1
    assert len(found.modifiers) == 2, "what is the same for several objects is said once"


def test_no_exception_lets_anything_in_that_opens_the_quarantine_or_acts_on_the_cluster() -> None:
    closed = {"open-policy", "host-network", "load-balancer", "mutatingwebhookconfiguration", "cluster-admin", "lease"}
    closed |= {"cnpg-archive", "nfs-volume", "inline-nfs", "host-path", "endpoints-of-production", "api-service"}
    every = tuple(
        Allowed(rule=f"S{number}", what="*", reason="please", expires="2999-01-01T00:00:00Z") for number in range(1, 27)
    )
    for app in (one for one in APPLICATIONS if one.name in closed):
        rule, verb, what = app.says[0]
        items = [Item(resource_of(one), HERE, one["metadata"]["name"], one) for one in app.manifests(HERE)]
        found = judge(Contents("velero", "p", HERE, tuple(items)), Options(target=THERE, allow=every))
        assert (rule, verb) in says(found, what), app.name


@pytest.mark.parametrize(
    ("group", "pointer", "value"),
    [
        ("rds.aws.upbound.io", "/spec/deletionPolicy", "Orphan"),
        ("rds.aws.m.upbound.io", "/spec/managementPolicies", ["Observe"]),
        ("rds.services.k8s.aws", "/metadata/annotations/services.k8s.aws~1deletion-policy", "retain"),
        ("sql.azure.com", "/metadata/annotations/serviceoperator.azure.com~1reconcile-policy", "skip"),
    ],
)
def test_an_allowed_resource_of_a_cloud_outlives_its_copy_and_is_looked_at(
    group: str, pointer: str, value: Any
) -> None:
    body = here(thing(f"{group}/v1", "Database", "orders", spec={}))
    point = Contents("velero", "p", HERE, (Item(f"databases.{group}", HERE, "orders", body),))
    free = Allowed(rule="S10", what=f"databases.{group}", reason="a test", expires="2999-01-01T00:00:00Z")
    (one,) = judge(point, Options(target=THERE, allow=(free,))).expected
    assert (one["pointer"], one["value"]) == (pointer, value)


def test_what_stays_at_zero_is_never_green_because_none_of_none_are_ready() -> None:
    consumer, idle = workload(name="mail"), workload(name="idle")
    consumer["metadata"]["labels"]["lazarus/role"] = "consumer"
    idle["spec"]["replicas"] = 0
    assert ruled(consumer, idle).not_green == (
        "deployments/mail: it stays at zero replicas, so whether it starts is not tested",
        "deployments/idle: it stays at zero replicas, so whether it starts is not tested",
    )
    assert ruled(consumer, idle, workload()).not_green == ()


def test_what_ran_by_something_that_stays_out_is_never_green() -> None:
    """A Rollout of Argo, a ReplicaSet of nobody: what is beside them can come back well without them."""
    rollout = owned(thing("apps/v1", "ReplicaSet", "main-1", spec={"replicas": 1}), "Rollout", "main")
    bare = thing("apps/v1", "ReplicaSet", "bare", spec={"replicas": 1})
    pods = (
        owned(bare_pod("main-1-x"), "ReplicaSet", "main-1"), owned(bare_pod("bare-x"), "ReplicaSet", "bare"),
        owned(bare_pod("job-x"), "Job", "job"), owned(bare_pod("web-1-x"), "ReplicaSet", "web-1"),
        owned(bare_pod("lost-1-x"), "ReplicaSet", "lost-1"),
    )  # fmt: skip
    found = ruled(workload(), replica_set("web-1", "web"), rollout, bare, *pods)
    assert found.not_green == (
        "ReplicaSet/bare ran and is not brought back: whether it would run is not tested",
        "Rollout/main ran and is not brought back: whether it would run is not tested",
    )
    pods[0]["status"] = pods[1]["status"] = {"phase": "Failed"}
    assert ruled(workload(), replica_set("web-1", "web"), rollout, bare, *pods).not_green == ()


@pytest.mark.parametrize("copied", [True, False])
def test_snapshots_come_back_only_where_volumes_come_back_through_them(copied: bool) -> None:
    body = here(thing("snapshot.storage.k8s.io/v1", "VolumeSnapshot", "s", spec={"source": {}}))
    found = ruled(body, claim(), volumes=(FILES if copied else CSI,))
    assert ("volumesnapshots.snapshot.storage.k8s.io" in found.excluded) is copied
    assert (("S20", "skip") in says(found, "volumesnapshots.snapshot.storage.k8s.io/s")) is copied
