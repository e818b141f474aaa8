"""How things go: finalizers, owners, grace, namespaces."""

from __future__ import annotations

from typing import Any

from conformance_api import CLAIMS, CM, DEPLOYMENTS, NAMESPACES, PODS, Api, claim, cm, owner, pod, workload
from conformance_cases import SUPPORTED, Table
from conformance_target import CONTROLLERS, NODE

TABLE = Table("deletion")
story, row = TABLE.story, TABLE.row

HOLD = "example.com/hold"
_A = ((CM, cm("a")),)
_OPTIONS = {
    "policy-unknown": {"propagationPolicy": "Maybe"},
    "policy-twice": {"orphanDependents": True, "propagationPolicy": "Background"},
}
for _what, _body in _OPTIONS.items():
    row(_what, "DELETE", f"{CM}/a", _body, given=_A, status=422, reason="Invalid", text="propagationPolicy")
_NO_NUMBER = {"gracePeriodSeconds": "x"}
row(
    "grace-that-is-no-number",
    "DELETE",
    f"{CM}/a",
    _NO_NUMBER,
    given=_A,
    status=400,
    reason="BadRequest",
    since=SUPPORTED,
)


async def release(api: Api, path: str) -> None:
    (await api.patch(path, {"metadata": {"finalizers": None}})).ok()


@story()
async def a_finalizer_keeps_what_is_deleted(api: Api) -> None:
    made = await api.make(CM, cm("a", finalizers=[HOLD]))
    answer = (await api.delete(f"{CM}/a")).ok()
    assert answer["metadata"]["deletionTimestamp"]
    kept = await api.stays(f"{CM}/a")
    assert kept["metadata"]["uid"] == made["metadata"]["uid"]
    (await api("POST", CM, cm("a"))).is_refused(409, "AlreadyExists")
    await release(api, f"{CM}/a")
    await api.gone(f"{CM}/a")


@story()
async def deleting_twice_keeps_the_moment(api: Api) -> None:
    await api.make(CM, cm("a", finalizers=[HOLD]))
    first = (await api.delete(f"{CM}/a")).meta["deletionTimestamp"]
    assert (await api.delete(f"{CM}/a")).meta["deletionTimestamp"] == first
    await release(api, f"{CM}/a")


@story()
async def no_finalizer_is_added_to_what_is_going(api: Api) -> None:
    await api.make(CM, cm("a", finalizers=[HOLD]))
    (await api.delete(f"{CM}/a")).ok()
    more = {"metadata": {"finalizers": [HOLD, "example.com/more"]}}
    (await api.patch(f"{CM}/a", more)).is_refused(422, "Invalid", "no new finalizers can be added")
    await release(api, f"{CM}/a")


@story()
async def what_is_going_can_still_be_changed(api: Api) -> None:
    await api.make(CM, cm("a", finalizers=[HOLD, "example.com/other"]))
    (await api.delete(f"{CM}/a")).ok()
    assert (await api.patch(f"{CM}/a", {"data": {"x": "1"}})).ok()["data"] == {"x": "1"}
    half = await api.patch(f"{CM}/a", {"metadata": {"finalizers": ["example.com/other"]}})
    assert half.meta["finalizers"] == ["example.com/other"]
    await release(api, f"{CM}/a")


@story()
async def the_deletion_timestamp_is_not_the_clients_to_take_back(api: Api) -> None:
    await api.make(CM, cm("a", finalizers=[HOLD]))
    (await api.delete(f"{CM}/a")).ok()
    found = await api.patch(f"{CM}/a", {"metadata": {"deletionTimestamp": None}})
    assert found.status == 422 or found.meta["deletionTimestamp"]
    assert (await api.get(f"{CM}/a")).meta["deletionTimestamp"]
    await release(api, f"{CM}/a")


async def family(api: Api, *, block: bool = False, **meta: Any) -> None:
    """A parent and its child."""
    parent = await api.make(CM, cm("parent", **meta))
    await api.make(CM, cm("child", ownerReferences=[owner(parent, block=block)]))


@story(CONTROLLERS)
async def background_takes_the_dependents_afterwards(api: Api) -> None:
    await family(api)
    (await api.delete(f"{CM}/parent", {"propagationPolicy": "Background"})).ok()
    assert (await api.get(f"{CM}/parent")).status == 404
    await api.gone(f"{CM}/child")


@story(CONTROLLERS)
async def dependents_go_by_default(api: Api) -> None:
    await family(api)
    (await api.delete(f"{CM}/parent")).ok()
    await api.gone(f"{CM}/child")


@story(CONTROLLERS)
async def orphans_stay_without_their_owner(api: Api) -> None:
    await family(api)
    (await api.delete(f"{CM}/parent", {"propagationPolicy": "Orphan"})).ok()
    await api.gone(f"{CM}/parent")
    assert "ownerReferences" not in (await api.stays(f"{CM}/child"))["metadata"]


@story(CONTROLLERS)
async def foreground_waits_for_the_dependents(api: Api) -> None:
    parent = await api.make(CM, cm("parent"))
    await api.make(CM, cm("child", ownerReferences=[owner(parent, block=True)], finalizers=[HOLD]))
    answer = (await api.delete(f"{CM}/parent", {"propagationPolicy": "Foreground"})).ok()
    assert "foregroundDeletion" in answer["metadata"]["finalizers"]

    async def child_goes() -> bool:
        return "deletionTimestamp" in (await api.get(f"{CM}/child")).meta

    await api.eventually(child_goes)
    await api.stays(f"{CM}/parent")
    await release(api, f"{CM}/child")
    await api.gone(f"{CM}/child")
    await api.gone(f"{CM}/parent")


@story(CONTROLLERS)
async def one_of_two_owners_is_enough_to_stay(api: Api) -> None:
    first, second = await api.make(CM, cm("first")), await api.make(CM, cm("second"))
    await api.make(CM, cm("child", ownerReferences=[owner(first), owner(second)]))
    (await api.delete(f"{CM}/first")).ok()

    async def left() -> bool:
        found = await api.get(f"{CM}/child")
        return [one["name"] for one in found.meta["ownerReferences"]] == ["second"]

    await api.eventually(left)
    (await api.delete(f"{CM}/second")).ok()
    await api.gone(f"{CM}/child")


@story(CONTROLLERS)
async def an_owner_of_another_uid_is_no_owner(api: Api) -> None:
    """What a restore brings back with the references of the dead is collected at once."""
    parent = await api.make(CM, cm("parent"))
    dead = owner(parent) | {"uid": "00000000-0000-4000-8000-00000000dead"}
    await api.make(CM, cm("child", ownerReferences=[dead]))
    await api.gone(f"{CM}/child")
    await api.stays(f"{CM}/parent")


@story(CONTROLLERS)
async def a_deployment_goes_with_its_replica_set(api: Api) -> None:
    await api.make(DEPLOYMENTS, workload("a"))
    sets = "/apis/apps/v1/namespaces/{ns}/replicasets"

    async def there() -> bool:
        return bool((await api.get(sets)).names)

    await api.eventually(there)
    (await api.delete(f"{DEPLOYMENTS}/a", {"propagationPolicy": "Background"})).ok()

    async def none() -> bool:
        return not (await api.get(sets)).names

    await api.eventually(none)


@story()
async def a_pod_without_a_node_goes_at_once(api: Api) -> None:
    await api.account()
    await api.make(PODS, pod("p"))
    (await api.delete(f"{PODS}/p")).ok()
    await api.gone(f"{PODS}/p")


@story()
async def a_pod_on_a_node_has_its_grace(api: Api) -> None:
    """The node does not exist, so nobody ends the pod before it is forced.

    No other case names that node: one that a controller has missed for some time loses all its pods.
    """
    await api.account()
    await api.make(PODS, pod("p", nodeName="grace-{ns}", terminationGracePeriodSeconds=600))
    going = (await api.delete(f"{PODS}/p")).ok()
    assert going["kind"] == "Pod"
    assert going["metadata"]["deletionGracePeriodSeconds"] == 600
    sooner = (await api.delete(f"{PODS}/p", {"gracePeriodSeconds": 300})).ok()
    assert sooner["metadata"]["deletionGracePeriodSeconds"] == 300
    later = (await api.delete(f"{PODS}/p", {"gracePeriodSeconds": 500})).ok()
    assert later["metadata"]["deletionGracePeriodSeconds"] == 300
    (await api.delete(f"{PODS}/p", {"gracePeriodSeconds": 0})).ok()
    await api.gone(f"{PODS}/p")


@story(NODE, CONTROLLERS)
async def a_scheduled_pod_goes_when_its_kubelet_has_ended_it(api: Api) -> None:
    await api.account()
    await api.make(
        PODS, pod("p", schedulerName="default-scheduler", schedulingGates=[], terminationGracePeriodSeconds=1)
    )

    async def placed() -> bool:
        return bool((await api.get(f"{PODS}/p")).body["spec"].get("nodeName"))

    await api.eventually(placed)
    assert (await api.delete(f"{PODS}/p")).ok()["metadata"]["deletionGracePeriodSeconds"] == 1
    await api.gone(f"{PODS}/p")


@story(CONTROLLERS)
async def a_claim_is_protected_while_it_is_there(api: Api) -> None:
    await api.make(CLAIMS, claim("c"))
    assert (await api.get(f"{CLAIMS}/c")).meta["finalizers"] == ["kubernetes.io/pvc-protection"]
    (await api.delete(f"{CLAIMS}/c")).ok()
    await api.gone(f"{CLAIMS}/c")


@story(CONTROLLERS)
async def a_claim_in_use_waits_for_its_pod(api: Api) -> None:
    await api.account()
    await api.make(CLAIMS, claim("c"))
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
    await api.make(PODS, pod("p", nodeName="use-{ns}", volumes=[volume]))
    (await api.delete(f"{CLAIMS}/c")).ok()
    assert (await api.stays(f"{CLAIMS}/c"))["metadata"]["deletionTimestamp"]
    (await api.delete(f"{PODS}/p", {"gracePeriodSeconds": 0})).ok()
    await api.gone(f"{CLAIMS}/c")


@story(CONTROLLERS)
async def a_namespace_takes_its_contents_along(api: Api) -> None:
    other = await api.other_namespace("b")
    await api.make(CM.replace("{ns}", other), cm("a"))
    answer = (await api.delete(f"{NAMESPACES}/{other}")).ok()
    assert answer["status"]["phase"] == "Terminating"
    await api.gone(f"{NAMESPACES}/{other}")
    assert (await api.get(f"{CM}/a".replace("{ns}", other))).status == 404


@story(CONTROLLERS)
async def a_namespace_waits_for_finalizers_and_takes_nothing_new(api: Api) -> None:
    other = await api.other_namespace("b")
    inside = CM.replace("{ns}", other)
    await api.make(inside, cm("held", finalizers=[HOLD]))
    (await api.delete(f"{NAMESPACES}/{other}")).ok()
    refused = await api("POST", inside, cm("new"))
    refused.is_refused(403, "Forbidden", "because it is being terminated")
    assert [one["reason"] for one in refused.body["details"]["causes"]] == ["NamespaceTerminating"]

    async def held() -> bool:
        found = await api.get(f"{inside}/held")
        return "deletionTimestamp" in found.meta

    await api.eventually(held)
    assert (await api.stays(f"{NAMESPACES}/{other}"))["spec"]["finalizers"] == ["kubernetes"]
    await release(api, f"{inside}/held")
    await api.gone(f"{NAMESPACES}/{other}")


@story(CONTROLLERS)
async def a_namespace_that_waits_says_for_what(api: Api) -> None:
    other = await api.other_namespace("b")
    inside = CM.replace("{ns}", other)
    await api.make(inside, cm("held", finalizers=[HOLD]))
    (await api.delete(f"{NAMESPACES}/{other}")).ok()

    async def told() -> bool:
        status = (await api.get(f"{NAMESPACES}/{other}")).body["status"]
        found = {one["type"]: one for one in status.get("conditions") or ()}
        remaining = found.get("NamespaceFinalizersRemaining", {})
        return remaining.get("status") == "True" and HOLD in remaining["message"]

    await api.eventually(told)
    await release(api, f"{inside}/held")


@story(since=22)
async def an_eviction_removes_a_pod(api: Api) -> None:
    await api.account()
    await api.make(PODS, pod("p"))
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    assert (await api("POST", f"{PODS}/p/eviction", body)).status in (200, 201)
    await api.gone(f"{PODS}/p")
