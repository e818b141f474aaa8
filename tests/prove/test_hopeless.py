"""A copy that can never get ready is not waited for; a slow start always is. DaemonSets count like everything else."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import CLAIMS, DAEMONSETS, DEPLOYMENTS, PODS, STATEFULSETS
from lazarus_tui.model.steps import Seen
from lazarus_tui.prove.checks import hopeless, readiness
from lazarus_tui.prove.definitions import Checks
from lazarus_tui.prove.steps import Ready
from tests.velero.lab import Lab, World

SPACE = "shop"


@pytest.fixture
def lab() -> Lab:
    found = Lab(World())
    workload(found.world, STATEFULSETS, "db", 0)
    return found


def workload(world: World, kind: Any, name: str, ready: int) -> None:
    status = {"readyReplicas": ready, "observedGeneration": 1}
    world.put(kind, name, SPACE, metadata={"generation": 1}, spec={"replicas": 1}, status=status)


def looping(
    *, code: int = 1, restarts: int = 4, took: int = 2, reason: str = "CrashLoopBackOff", **more: Any
) -> dict[str, Any]:
    ended = {
        "exitCode": code, "startedAt": "2026-06-01T12:00:00Z", "finishedAt": f"2026-06-01T12:00:{took:02d}Z",
    }  # fmt: skip
    state = {"waiting": {"reason": reason}}
    return {
        "name": "c", "ready": False, "restartCount": restarts, "state": state, "lastState": {"terminated": ended},
        **more,
    }  # fmt: skip


def pod(world: World, name: str, *statuses: dict[str, Any], owner: tuple[str, str], **status: Any) -> None:
    owners = [{"kind": owner[0], "name": owner[1]}]
    ready = all(one.get("ready") for one in statuses)
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    told = {"phase": "Running", "containerStatuses": list(statuses), "conditions": conditions, **status}
    world.put(PODS, name, SPACE, metadata={"ownerReferences": owners}, status=told)


RUNS = {"name": "c", "ready": False, "restartCount": 0, "state": {"running": {}}}
READY = {"name": "c", "ready": True, "restartCount": 0, "state": {"running": {}}}
DB = ("StatefulSet", "db")


async def never(lab: Lab) -> str:
    return await hopeless.look(lab.world, await readiness.look(lab.world, [SPACE]))  # type: ignore[arg-type]


async def test_what_ends_again_and_again_by_itself_is_known_to_be_lost(lab: Lab) -> None:
    pod(lab.world, "db-0", looping(code=3), owner=DB)
    assert await never(lab) == "db-0: c ended 5 times, last with exit code 3"


SLOW = [
    ("fewer ends", looping(restarts=3)),
    ("killed by its liveness probe", looping(code=137)),
    ("asked to end", looping(code=143)),
    ("ended well", looping(code=0)),
    ("ran for a while before", looping(took=45)),
    ("runs again now", looping(state={"running": {}})),
    ("its image is not there yet", looping(reason="ImagePullBackOff")),
    ("has not run", {**RUNS, "state": {"waiting": {"reason": "PodInitializing"}}}),
]  # fmt: skip


@pytest.mark.parametrize("status", [status for _, status in SLOW], ids=[name for name, _ in SLOW])
async def test_a_slow_start_is_waited_for(lab: Lab, status: dict[str, Any]) -> None:
    pod(lab.world, "db-0", status, owner=DB)
    assert await never(lab) == ""


async def test_whatever_else_is_on_its_way_may_be_what_is_waited_for(lab: Lab) -> None:
    pod(lab.world, "db-0", looping(), owner=DB)
    workload(lab.world, DEPLOYMENTS, "web", 0)
    assert await never(lab) == "", "web has no pod yet"
    pod(lab.world, "web-5d4-x", RUNS, owner=("ReplicaSet", "web-5d4"))
    assert await never(lab) == "", "web runs and is not ready yet"
    pod(lab.world, "web-5d4-x", looping(code=2), owner=("ReplicaSet", "web-5d4"))
    assert await never(lab) == "db-0: c ended 5 times, last with exit code 1; web-5d4-x: c ended 5 times, " + (
        "last with exit code 2"
    )
    workload(lab.world, DEPLOYMENTS, "web", 1)
    pod(lab.world, "web-5d4-x", READY, owner=("ReplicaSet", "web-5d4"))
    assert "db-0" in await never(lab)
    lab.world.put(CLAIMS, "data", SPACE, status={"phase": "Pending"})
    assert await never(lab) == "", "a claim that is not bound is somebody else's turn"


async def test_a_container_beside_it_that_runs_may_be_what_it_waits_for(lab: Lab) -> None:
    pod(lab.world, "db-0", looping(), {**RUNS, "name": "proxy"}, owner=DB)
    assert await never(lab) == ""
    pod(lab.world, "db-0", looping(), {**READY, "name": "proxy"}, owner=DB)
    assert "c ended 5 times" in await never(lab)


async def test_an_init_container_keeps_the_others_from_beginning(lab: Lab) -> None:
    waits = {"name": "main", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": "PodInitializing"}}}
    pod(lab.world, "db-0", waits, owner=DB, initContainerStatuses=[looping(code=9)])
    assert await never(lab) == "db-0: c ended 5 times, last with exit code 9"


async def test_the_wait_ends_with_a_verdict_long_before_its_time(lab: Lab) -> None:
    pod(lab.world, "db-0", looping(restarts=1), owner=DB)
    step = Ready(Checks(sources={SPACE: SPACE}, ready_seconds=300.0))
    late = [lambda: None] * 140 + [lambda: pod(lab.world, "db-0", looping(), owner=DB)]
    began = lab.clock.monotonic()
    seen = await lab.run(step, *late, looks=400)
    assert seen.seen is Seen.DONE
    assert 70 < lab.clock.monotonic() - began < 90
    assert lab.facts["checks.ready"] == "FAILED"
    assert lab.checks[0].summary == "never ready: db-0: c ended 5 times, last with exit code 1"


async def test_daemonsets_are_counted_by_the_nodes_that_take_them(lab: Lab) -> None:
    world = lab.world = World()

    def agent(ready: int, wanted: int, observed: int = 1) -> None:
        status = {"numberReady": ready, "desiredNumberScheduled": wanted, "observedGeneration": observed}
        world.put(DAEMONSETS, "agent", SPACE, metadata={"generation": 1}, status=status)

    agent(1, 3)
    found = await readiness.look(world, [SPACE])  # type: ignore[arg-type]
    assert (found.ready, found.desired, found.waiting) == (1, 3, ("DaemonSet shop/agent 1/3",))
    agent(3, 3)
    assert (await readiness.look(world, [SPACE])).complete  # type: ignore[arg-type]
    agent(0, 0, observed=0)
    assert "not been looked at" in (await readiness.look(world, [SPACE])).words()  # type: ignore[arg-type]
    agent(0, 0)
    assert "has no workloads" in (await readiness.look(world, [SPACE])).words()  # type: ignore[arg-type]
