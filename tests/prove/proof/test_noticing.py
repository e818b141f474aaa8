"""A control is noticed by what is red for what was broken, and by nothing else that may be wrong with a copy."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from lazarus_tui.engine.subjects import unbroken
from lazarus_tui.model.operation import Figures
from lazarus_tui.model.resources import PODS
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.proof.noticing import UNBROKEN, unstarted
from lazarus_tui.prove.proof.verdict import judge
from tests.posture.test_gating import BEGUN, located_views, proof
from tests.prove.hostile.build import claim, mounting, workload
from tests.prove.proof.facts import check, evidence
from tests.prove.site import Site, captured
from tests.velero.lab import World

PASSED, FAILED, INCONCLUSIVE = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE
Q = "lazarus-q-00000000"
RAN: dict[str, Any] = {
    "checks__ready": "FAILED",
    "prove__unstarted": [],
    "prove__ready": {"StatefulSet/orders": [0, 1]},
}
NEVER = "pod orders-0: ImagePullBackOff"


@pytest.mark.parametrize(
    ("control", "more", "given", "verdict", "words"),
    [
        ("flip", RAN, {}, PASSED, "noticed by workloads ready"),
        ("withhold", RAN, {}, PASSED, "noticed by workloads ready"),
        ("flip", {**RAN, "prove__unstarted": [NEVER]}, {}, INCONCLUSIVE, NEVER),
        ("withhold", {**RAN, "prove__unstarted": [NEVER]}, {}, INCONCLUSIVE, "maybe not for that"),
        ("flip", {**RAN, "prove__unstarted": None}, {}, INCONCLUSIVE, "was not looked at"),
        ("drop-table", RAN, {}, INCONCLUSIVE, "not ready before anything was broken"),
        ("drop-table", {}, {}, PASSED, "noticed by workloads ready"),
        ("no-workload", {**RAN, "prove__unstarted": [NEVER]}, {}, PASSED, "noticed by"),
        ("flip", RAN, {UNBROKEN: {"verdict": "FAILED", "at": "T"}}, INCONCLUSIVE, "nobody broke says FAILED too (T)"),
        ("drop-table", {}, {UNBROKEN: {"verdict": "FAILED", "at": "T"}}, INCONCLUSIVE, "says FAILED too"),
        ("flip", RAN, {UNBROKEN: {"verdict": "PASSED", "at": "T"}}, PASSED, "noticed by"),
        ("flip", {}, {UNBROKEN: {"verdict": "NOT TESTED", "at": ""}}, PASSED, "noticed by"),
    ],
)
def test_red_for_another_reason_is_no_notice(
    control: str, more: dict[str, Any], given: dict[str, Any], verdict: Verdict, words: str
) -> None:
    red = structs.replace(check("workloads ready", FAILED), kind="readiness")
    found = evidence([red], given={"control": control, **given}, prove__sabotaged="spoiled data", **more)
    record = judge("00000000000000aa", found, Figures())
    assert record.verdict is verdict, record.words
    assert words in record.words


def test_that_nobody_noticed_stays_red_whatever_the_point_is_like() -> None:
    given = {"control": "flip", UNBROKEN: {"verdict": "FAILED", "at": "T"}}
    found = evidence([check("orders answer")], given=given, prove__sabotaged="spoiled data")
    record = judge("00000000000000aa", found, Figures())
    assert (record.verdict, "no check noticed" in record.words) == (FAILED, True)


def waits(reason: str = "ContainerCreating", **more: Any) -> dict[str, Any]:
    return {"name": "app", "state": {"waiting": {"reason": reason}}, **more}


ENDED = {"terminated": {"exitCode": 1}}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"phase": "Pending", "containerStatuses": [waits("ImagePullBackOff")]}, "ImagePullBackOff"),
        ({"phase": "Pending", "containerStatuses": [waits("CreateContainerError")]}, "CreateContainerError"),
        ({"phase": "Pending", "containerStatuses": [waits()]}, "it is Pending"),
        ({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
         "Unschedulable"),
        ({}, "it is new"),
        ({"phase": "Running", "containerStatuses": [waits("CrashLoopBackOff", lastState=ENDED, restartCount=3)]}, ""),
        ({"phase": "Running", "containerStatuses": [{"name": "app", "state": {"running": {}}, "ready": False}]}, ""),
        ({"phase": "Failed", "containerStatuses": [{"name": "app", "state": ENDED}]}, ""),
        ({"phase": "Pending", "initContainerStatuses": [{"name": "init", "state": ENDED}],
          "containerStatuses": [waits("PodInitializing")]}, ""),
    ],
)  # fmt: skip
async def test_what_ran_may_be_red_for_its_data_and_what_never_ran_is_not(status: dict[str, Any], said: str) -> None:
    world: Any = World()
    owner = {"kind": "StatefulSet", "name": "orders", "uid": "u", "controller": True}
    world.put(PODS, "orders-0", Q, status=status, metadata={"ownerReferences": [owner]})
    world.put(PODS, "probe", Q, status={}, metadata={"labels": {"lazarus.io/probe": "dialer"}})
    world.put(PODS, "check", Q, status={}, metadata={"labels": {"lazarus.io/check": "abc"}})
    world.put(PODS, "done", Q, status={"phase": "Succeeded"})
    found = await unstarted(world, Q, {"StatefulSet/orders": [0, 1]})
    assert found == ([f"pod orders-0: {said}"] if said else [])


async def test_what_the_rules_of_the_proof_keep_off_every_node_is_no_other_reason() -> None:
    """A restored pod of a Job waits for ever by plan (S6), whatever the copy is like."""
    world: Any = World()
    status = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
    }
    world.put(PODS, "report-x", Q, status=status, spec={"nodeSelector": {"lazarus.io/held": "true"}})
    assert await unstarted(world, Q, {"StatefulSet/orders": [1, 1]}) == []
    missing = await unstarted(world, Q, {"StatefulSet/orders": [0, 1]})
    assert missing == ["StatefulSet/orders: no pod of it was made"]


async def test_a_workload_without_any_pod_was_not_kept_from_it_by_its_data() -> None:
    world: Any = World()
    replica = {"kind": "ReplicaSet", "name": "web-5d4f", "uid": "u", "controller": True}
    run = {"phase": "Running", "containerStatuses": [{"name": "app", "state": {"running": {}}}]}
    world.put(PODS, "web-5d4f-x", Q, status=run, metadata={"ownerReferences": [replica]})
    ready = {
        "Deployment/web": [0, 1],
        "StatefulSet/orders": [0, 2],
        "DaemonSet/logs": [1, 1],
        "Deployment/idle": [0, 0],
    }
    assert await unstarted(world, Q, ready) == ["StatefulSet/orders: no pod of it was made"]


# --- how the point stands without what is broken


def test_of_an_unbroken_point_its_own_newest_proof_counts_and_no_control() -> None:
    told = located_views(
        proof("FAILED", 9.0), proof("PASSED", 8.0, control="flip"), proof("PASSED", 7.0, point="a"),
        proof("PASSED", 6.0, point_start="2026-05-01T01:00:00Z"), proof("PASSED", 5.0, namespace="other"),
    )  # fmt: skip
    of = ("velero", "b", BEGUN)
    assert unbroken(told, "shop", "", *of)[0] is FAILED
    assert unbroken(told, "shop", "StatefulSet/db", *of)[0] is FAILED
    assert unbroken(told, "shop", "Deployment/web", *of) == (Verdict.NOT_TESTED, "")
    told += located_views(proof("PASSED", 1.0))
    assert unbroken(told, "shop", "StatefulSet/db", *of)[0] is PASSED


class Known(Site):
    def unbroken(self, *of: str) -> tuple[Verdict, str]:
        self.asked = of
        return FAILED, "2026-06-01T10:00:00Z"


@pytest.mark.parametrize("control", ["flip", ""])
async def test_the_plan_of_a_control_holds_how_its_point_stands(control: str) -> None:
    site = Known()
    site.backup(
        "nightly", [workload("StatefulSet", "db", volumes=mounting("data")), claim()], [captured("data", "shop")]
    )
    plan = await site.plan(control=control)
    assert plan.params.get(UNBROKEN) == ({"verdict": "FAILED", "at": "2026-06-01T10:00:00Z"} if control else None)
    if control:
        assert site.asked[:4] == ("shop", "", "velero", "nightly")
