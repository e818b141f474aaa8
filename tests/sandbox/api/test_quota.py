"""ResourceQuota and LimitRange: what is refused, in which words, and what is filled in before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, PODS, SERVICEACCOUNTS, SERVICES
from lazarus_tui.sandbox.api.amounts import Amount, amount
from lazarus_tui.sandbox.api.demands import pod_amounts, quality
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.limits import LIMIT_RANGES
from lazarus_tui.sandbox.api.priorities import PRIORITY_CLASSES
from lazarus_tui.sandbox.api.quota import QUOTAS

from .conftest import World, config_map

Object = dict[str, Any]
API = "/api/v1/namespaces/default"


def quota(world: World, name: str = "q", scopes: tuple[str, ...] = (), **hard: str) -> None:
    """``count_pods`` stands for ``count/pods``, ``requests__cpu`` for ``requests.cpu``."""
    limited = {key.replace("__", ".").replace("count_", "count/"): value for key, value in hard.items()}
    spec: Object = {"hard": limited} | ({"scopes": list(scopes)} if scopes else {})
    world.api.create(QUOTAS, {"metadata": {"name": name}, "spec": spec}, "default")


def limit_range(world: World, **item: Any) -> None:
    world.api.create(LIMIT_RANGES, {"metadata": {"name": "l"}, "spec": {"limits": [item]}}, "default")


def container(name: str = "c", *, requests: Object | None = None, limits: Object | None = None, **more: Any) -> Object:
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    return {"name": name, "image": "lazarus.dev/pause:1", "resources": resources, **more}


def pod(name: str, *containers: Object, **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"containers": list(containers) or [container()], **spec}}


def claim(name: str, size: str, storage_class: str = "fast") -> Object:
    return {
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": size}},
        },
    }


def refused(world: World, resource: Any, obj: Object) -> str:
    with pytest.raises(ApiError) as caught:
        world.api.create(resource, obj, "default")
    assert (caught.value.status, caught.value.reason) == (403, "Forbidden")
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"), ("0.5", "500m"), ("1500m", "1500m"), ("1000m", "1"), ("1024Mi", "1Gi"), ("1536Mi", "1536Mi"),
        ("1.5Gi", "1536Mi"), ("1000", "1k"), ("12e6", "12e6"), ("1E3", "1e3"), ("0.5Mi", "512Ki"), ("100n", "100n"),
        ("0.1n", "1n"), ("-5", "-5"), ("512", "512"), ("1023Ki", "1023Ki"), ("2E", "2E"), ("+3", "3"), (".5", "500m"),
    ],
)  # fmt: skip
def test_quantities_are_written_as_the_real_server_writes_them(text: str, canonical: str) -> None:
    assert str(amount(text)) == canonical
    assert amount(canonical) == amount(text)


@pytest.mark.parametrize("wrong", ["", "x", "1 Gi", "1KiB", "--1", "1e", None, True and "1.2.3"])
def test_what_is_no_quantity_is_refused(wrong: Any) -> None:
    with pytest.raises(ApiError, match="quantities must match"):
        amount(wrong)


@given(st.lists(st.sampled_from(["1", "250m", "3Ki", "2Gi", "1.5", "10M", "7n"]), max_size=6))
def test_sums_lose_nothing(texts: list[str]) -> None:
    total = sum((amount(text) for text in texts), Amount())
    assert amount(str(total)) == total or total.form == "binary", "a binary sum is rounded up to whole units"
    assert amount(str(total)) >= total
    assert total.nano == sum(amount(text).nano for text in texts)


async def test_the_number_of_objects_is_held(world: World) -> None:
    quota(world, configmaps="2", count_secrets="0")
    for name in ("a", "b"):
        assert (await world.call("POST", f"{API}/configmaps", config_map(name))).status == 201
    third = await world.call("POST", f"{API}/configmaps", config_map("c"))
    assert (third.status, third.reason) == (403, "Forbidden")
    assert third.body["message"] == (
        'configmaps "c" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: '
        "configmaps=2"
    )
    assert third.body["details"] == {"name": "c", "kind": "configmaps"}
    assert (await world.call("POST", f"{API}/configmaps", config_map("c"), dryRun="All")).status == 403
    secret = await world.call("POST", f"{API}/secrets", {"metadata": {"name": "s"}})
    assert "requested: count/secrets=1, used: count/secrets=0, limited: count/secrets=0" in secret.body["message"]
    await world.call("DELETE", f"{API}/configmaps/a")
    assert (await world.call("POST", f"{API}/configmaps", config_map("c"))).status == 201
    elsewhere = "/api/v1/namespaces/kube-system/configmaps"
    assert (await world.call("POST", elsewhere, config_map("c"))).status == 201


async def test_what_is_wrong_is_told_before_what_is_too_much(world: World) -> None:
    quota(world, pods="0")
    wrong = await world.call("POST", f"{API}/pods", {"metadata": {"name": "p"}, "spec": {"containers": []}})
    assert (wrong.status, wrong.reason) == (422, "Invalid")
    assert (await world.call("POST", f"{API}/pods", pod("p"))).status == 403


def test_who_counts_processors_has_them_said(world: World) -> None:
    quota(world, limits__cpu="2", requests__memory="1Gi", ephemeral_storage="1Gi")
    message = refused(world, PODS, pod("p", container("a", limits={"cpu": "1"}), container("b")))
    assert message == (
        'pods "p" is forbidden: failed quota: q: must specify limits.cpu for: b; requests.memory for: a,b'
    )
    said = container("a", limits={"cpu": "1500m", "memory": "512Mi"})
    world.api.create(PODS, pod("p", said), "default")
    assert refused(world, PODS, pod("q", said)) == (
        'pods "q" is forbidden: exceeded quota: q, requested: limits.cpu=1500m, used: limits.cpu=1500m, limited: '
        "limits.cpu=2"
    )


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_is_over_uses_nothing_but_is_there(world: World, phase: str) -> None:
    quota(world, pods="1")
    quota(world, "all", count_pods="2")
    first = world.api.create(PODS, pod("a"), "default")
    assert "exceeded quota: q" in refused(world, PODS, pod("b"))
    world.api.update_status(PODS, {**first, "status": {"phase": phase}})
    world.api.create(PODS, pod("b"), "default")
    assert "exceeded quota: all, requested: count/pods=1, used: count/pods=2" in refused(world, PODS, pod("c"))


def test_first_containers_count_when_they_need_more() -> None:
    spec = pod(
        "p",
        container("a", requests={"cpu": "1"}),
        container("b", requests={"cpu": "500m", "memory": "1Gi"}),
        initContainers=[
            container("sidecar", requests={"cpu": "100m"}, restartPolicy="Always"),
            container("big", requests={"cpu": "3"}),
        ],
        overhead={"cpu": "10m", "memory": "1Mi"},
    )
    assert {name: str(value) for name, value in pod_amounts(spec, "requests").items()} == {
        "cpu": "3110m",
        "memory": "1025Mi",
    }


def test_volumes_are_counted_by_number_size_and_class(world: World) -> None:
    per_class = "gold.storageclass.storage.k8s.io"
    hard = {"requests.storage": "10Gi", f"{per_class}/requests.storage": "2Gi", "persistentvolumeclaims": "3"}
    hard[f"{per_class}/persistentvolumeclaims"] = "1"
    world.api.create(QUOTAS, {"metadata": {"name": "q"}, "spec": {"hard": hard}}, "default")
    world.api.create(CLAIMS, claim("a", "6Gi"), "default")
    told = (
        "exceeded quota: q, requested: requests.storage=5Gi, used: requests.storage=6Gi, limited: requests.storage=10Gi"
    )
    assert told in refused(world, CLAIMS, claim("b", "5Gi"))
    assert f"requested: {per_class}/requests.storage=3Gi" in refused(world, CLAIMS, claim("b", "3Gi", "gold"))
    world.api.create(CLAIMS, claim("b", "1Gi", "gold"), "default")
    assert f"{per_class}/persistentvolumeclaims=1" in refused(world, CLAIMS, claim("c", "1Gi", "gold"))


async def test_a_change_counts_for_what_it_adds(world: World) -> None:
    quota(world, services__nodeports="1", services__loadbalancers="0", services="2")
    made = {"metadata": {"name": "a"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    world.api.create(SERVICES, made, "default")
    plain = {"metadata": {"name": "b"}, "spec": {"ports": [{"port": 80}]}}
    world.api.create(SERVICES, plain, "default")
    options: dict[str, Any] = {"type": "application/merge-patch+json"}
    grown = await world.call("PATCH", f"{API}/services/b", {"spec": {"type": "LoadBalancer"}}, **options)
    assert grown.body["message"] == (
        'services "b" is forbidden: exceeded quota: q, requested: services.loadbalancers=1,services.nodeports=1, '
        "used: services.loadbalancers=0,services.nodeports=1, limited: services.loadbalancers=0,services.nodeports=1"
    )
    same = await world.call("PATCH", f"{API}/services/a", {"metadata": {"labels": {"x": "y"}}}, **options)
    assert same.status == 200
    world.api.delete(SERVICES, "a", "default")
    nodes = await world.call("PATCH", f"{API}/services/b", {"spec": {"type": "NodePort"}}, **options)
    assert nodes.status == 200


@pytest.mark.parametrize(
    ("scope", "inside", "outside"),
    [
        ("BestEffort", {}, {"limits": {"cpu": "1"}}),
        ("NotBestEffort", {"requests": {"memory": "1Mi"}}, {}),
    ],
)
def test_scopes_by_class_of_service(world: World, scope: str, inside: Object, outside: Object) -> None:
    quota(world, scopes=(scope,), pods="0")
    assert "exceeded quota" in refused(world, PODS, pod("in", container(**inside)))
    world.api.create(PODS, pod("out", container(**outside)), "default")
    world.api.create(CONFIGMAPS, config_map("other"), "default")


def test_scopes_by_end_and_priority(world: World) -> None:
    quota(world, "ends", scopes=("Terminating",), pods="0")
    selector = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
    spec = {"hard": {"pods": "0"}, "scopeSelector": {"matchExpressions": [selector]}}
    world.api.create(QUOTAS, {"metadata": {"name": "high"}, "spec": spec}, "default")
    assert "quota: ends" in refused(world, PODS, pod("a", activeDeadlineSeconds=5))
    for name in ("high", "low"):
        world.api.create(PRIORITY_CLASSES, {"metadata": {"name": name}, "value": 1})
    assert "quota: high" in refused(world, PODS, pod("a", priorityClassName="high"))
    world.api.create(PODS, pod("a", priorityClassName="low"), "default")


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([container()], "BestEffort"),
        ([container(requests={"ephemeral-storage": "1Gi"})], "BestEffort"),
        ([container(limits={"cpu": "1", "memory": "1Gi"}, requests={"cpu": "1", "memory": "1Gi"})], "Guaranteed"),
        ([container(limits={"cpu": "1"}, requests={"cpu": "1"})], "Burstable"),
        ([container(requests={"cpu": "1"}), container("d")], "Burstable"),
    ],
)
def test_the_class_of_service(world: World, containers: list[Object], expected: str) -> None:
    assert quality(pod("p", *containers)) == expected
    assert world.api.create(PODS, pod("p", *containers), "default")["status"]["qosClass"] == expected


def test_containers_get_what_the_namespace_gives(world: World) -> None:
    limit_range(world, type="Container", default={"cpu": "500m"}, defaultRequest={"cpu": "100m"}, max={"memory": "1Gi"})
    made = world.api.create(PODS, pod("p", container("a"), container("b", limits={"cpu": "300m"})), "default")
    one, other = (each["resources"] for each in made["spec"]["containers"])
    assert one == {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"memory": "1Gi", "cpu": "500m"}}
    assert (other["requests"]["cpu"], other["limits"]["cpu"]) == ("300m", "300m")
    told = made["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
    assert told.startswith("LimitRanger plugin set: cpu, memory request for container a; cpu, memory limit for")
    assert made["status"]["qosClass"] == "Burstable"


def test_containers_get_no_more_and_no_less(world: World) -> None:
    limit_range(
        world,
        type="Container",
        min={"cpu": "100m"},
        max={"cpu": "1"},
        maxLimitRequestRatio={"cpu": "2"},
        default={"cpu": "1"},
    )
    over = container(limits={"cpu": "2"}, requests={"cpu": "50m"})
    assert refused(world, PODS, pod("p", over)) == (
        'pods "p" is forbidden: [minimum cpu usage per Container is 100m, but request is 50m, maximum cpu usage per '
        "Container is 1, but limit is 2, cpu max limit to request ratio per Container is 2, but provided ratio is "
        "40.000000]"
    )
    world.api.create(PODS, pod("p", container(limits={"cpu": "1"}, requests={"cpu": "500m"})), "default")


def test_pods_and_claims_have_bounds_too(world: World) -> None:
    limit_range(world, type="Pod", max={"memory": "1Gi"})
    part = {"limits": {"memory": "600Mi"}}
    assert refused(world, PODS, pod("p", container("a", **part), container("b", **part))) == (
        'pods "p" is forbidden: maximum memory usage per Pod is 1Gi, but limit is 1200Mi'
    )
    assert "maximum memory usage per Pod is 1Gi.  No limit is specified" in refused(world, PODS, pod("p"))
    world.api.delete(LIMIT_RANGES, "l", "default")
    limit_range(world, type="PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": "5Gi"})
    assert refused(world, CLAIMS, claim("c", "6Gi")) == (
        'persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 5Gi, but request '
        "is 6Gi"
    )
    assert "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi" in refused(
        world, CLAIMS, claim("c", "1Mi")
    )


def test_a_pod_needs_its_account(world: World) -> None:
    assert refused(world, PODS, pod("p", serviceAccountName="robot")) == (
        'pods "p" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found'
    )
    world.api.create(SERVICEACCOUNTS, {"metadata": {"name": "robot"}}, "default")
    world.api.create(PODS, pod("p", serviceAccountName="robot"), "default")


def test_a_quota_with_several_scopes_is_for_pods_in_all_of_them(world: World) -> None:
    quota(world, scopes=("BestEffort", "Terminating"), pods="0")
    world.api.create(PODS, pod("a"), "default")
    world.api.create(PODS, pod("b", container(limits={"cpu": "1"}), activeDeadlineSeconds=5), "default")
    assert "exceeded quota" in refused(world, PODS, pod("c", activeDeadlineSeconds=5))


async def test_a_pod_that_should_long_be_gone_uses_nothing(world: World) -> None:
    quota(world, pods="1")
    world.api.create(PODS, pod("a", nodeName="n") | {"metadata": {"name": "a", "finalizers": ["x/y"]}}, "default")
    world.api.delete(PODS, "a", "default")
    grace = world.api.get(PODS, "a", "default")["metadata"]["deletionGracePeriodSeconds"]  # type: ignore[index]
    assert "exceeded quota" in refused(world, PODS, pod("b"))
    await world.clock.advance(2 * grace + 1)
    world.api.create(PODS, pod("b"), "default")
