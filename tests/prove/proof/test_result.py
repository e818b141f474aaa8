"""The result against the plan: what modifiers did not do, what must not be there, what is missing, whose volumes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden, Unreachable
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import (
    CLAIMS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    NETWORKPOLICIES,
    POD_VOLUME_RESTORES,
    PODS,
    RESTORES,
    SERVICES,
    STATEFULSETS,
    VOLUMES,
)
from lazarus_tui.model.steps import Seen, StepStopped
from lazarus_tui.prove.proof.capture import Capture
from lazarus_tui.prove.proof.causes import explain
from lazarus_tui.prove.proof.compare import COMPARED, WORKLOADS, Compare, holds
from lazarus_tui.prove.proof.control import POD, Flip, Withhold
from lazarus_tui.prove.proof.identity import Identity
from lazarus_tui.prove.proof.release import RELEASED, Release
from lazarus_tui.prove.quarantine.names import OPERATION
from lazarus_tui.prove.rules import resolve
from tests.prove.proof.facts import facts, params
from tests.velero.lab import Lab, World

Q = "lazarus-q-00000000"


class Talking(World):
    """Containers whose log can be read."""

    log = b"starting\nFATAL: password=hunter2 is wrong\n"

    async def logs(self, namespace: str, pod: str, container: str = "", **more: Any) -> AsyncIterator[bytes]:
        for line in self.log.splitlines():
            yield line


@pytest.fixture
def lab() -> Lab:
    lab = Lab(Talking())
    template = {"spec": {"volumes": []}}
    spec = {"replicas": 0, "template": template, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}
    lab.world.put(STATEFULSETS, "orders", Q, spec=spec)
    lab.world.put(SERVICES, "web", Q, spec={"type": "ClusterIP"})
    return lab


def wanted(**more: Any) -> dict[str, Any]:
    web = {"resource": "services", "group": "", "name": "web"}
    expected = [{"rule": "S7", **web, "pointer": "/spec/type", "value": "ClusterIP"}]
    held = [{"kind": "StatefulSet", "name": "orders", "replicas": 2}]
    inventory = ["apps/v1/StatefulSet/orders", "v1/Service/web"]
    return params(expected=expected, held=held, inventory=inventory, forbidden=[], **more)


async def test_what_is_as_planned_may_run(lab: Lab) -> None:
    seen = await lab.run(Compare(wanted()))
    assert (seen.seen, seen.detail) == (Seen.DONE, "as planned")
    at = rfc3339(lab.clock.now(), micro=True)
    assert lab.facts[COMPARED] == {"violated": [], "unexpected": [], "missing": [], "unread": [], "at": at}
    claims = ["data-orders-0", "data-orders-1"]
    assert lab.facts[WORKLOADS] == [{"kind": "StatefulSet", "name": "orders", "claims": claims, "replicas": 2}]
    assert lab.world.writes == []


async def test_a_modifier_that_did_not_apply_is_named_by_its_rule_and_nothing_runs(lab: Lab) -> None:
    lab.world.put(SERVICES, "web", Q, spec={"type": "LoadBalancer"})
    lab.world.put(DEPLOYMENTS, "web", Q, spec={"replicas": 3})
    seen = await lab.run(Compare(wanted()))
    assert seen.seen is Seen.FAILED
    assert "S7: services/web has /spec/type 'LoadBalancer', not 'ClusterIP'" in seen.detail
    assert lab.world.at(DEPLOYMENTS, "web", Q)["spec"]["replicas"] == 0
    (write,) = lab.world.writes
    assert write.uid, "only with its uid"
    again = await lab.run(Compare(wanted()))
    assert (again.seen, len(lab.world.writes)) == (Seen.FAILED, 1)


async def test_what_is_forbidden_and_there_stops_it(lab: Lab) -> None:
    lab.world.put(NETWORKPOLICIES, "open", Q)
    forbidden = [{"rule": "S2", "group": "networking.k8s.io", "resource": "networkpolicies", "name": "open"}]
    seen = await lab.run(Compare({**wanted(), "forbidden": forbidden}))
    assert (seen.seen, seen.detail) == (Seen.FAILED, "S2: networkpolicies/open was restored")


async def test_what_is_missing_is_told_and_does_not_stop_it(lab: Lab) -> None:
    inventory = ["apps/v1/StatefulSet/orders", "v1/Secret/db", "example.com/v1/Widget/w"]
    seen = await lab.run(Compare({**wanted(), "inventory": inventory}))
    assert seen.seen is Seen.DONE
    assert lab.facts[COMPARED]["missing"] == ["v1/Secret/db", "example.com/v1/Widget/w"]


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/spec/a~1b", 1), ("/spec/list/0/x", 2), ("/spec/list/7", None), ("/spec/none/deep", None), ("/spec/m~0n", 3),
        ("", {"spec": {"a/b": 1, "list": [{"x": 2, "name": "web"}], "m~n": 3}}),
        ("/spec/list/name=web/x", 2), ("/spec/list/name=other/x", None),
    ],
)  # fmt: skip
def test_pointers(pointer: str, value: Any) -> None:
    assert resolve({"spec": {"a/b": 1, "list": [{"x": 2, "name": "web"}], "m~n": 3}}, pointer) == value


async def test_a_container_is_found_by_its_name_wherever_others_were_put(lab: Lab) -> None:
    containers = [{"name": "sidecar"}, {"name": "web", "securityContext": {"privileged": True}}]
    lab.world.put(PODS, "web-0", Q, spec={"containers": containers})
    where = "/spec/containers/name=web/securityContext/privileged"
    expected = [{"rule": "S3", "resource": "pods", "group": "", "name": "web-0", "pointer": where, "value": None}]
    seen = await lab.run(Compare({**wanted(), "expected": expected}))
    assert (seen.seen, seen.detail) == (Seen.FAILED, f"S3: pods/web-0 has {where} True, not absent")


def test_nothing_is_what_absent_means() -> None:
    assert all(holds(value, None) for value in (None, "", [], {}, False))
    assert not holds("x", None)
    assert holds(True, True)
    assert not holds(None, "ClusterIP")


# --- S9


def volume(lab: Lab, name: str, handle: str, namespace: str, claim: str) -> None:
    spec = {"csi": {"driver": "d", "volumeHandle": handle}, "claimRef": {"namespace": namespace, "name": claim}}
    lab.world.put(VOLUMES, name, "", spec=spec)


async def test_volumes_of_their_own_may_be_used(lab: Lab) -> None:
    lab.world.put(CLAIMS, "data-orders-0", Q)
    lab.world.put(CLAIMS, "waits", Q)
    volume(lab, "pv-1", "new", Q, "data-orders-0")
    volume(lab, "pv-2", "old", "shop", "data-orders-0")
    seen = await lab.run(Identity(wanted(handles=["csi:d:old"])))
    assert (seen.seen, seen.detail) == (Seen.DONE, "1 volume of their own, 1 bind when they are used")


@pytest.mark.parametrize("known", ["by the plan", "in the cluster"])
async def test_a_live_volume_is_never_started_on(lab: Lab, known: str) -> None:
    lab.world.put(CLAIMS, "data-orders-0", Q)
    lab.world.put(DEPLOYMENTS, "web", Q, spec={"replicas": 1})
    volume(lab, "pv-1", "old", Q, "data-orders-0")
    if known == "in the cluster":
        volume(lab, "pv-2", "old", "shop", "data-orders-0")
    seen = await lab.run(Identity(wanted(handles=["csi:d:old"] if known == "by the plan" else [])))
    assert seen.seen is Seen.FAILED
    assert seen.detail.startswith("S9: claim data-orders-0 is csi:d:old")
    assert lab.world.at(DEPLOYMENTS, "web", Q)["spec"]["replicas"] == 0


@pytest.mark.parametrize("why", ["live", "older", "own"])
async def test_a_control_spoils_no_volume_but_the_copys_own(lab: Lab, why: str) -> None:
    """A claim that waits for a pod is bound when the saboteur is there: by then it may be to somebody's volume."""
    op = wanted()["op"]
    lab.world.put(NAMESPACES, Q, "", metadata={"labels": {OPERATION: op}})
    lab.world.put(PODS, POD, Q, metadata={"labels": {OPERATION: op}}, status={"phase": "Running"})
    claim = lab.world.put(CLAIMS, "data-orders-0", Q)
    volume(lab, "pv-1", "old" if why == "live" else "new", Q, "data-orders-0")
    found = lab.world.at(VOLUMES, "pv-1")
    found["spec"]["claimRef"]["uid"] = claim["metadata"]["uid"]
    if why == "older":
        found["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z"
    lab.facts[WORKLOADS] = [{"kind": "StatefulSet", "name": "orders", "claims": ["data-orders-0"], "replicas": 1}]
    spoiled: list[str] = []

    async def spoil(context: Any, pod: Any, claim: str) -> str:
        spoiled.append(claim)
        return claim

    flip = Flip(wanted(handles=["csi:d:old"]))
    flip._spoil = spoil  # type: ignore[method-assign]
    if why == "own":
        await flip.act(lab)
        assert spoiled == ["data-orders-0"]
        return
    with pytest.raises(StepStopped, match="nothing is spoiled"):
        await flip.act(lab)
    assert spoiled == []


# --- release and capture


async def test_held_workloads_get_what_they_had_and_the_moment_is_kept(lab: Lab) -> None:
    lab.world.put(DEPLOYMENTS, "other", Q, spec={"replicas": 0})
    await lab.run(Release(wanted()))
    assert lab.world.at(STATEFULSETS, "orders", Q)["spec"]["replicas"] == 2
    assert lab.world.at(DEPLOYMENTS, "other", Q)["spec"]["replicas"] == 0, "the point had it at zero"
    at = lab.facts[RELEASED]
    lab.clock.seconds += 60
    await lab.run(Release(wanted()))
    assert lab.facts[RELEASED] == at


def pod(lab: Lab, **status: Any) -> None:
    lab.world.put(PODS, "orders-0", Q, spec={"containers": [{"name": "db"}]}, status=status)


async def captured(lab: Lab, **more: Any) -> dict[str, Any]:
    lab.world.put(NAMESPACES, Q, "")
    lab.facts |= {
        "restore.name": "r",
        "restore.uid": "uid-r",
        "restore.phase": "Completed",
        "restore.errors": 0,
        **more,
    }
    assert (await lab.run(Capture(params()))).seen is Seen.DONE
    return lab.facts


async def test_a_pod_that_is_not_ready_has_a_cause_and_a_next_step(lab: Lab) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x:1"'}
    pod(lab, phase="Pending", containerStatuses=[{"name": "db", "ready": False, "state": {"waiting": waiting}}])
    about = {"kind": "Pod", "name": "orders-0"}
    lab.world.put(
        EVENTS, "e", Q, type="Warning", reason="Failed", message="manifest unknown token=hunter2", involvedObject=about
    )
    (trouble,) = (await captured(lab))["prove.troubles"]
    assert trouble["where"] == "pod orders-0"
    assert "ImagePullBackOff" in trouble["seen"]
    assert "its log ends: starting | FATAL" in trouble["seen"]
    assert trouble["cause"] == "the image does not exist any more"
    assert "keep images as long as backups" in trouble["advice"]
    assert "hunter2" not in str(lab.facts)


async def test_a_log_is_redacted_before_it_is_cut(lab: Lab) -> None:
    """A cut in the middle of a secret would take the name away by which it is known, and keep the value."""
    secret = "hunter-" * 80
    lab.world.log = f"starting password={secret} FATAL".encode()
    pod(lab, phase="Running", containerStatuses=[{"name": "db", "ready": False, "state": {"running": {}}}])
    (trouble,) = (await captured(lab))["prove.troubles"]
    assert ("hunter" in trouble["seen"], "password=[redacted] FATAL" in trouble["seen"]) == (False, True)


@pytest.mark.parametrize("change", ["phase", "errors", "gone", "replaced", "nothing"])
async def test_a_restore_that_changes_after_its_end_is_not_what_it_was(lab: Lab, change: str) -> None:
    found = lab.world.put(RESTORES, "r", metadata={"uid": "uid-r"}, status={"phase": "Completed"})
    match change:
        case "phase":
            found["status"]["phase"] = "PartiallyFailed"
        case "errors":
            found["status"]["errors"] = 1
        case "gone":
            lab.world.drop(RESTORES, "r")
        case "replaced":
            found["metadata"]["uid"] = "other"
    assert bool((await captured(lab))["prove.flipped"]) is (change != "nothing")


async def test_times_of_pods_are_known_only_when_all_say_them(lab: Lab) -> None:
    lab.world.put(RESTORES, "r", metadata={"uid": "uid-r"}, status={"phase": "Completed"})
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-06-01T12:00:05Z"}
    pod(lab, phase="Running", conditions=[scheduled, {"type": "Ready", "status": "True"}])
    found = await captured(lab)
    assert found["prove.t9a"] == "2026-06-01T12:00:05.000000Z"
    assert found["prove.t9"] == ""
    assert found["prove.troubles"] == []


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("ErrImagePull: toomanyrequests: rate limit", "limits how often"),
        ("0/3 nodes are available: 3 Insufficient memory.", "no node has room"),
        ("pods \"x\" is forbidden: exceeded quota: lazarus-quota", "quota is full"),
        ("db terminated: OOMKilled (exit code 137)", "using more memory"),
        ("pod has unbound immediate PersistentVolumeClaims", "claim it needs"),
        ("CrashLoopBackOff: back-off; its log ends: sqlite3.DatabaseError: file is not a database", "data is damaged"),
        ("CrashLoopBackOff: back-off 10s", "ends again and again"),
        ("Readiness probe failed: HTTP 503", "says that it is not ready"),
        ("something nobody has described", ""),
    ],
)  # fmt: skip
def test_causes(text: str, cause: str) -> None:
    found, advice = explain(text)
    assert cause in found
    assert bool(found) is bool(advice) is bool(cause)


def test_facts_of_a_good_proof_are_whole() -> None:
    """What the other tests spoil is what the steps really write."""
    assert {COMPARED, WORKLOADS, "prove.identity", "prove.ready"} <= facts().keys()


class Blind(Talking):
    """Events may not be read here."""

    async def list(self, resource: Any, namespace: str | None = None, **options: Any) -> Any:
        if resource == EVENTS:
            raise Forbidden("events is forbidden", status=403, resource="events")
        return await super().list(resource, namespace, **options)


async def test_what_only_explains_keeps_nothing_away_by_which_it_is_judged() -> None:
    lab = Lab(Blind())
    lab.world.put(RESTORES, "r", metadata={"uid": "uid-r"}, status={"phase": "PartiallyFailed", "errors": 1})
    pod(lab, phase="Running")
    found = await captured(lab)
    assert found["prove.flipped"] == "the restore was Completed with 0 errors and 0 warnings when it ended and is" + (
        " PartiallyFailed with 1 error and 0 warnings now"
    )
    assert (found["prove.again"], found["prove.anew"], found["prove.t9"]) == ([], [], "")
    assert "may not be known" in lab.said[0]


class Deaf(Talking):
    """Volume copies cannot be listed: nobody knows what they say."""

    async def list(self, resource: Any, namespace: str | None = None, **options: Any) -> Any:
        if resource == POD_VOLUME_RESTORES:
            raise Unreachable("the connection was reset")
        return await super().list(resource, namespace, **options)


async def test_copies_that_cannot_be_asked_are_not_taken_for_unchanged() -> None:
    lab = Lab(Deaf())
    lab.world.put(RESTORES, "r", metadata={"uid": "uid-r"}, status={"phase": "Completed"})
    with pytest.raises(Unreachable):
        await captured(lab)
    assert "prove.flipped" not in lab.facts


async def test_volumes_that_were_filled_all_the_same_were_not_withheld(lab: Lab) -> None:
    """Velero's restorePVs leaves out snapshots, and fills by files all the same (pkg/restore)."""
    lab.facts |= {"restore.left_out": ["shop/data-orders-0"], "restore.copies": 0}
    assert (await lab.run(Withhold(params(control="withhold")))).seen is Seen.DONE
    lab.facts["restore.copies"] = 1
    lab.facts.pop("prove.sabotaged")
    seen = await lab.run(Withhold(params(control="withhold")))
    assert (seen.seen, "filled all the same" in seen.detail, seen.hint) == (Seen.FAILED, True, "use --control flip")
    assert "prove.sabotaged" not in lab.facts
