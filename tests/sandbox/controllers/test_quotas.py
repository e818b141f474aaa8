"""What a quota says is used, and controllers that run into it."""

from __future__ import annotations

from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, EVENTS, PODS, REPLICASETS
from lazarus_tui.sandbox.api.quota import QUOTAS

from .conftest import Rig


def limit(rig: Rig, **hard: str) -> None:
    spec = {"hard": {name.replace("__", "."): value for name, value in hard.items()}}
    rig.api.create(QUOTAS, {"metadata": {"name": "q"}, "spec": spec}, "shop")


def replicas(rig: Rig, number: int) -> None:
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "lazarus.dev/pause:1"}]},
    }
    spec = {"replicas": number, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    rig.api.create(REPLICASETS, {"metadata": {"name": "web"}, "spec": spec}, "shop")


async def test_what_is_used_follows_what_is_there(rig: Rig) -> None:
    limit(rig, configmaps="5", pods="2", requests__storage="2048Mi", services__nodeports="0", nothing="1")
    rig.claim("c")
    await rig.settle()
    status = rig.get(QUOTAS, "q")["status"]
    assert status["hard"] == {
        "configmaps": "5", "pods": "2", "requests.storage": "2Gi", "services.nodeports": "0", "nothing": "1"
    }  # fmt: skip
    assert status["used"] == {"configmaps": "1", "pods": "0", "requests.storage": "1Gi", "services.nodeports": "0"}
    rig.api.create(CONFIGMAPS, {"metadata": {"name": "a"}}, "shop")
    rig.pod("p")
    await rig.settle()
    assert (
        rig.get(QUOTAS, "q")["status"]["used"] | {"configmaps": "2", "pods": "1"}
        == (rig.get(QUOTAS, "q")["status"]["used"])
    )
    rig.api.delete(CONFIGMAPS, "a", "shop")
    rig.api.delete(PODS, "p", "shop", grace=0)
    await rig.settle()
    used = rig.get(QUOTAS, "q")["status"]["used"]
    assert (used["configmaps"], used["pods"]) == ("1", "0")
    rig.api.patch(QUOTAS, "q", {"spec": {"hard": {"configmaps": "9", "pods": None}}}, "shop")
    await rig.settle()
    status = rig.get(QUOTAS, "q")["status"]
    assert (status["hard"]["configmaps"], "pods" in status["used"]) == ("9", False)


async def test_a_controller_is_held_and_goes_on_when_there_is_room(rig: Rig) -> None:
    limit(rig, pods="1")
    replicas(rig, 3)
    await rig.settle()
    assert len(rig.names(PODS)) == 1
    told = [event for event in rig.api.list(EVENTS, "shop") if event["reason"] == "FailedCreate"]
    assert told
    assert all(event["type"] == "Warning" and event["involvedObject"]["name"] == "web" for event in told)
    assert all(event["message"].startswith('Error creating: pods "web-') for event in told)
    assert all("is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1" in event["message"]
               for event in told)  # fmt: skip
    rig.api.patch(QUOTAS, "q", {"spec": {"hard": {"pods": "3"}}}, "shop")
    await rig.advance(60)
    assert len(rig.names(PODS)) == 3


async def test_a_statefulset_waits_for_room_for_its_claims_and_pods(rig: Rig) -> None:
    """What a restore into a namespace with a quota meets: the reason is an Event, and it ends when there is room."""
    limit(rig, requests__storage="0", pods="0")
    rig.statefulset()
    await rig.settle()
    assert (rig.names(PODS), rig.names(CLAIMS)) == ([], [])
    (told,) = [event for event in rig.api.list(EVENTS, "shop") if event["reason"] == "FailedCreate"]
    assert told["message"] == (
        'create Claim for Pod orders-0 in StatefulSet orders failed error: persistentvolumeclaims "data-orders-0" is '
        "forbidden: exceeded quota: q, requested: requests.storage=1Gi, used: requests.storage=0, limited: "
        "requests.storage=0"
    )
    rig.api.patch(QUOTAS, "q", {"spec": {"hard": {"requests.storage": "1Gi"}}}, "shop")
    await rig.advance(60)
    assert (rig.names(PODS), rig.names(CLAIMS)) == ([], ["data-orders-0"])
    assert any(
        event["message"].startswith('create Pod orders-0 in StatefulSet orders failed error: pods "orders-0" is')
        for event in rig.api.list(EVENTS, "shop")
    )
    rig.api.delete(QUOTAS, "q", "shop")
    await rig.advance(60)
    assert rig.names(PODS) == ["orders-0"]
