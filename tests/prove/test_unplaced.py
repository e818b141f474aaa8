"""Late because no node has room is no verdict about the copy; late for any other reason is."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import DEPLOYMENTS, PODS, STATEFULSETS
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Seen, StepContext
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.definitions import Checks, parse
from lazarus_tui.prove.proof.placed import Filling, Placed
from lazarus_tui.prove.steps import Ready, Run
from tests.velero.lab import Lab, World

SPACE = "shop"
ONE = "0/1 nodes are available: 1 {}. preemption: 0/1 nodes are available: 1 No preemption victims found."


def unplaced(world: World, name: str, message: str, reason: str = "Unschedulable") -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    world.put(PODS, name, SPACE, status={"phase": "Pending", "conditions": [condition]})


@pytest.fixture
def lab() -> Lab:
    found = Lab(World())
    status = {"readyReplicas": 0, "observedGeneration": 1}
    for kind, name in ((STATEFULSETS, "db"), (DEPLOYMENTS, "web")):
        found.world.put(kind, name, SPACE, metadata={"generation": 1}, spec={"replicas": 1}, status=status)
    return found


def ready() -> Ready:
    return Ready(Checks(sources={SPACE: SPACE}, ready_seconds=20.0))


FULL = {
    "pods": (ONE.format("Too many pods"), "Too many pods"),
    "memory": (ONE.format("Insufficient memory"), "Insufficient memory"),
    "a device": (ONE.format("Insufficient example.com/gpu"), "Insufficient example.com/gpu"),
    "some nodes are tainted, the others full": (
        "0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient cpu.",
        "Insufficient cpu",
    ),
}


@pytest.mark.parametrize(("message", "told"), FULL.values(), ids=FULL)
async def test_what_no_node_has_room_for_is_no_verdict(lab: Lab, message: str, told: str) -> None:
    unplaced(lab.world, "db-0", message)
    unplaced(lab.world, "web-1", message)
    seen = await lab.run(ready())
    assert seen.seen is Seen.DONE
    assert seen.detail.startswith(f"no node has room for pod db-0 ({told}) and 1 more; not ready within 20 s: 0 of 2")
    assert [(one.verdict, one.summary) for one in lab.checks] == [(Verdict.INCONCLUSIVE, seen.detail)]
    assert lab.facts["checks.ready"] == Verdict.INCONCLUSIVE
    asked = await lab.run(Run(parse({"checks": {"checks": [{"kind": "tcp", "service": "db", "port": 5432}]},
                                     "sources": {SPACE: SPACE}}, "sandbox")))  # fmt: skip
    assert "not asked" in asked.detail
    assert [one.verdict for one in lab.checks[1:]] == [Verdict.NOT_TESTED]
    assert (lab.facts["checks.t12"], lab.facts["checks.verdict"]) == ("", Verdict.NOT_TESTED)


async def test_it_ends_a_proof_with_what_to_do(lab: Lab) -> None:
    unplaced(lab.world, "db-0", ONE.format("Too many pods"))
    stopped = await lab.stopped(Placed(ready()))
    assert stopped.what.startswith("no node has room for pod db-0 (Too many pods)")
    assert "make room" in stopped.hint
    for kind, name in ((STATEFULSETS, "db"), (DEPLOYMENTS, "web")):
        status = {"readyReplicas": 1, "observedGeneration": 1}
        lab.world.put(kind, name, SPACE, metadata={"generation": 1}, spec={"replicas": 1}, status=status)
    assert (await lab.run(Placed(ready()))).seen is Seen.DONE


class Copies(BaseStep):
    """Waits for the volumes of a restore, so many looks."""

    name, title, poll, limit = "restore.volumes", "Restore the volumes", 1.0, 3600.0
    looks = 0

    async def observe(self, context: StepContext) -> Observation:
        self.looks += 1
        return Observation(Seen.DONE if self.looks > 40 else Seen.WAITING, f"db-0/data New, {self.looks}")


async def test_volumes_that_wait_for_a_pod_say_what_keeps_it_off_every_node(lab: Lab) -> None:
    """Velero fills files on the node of the pod: without one a restore waits for hours, and its copy says only New."""
    step, told = Filling(Copies(), SPACE), list[str]()
    context: Any = lab
    for look in range(1, 42):
        if look == 2:
            unplaced(lab.world, "db-0", ONE.format("Too many pods"))
        if look == 20:
            lab.world.put(PODS, "db-0", SPACE, status={"phase": "Running", "conditions": []})
        told.append((await step.observe(context)).detail)
        await lab.clock.sleep(1.0)
    why = "; no node has room for pod db-0 (Too many pods)"
    assert [n for n, one in enumerate(told, 1) if one.endswith(why)] == list(range(16, 31)), "looked at every 15 s"
    assert told[0] == "db-0/data New, 1"
    assert told[40] == "db-0/data New, 41"


@pytest.mark.parametrize(
    "message",
    [
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
        "an annotation says Insufficient memory",
        "",
    ],
)
async def test_another_reason_is_a_verdict(lab: Lab, message: str) -> None:
    unplaced(lab.world, "db-0", message)
    seen = await lab.run(ready())
    assert seen.seen is Seen.DONE
    assert lab.facts["checks.ready"] == Verdict.FAILED
    assert lab.checks[0].summary.startswith("not ready within 20 s: 0 of 2 replicas ready")


async def test_room_that_comes_in_time_is_no_matter(lab: Lab) -> None:
    unplaced(lab.world, "db-0", ONE.format("Too many pods"))
    status = {"readyReplicas": 1, "observedGeneration": 1}

    def placed() -> None:
        for kind, name in ((STATEFULSETS, "db"), (DEPLOYMENTS, "web")):
            lab.world.put(kind, name, SPACE, metadata={"generation": 1}, spec={"replicas": 1}, status=status)

    await lab.run(ready(), placed)
    assert lab.facts["checks.ready"] == Verdict.PASSED
