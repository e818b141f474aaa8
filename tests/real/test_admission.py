"""What admission refuses with 403 is told apart from a missing right, in the words of a real API server."""

from __future__ import annotations

from typing import Any

from real_world import World, eventually

from lazarus_tui.kube.errors import Ending, KubeError, NotAdmitted, NotYet, QuotaExceeded
from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES, PODS, Resource

QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
LIMITS = Resource("", "v1", "limitranges", "LimitRange")


def pod(**spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "i", **spec.pop("container", {})}
    spec |= {"automountServiceAccountToken": False, "containers": [container]}
    return {"metadata": {"name": "p"}, "spec": spec}


async def tried(world: World, resource: Resource, body: dict[str, Any]) -> KubeError | None:
    """How it was refused, without anything being made; None when it was not."""
    query = (("dryRun", "All"),)
    try:
        await world.cluster.request("POST", resource.path(world.ns), query=query, body={**body, "apiVersion": "v1"})
    except KubeError as error:
        return error
    return None


async def test_a_service_account_that_is_not_there_may_come(world: World) -> None:
    error = await tried(world, PODS, pod(serviceAccountName="nobody") | {"kind": "Pod"})
    assert type(error) is NotYet
    assert "error looking up service account" in str(error)


async def test_a_rule_of_the_namespace_is_no_missing_right(world: World) -> None:
    await world.own_account()
    spec = {"limits": [{"type": "Container", "max": {"cpu": "100m"}}]}
    await world.cluster.create(LIMITS, {"metadata": {"name": "small"}, "spec": spec}, world.ns)
    body = pod(container={"resources": {"limits": {"cpu": "1"}}}) | {"kind": "Pod"}

    async def refused() -> bool:
        return type(await tried(world, PODS, body)) is NotAdmitted

    await eventually(refused)
    classless = await tried(world, PODS, pod(priorityClassName="nowhere") | {"kind": "Pod"})
    assert type(classless) is NotAdmitted
    assert "no PriorityClass with name nowhere was found" in str(classless)


async def test_a_full_quota_is_a_matter_of_room(world: World) -> None:
    hard = {"hard": {"configmaps": "0"}}
    await world.cluster.create(QUOTAS, {"metadata": {"name": "none"}, "spec": hard}, world.ns)
    body = {"kind": "ConfigMap", "metadata": {"name": "late"}}
    seen: list[type[KubeError]] = []

    async def full() -> bool:
        error = await tried(world, CONFIGMAPS, body)
        seen.extend([] if error is None else [type(error)])
        return type(error) is QuotaExceeded

    await eventually(full)
    assert set(seen) <= {NotYet, QuotaExceeded}, "before it is counted nothing says that a right is missing"


async def test_a_namespace_that_goes_says_so(world: World) -> None:
    held = {"metadata": {"name": "held", "finalizers": ["lazarus.dev/hold"]}}
    await world.cluster.create(CONFIGMAPS, held, world.ns)
    await world.cluster.delete(NAMESPACES, world.ns)
    error = await tried(world, CONFIGMAPS, {"kind": "ConfigMap", "metadata": {"name": "late"}})
    assert type(error) is Ending
    await world.cluster.merge_patch(CONFIGMAPS, "held", {"metadata": {"finalizers": None}}, world.ns)
